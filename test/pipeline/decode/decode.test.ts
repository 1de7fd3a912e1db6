// The decode stage: every message has a value or a rejection, in its own place.

import { describe, expect, it } from 'vitest'
import { decode } from '../../../services/pipeline/decode/decode.ts'
import { DecodeFault, type Decoder } from '../../../services/pipeline/decode/message-decoder.ts'
import { rawOf } from '../../support/stage-batches.ts'

/** Numbers as text; `?7` is a schema id to learn first. */
const numbers: Decoder<number> = {
  decode: (bytes) => {
    if (bytes === null) return new DecodeFault('WEIR_DECODE_EMPTY', 'found no value')
    const text = bytes.toString()
    if (text.startsWith('?')) {
      return new DecodeFault('WEIR_DECODE_UNKNOWN_SCHEMA', 'unknown id', Number(text.slice(1)))
    }
    const value = Number(text)
    return Number.isNaN(value) ? new DecodeFault('WEIR_DECODE_NOT_AVRO', 'found text') : value
  },
  learn: async () => undefined,
}

const decodeTexts = (...texts: readonly (string | null)[]) =>
  decode(
    texts.map((text, offset) => rawOf(offset, text === null ? null : Buffer.from(text))),
    numbers,
  )

describe('decode', () => {
  it('rejects what stands for a record batch that cannot be read, whatever its bytes', () => {
    const unreadable = { firstOffset: 3, detail: 'too large' }
    const message = { ...rawOf(5, Buffer.from('7')), unreadable }
    const { values, rejections } = decode([message], numbers)
    expect(values).toEqual([null])
    expect(rejections).toEqual([
      { code: 'WEIR_DECODE_BATCH_UNREADABLE', stage: 'decode', detail: 'too large' },
    ])
  })

  it('gives values in the order of the messages', () => {
    const { values, rejections, missingIds } = decodeTexts('1', '0', '3')
    expect(values).toEqual([1, 0, 3])
    expect(rejections).toEqual([null, null, null])
    expect(missingIds.size).toBe(0)
  })

  it('rejects in place, with the code of the fault and the stage', () => {
    const { values, rejections } = decodeTexts('1', null, 'x', '4')
    expect(values).toEqual([1, null, null, 4])
    expect(rejections).toEqual([
      null,
      { code: 'WEIR_DECODE_EMPTY', stage: 'decode', detail: 'found no value' },
      { code: 'WEIR_DECODE_NOT_AVRO', stage: 'decode', detail: 'found text' },
      null,
    ])
  })

  it('names each schema id to learn once, whatever else the messages hold', () => {
    expect([...decodeTexts('?7', '1', '?9', '?7', 'x').missingIds]).toEqual([7, 9])
  })

  it('takes no messages too', () => {
    expect(decodeTexts()).toEqual({ values: [], rejections: [], missingIds: new Set() })
  })
})
