import { describe, expect, it } from 'vitest'
import { unpackLz4 } from '../../../../services/adapters/kafka/client/lz4-frame.ts'
import { UnpackFault } from '../../../../services/adapters/kafka/client/unpack-fault.ts'

const magic = [0x04, 0x22, 0x4d, 0x18]
const end = [0, 0, 0, 0]
const block = (bytes: readonly number[]) => [bytes.length, 0, 0, 0, ...bytes]
const stored = (bytes: readonly number[]) => [bytes.length, 0, 0, 0x80, ...bytes]
/** "abcd" and the last 4 bytes again, then "e". */
const abcdTwice = [0x40, 0x61, 0x62, 0x63, 0x64, 4, 0, 0x10, 0x65]
const frame = (flags: number, ...rest: (readonly number[])[]) =>
  Buffer.from([...magic, flags, 0x40, ...rest.flat()])

describe('lz4-frame', () => {
  it('lz4-frame - reads packed and stored blocks, whatever the header checksum says', () => {
    const bytes = frame(0x60, [0xee], block(abcdTwice), stored([0x66]), end)
    expect(unpackLz4(bytes).toString()).toBe('abcdabcdef')
  })

  it('lz4-frame - skips content size and checksums', () => {
    const sum = [1, 2, 3, 4]
    const bytes = frame(0x7c, Array(8).fill(0), [0], block(abcdTwice), sum, end, sum)
    expect(unpackLz4(bytes).toString()).toBe('abcdabcde')
  })

  it('lz4-frame - reads blocks that are linked to the one before', () => {
    const bytes = frame(0x40, [0], stored([0x61, 0x62]), block([0x00, 2, 0, 0x10, 0x65]), end)
    expect(unpackLz4(bytes).toString()).toBe('abababe')
  })

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['another magic number', Buffer.from('not a frame at all')],
    ['another version', frame(0x20, [0], end)],
    ['a dictionary', frame(0x61, [0], end)],
    ['no end', frame(0x60, [0], block(abcdTwice))],
    ['a block behind the end', frame(0x60, [0], [200, 0, 0, 0, 1])],
    ['literals behind the end', frame(0x60, [0], block([0xf0, 255, 1]), end)],
    ['a match from before the start', frame(0x60, [0], block([0x10, 1, 9, 0, 0]), end)],
    ['a match from nowhere', frame(0x60, [0], block([0x10, 1, 0, 0, 0]), end)],
    ['half an offset', frame(0x60, [0], block([0x10, 1, 1]), end)],
    ['a length without an end', frame(0x60, [0], block([0x1f, 1, 1, 0, 255, 255]), end)],
  ])('lz4-frame - refuses %s', (_what, bytes) => {
    expect(() => unpackLz4(bytes)).toThrow(UnpackFault)
  })
})
