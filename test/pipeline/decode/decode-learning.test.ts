// Learning on the way: it ends, whatever the registry says, and loses no message.

import { describe, expect, it } from 'vitest'
import { createDecoder, createEncoder } from '../../../services/adapters/registry/avro-codec.ts'
import { WeirError } from '../../../services/core/errors.ts'
import { limits } from '../../../services/core/limits.ts'
import { decodeLearning } from '../../../services/pipeline/decode/decode-learning.ts'
import { DecodeFault } from '../../../services/pipeline/decode/message-decoder.ts'
import { decodeScored } from '../../../services/restore/read/admit-messages.ts'

const schema = JSON.stringify({
  type: 'record',
  name: 'Count',
  fields: [{ name: 'count', type: 'int' }],
})
type Count = { readonly count: number }

const messageOf = (id: number) => ({
  offset: id,
  brokerTimeMs: 0,
  key: null,
  value: createEncoder<Count>(schema, id)({ count: id }),
})
const messagesOf = (count: number) => Array.from({ length: count }, (_, i) => messageOf(i + 1))

const learningWith = (pause: (ms: number) => void) => ({
  attemptsMax: 3,
  pause: async (ms: number) => pause(ms),
})

describe('decode learning', () => {
  it('reads a fetch with more ids than the decoder keeps', async () => {
    const decoder = createDecoder<Count>(schema, async () => schema)
    const { values, missingIds } = await decodeLearning(messagesOf(2500), decoder)
    expect(values.map((value) => value!.count)).toEqual(
      Array.from({ length: 2500 }, (_, i) => i + 1),
    )
    expect(missingIds.size).toBe(0)
  })

  it('ends where the registry is slower than its denials are believed', async () => {
    let nowMs = 0
    const decoder = createDecoder<Count>(
      schema,
      async (id) => {
        nowMs += 61_000
        return id % 2 === 0 ? schema : null
      },
      { nowMs: () => nowMs },
    )
    const learning = learningWith(() => undefined)
    const { values, rejections } = await decodeLearning(messagesOf(20), decoder, learning)
    expect(values.map((value) => value?.count ?? null)).toEqual(
      Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? null : i + 1)),
    )
    expect(rejections[0]).toMatchObject({ code: 'WEIR_DECODE_UNKNOWN_SCHEMA', stage: 'decode' })
    expect(rejections[1]).toBeNull()
  })

  it('gives up on an id that stays unknown however often it is learned', async () => {
    let asked = 0
    const decoder = {
      decode: () => new DecodeFault('WEIR_DECODE_UNKNOWN_SCHEMA', 'unknown id 1', 1),
      learn: async () => void asked++,
    }
    await expect(decodeLearning([messageOf(1)], decoder)).rejects.toMatchObject({
      code: 'WEIR_REGISTRY_BEHIND',
    })
    expect(asked).toBe(4)
  })

  it('waits for a registry that lags behind, for all ids at once, and rejects nothing', async () => {
    let nowMs = 0
    const decoder = createDecoder<Count>(schema, async () => (nowMs < 3000 ? null : schema), {
      nowMs: () => nowMs,
    })
    const learning = learningWith((ms) => {
      nowMs += ms / 16
    })
    const { values } = await decodeLearning(messagesOf(16), decoder, learning)
    expect(values.every((value) => value !== null)).toBe(true)
    expect(nowMs).toBeLessThanOrEqual(3000 + 250)
  })

  it('believes a denial that has stood, and rejects the message', async () => {
    let nowMs = 0
    const decoder = createDecoder<Count>(schema, async () => null, { nowMs: () => nowMs })
    const learning = learningWith((ms) => {
      nowMs += ms
    })
    const { rejections } = await decodeLearning([messageOf(1)], decoder, learning)
    expect(rejections[0]).toMatchObject({ code: 'WEIR_DECODE_UNKNOWN_SCHEMA' })
    expect(nowMs).toBe(limits.schemaAbsentMs)
  })

  it('an outage is thrown at once', async () => {
    const decoder = createDecoder<Count>(schema, async () => {
      throw new WeirError('WEIR_REGISTRY_AWAY', 'away')
    })
    await expect(decodeLearning([messageOf(1)], decoder)).rejects.toMatchObject({
      code: 'WEIR_REGISTRY_AWAY',
    })
  })

  it('restore and replay read a fetch with more ids than the decoder keeps', async () => {
    const decoders = {
      transactions: createDecoder<never>(schema, async () => schema),
      labels: createDecoder<never>(schema, async () => schema),
    }
    const arrivals = await decodeScored(messagesOf(1500), { decoders, validate: {} as never })
    expect(arrivals.map(({ transaction }) => (transaction as Count | null)?.count)).toEqual(
      Array.from({ length: 1500 }, (_, i) => i + 1),
    )
  })
})
