// Zstandard files of many frames, cut where frames end, however the chunks lie.

import { constants, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { splitZstdFrames } from '../../../services/adapters/event-files/zstd-frames.ts'

const checksum = { params: { [constants.ZSTD_c_checksumFlag]: 1 } }
const skippable = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3])
const frames = [
  zstdCompressSync('a'.repeat(300_000)),
  skippable,
  zstdCompressSync('', checksum),
  zstdCompressSync(Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * i) % 251)), checksum),
]

async function* chunksOf(bytes: Buffer, size: number) {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size)
}

async function split(bytes: Buffer, size: number): Promise<Buffer[]> {
  const parts: Buffer[] = []
  for await (const part of splitZstdFrames(chunksOf(bytes, size))) parts.push(part)
  return parts
}

describe('zstd frames', () => {
  test.each([1, 2, 7, 100_000])('zstd frames - cuts at ends, with chunks of %i', async (size) => {
    const parts = await split(Buffer.concat(frames), size)
    expect(Buffer.concat(parts)).toEqual(Buffer.concat(frames))
    const places = new Set<number>()
    parts.reduce((place, part) => {
      places.add(place + part.length)
      return place + part.length
    }, 0)
    let end = 0
    for (const frame of frames) {
      end += frame.length
      expect(places.has(end)).toBe(true)
    }
    if (size > 1000) expect(parts.map(({ length }) => length)).toEqual(frames.map((f) => f.length))
  })

  test('zstd frames - passes on what is no frame', async () => {
    const bytes = Buffer.concat([frames[0]!, Buffer.from('no frame at all')])
    expect(Buffer.concat(await split(bytes, 5))).toEqual(bytes)
  })
})
