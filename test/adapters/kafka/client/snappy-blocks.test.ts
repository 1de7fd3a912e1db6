import { describe, expect, it } from 'vitest'
import { unpackSnappy } from '../../../../services/adapters/kafka/client/snappy-blocks.ts'
import { UnpackFault } from '../../../../services/adapters/kafka/client/unpack-fault.ts'

const magic = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]
const frameHead = [...magic, 0, 0, 0, 1, 0, 0, 0, 1]
const framed = (block: readonly number[]) => [0, 0, 0, block.length, ...block]
/** "abcd", then the last 4 bytes again. */
const abcdTwice = [8, 3 << 2, 0x61, 0x62, 0x63, 0x64, 1, 4]

const unpack = (bytes: readonly number[]) => unpackSnappy(Buffer.from(bytes)).toString()

describe('snappy-blocks', () => {
  it('snappy-blocks - reads a block without framing, as clients other than Java write it', () => {
    expect(unpack(abcdTwice)).toBe('abcdabcd')
  })

  it('snappy-blocks - reads framed blocks, and streams one behind the other', () => {
    const stream = [...frameHead, ...framed(abcdTwice), ...framed(abcdTwice)]
    expect(unpack(stream)).toBe('abcdabcd'.repeat(2))
    expect(unpack([...stream, ...stream])).toBe('abcdabcd'.repeat(4))
    expect(unpack(frameHead)).toBe('')
  })

  it('snappy-blocks - repeats a copy that runs into what it has just written', () => {
    expect(unpack([9, 0, 0x61, ((8 - 4) << 2) | 1, 1])).toBe('aaaaaaaaa')
  })

  it.each([
    ['copies of two and of four bytes of offset', [8, 3 << 2, 0x61, 0x62, 0x63, 0x64, 14, 4, 0]],
    ['', [8, 3 << 2, 0x61, 0x62, 0x63, 0x64, 15, 4, 0, 0, 0]],
  ])('snappy-blocks - reads %s', (_what, bytes) => {
    expect(unpack(bytes)).toBe('abcdabcd')
  })

  it.each([
    ['nothing', []],
    ['a length without an end', [0xff, 0xff, 0xff, 0xff, 0xff]],
    ['a length that so few bytes cannot hold', [0xff, 0xff, 0x01, 0, 0x61]],
    ['a forged literal of 4 GiB', [8, 0xfc, 0xf0, 0xff, 0xff, 0xff, 0x61, 0x62]],
    ['a literal behind the end', [8, 7 << 2, 0x61]],
    ['a copy from before the start', [8, 0, 0x61, 1, 9]],
    ['a copy from nowhere', [8, 0, 0x61, 1, 0]],
    ['more than it claims', [2, 3 << 2, 0x61, 0x62, 0x63, 0x64]],
    ['less than it claims', [9, 3 << 2, 0x61, 0x62, 0x63, 0x64]],
    ['a block behind the end', [...frameHead, 0, 0, 1, 0, 1]],
    ['a block of a negative size', [...frameHead, 0xff, 0, 0, 0, 1]],
  ])('snappy-blocks - refuses %s', (_what, bytes) => {
    expect(() => unpack(bytes)).toThrow(UnpackFault)
  })
})
