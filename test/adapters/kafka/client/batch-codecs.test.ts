import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { batchCodecs } from '../../../../services/adapters/kafka/client/batch-codecs.ts'
import { kafkajs } from '../../../../services/adapters/kafka/client/kafka-client.ts'
import { UnpackFault } from '../../../../services/adapters/kafka/client/unpack-fault.ts'
import { javaBatch, javaCodecs } from './java-events.ts'

const { CompressionCodecs, CompressionTypes } = kafkajs
const typeOf = {
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
} as const
const codecs = javaCodecs.filter((codec) => codec !== 'none')
const batchHead = 61
const codecOf = (name: keyof typeof typeOf) =>
  (CompressionCodecs as Record<number, () => unknown>)[
    typeOf[name]
  ]!() as (typeof batchCodecs)[typeof name]

describe('batch-codecs', () => {
  it.each(codecs)(
    'batch-codecs - kafkajs unpacks %s of the Java client with them',
    async (name) => {
      const packed = javaBatch(name).subarray(batchHead)
      const unpacked = await codecOf(name).decompress(packed)
      expect(unpacked.equals(javaBatch('none').subarray(batchHead))).toBe(true)
    },
  )

  it.each([
    ['gzip', 10],
    ['gzip', 100_000],
    ['zstd', 10],
    ['zstd', 100_000],
  ] as const)('batch-codecs - %s gives back the %i bytes it packed', async (name, length) => {
    const bytes = Buffer.from('transaction '.repeat(10_000)).subarray(0, length)
    const packed = await codecOf(name).compress({ buffer: bytes })
    expect(await codecOf(name).decompress(packed)).toEqual(bytes)
    if (length > 1000) expect(packed.length).toBeLessThan(length / 10)
  })

  it.each([
    ['gzip', () => gzipSync(Buffer.alloc(64 * 1024 * 1024 + 1))],
    ['zstd', () => zstdCompressSync(Buffer.alloc(64 * 1024 * 1024 + 1))],
    ['lz4', () => lz4OfZeros(64 * 1024 * 1024 + 1)],
    ['snappy', () => Buffer.from([0x81, 0x80, 0x80, 0x20, 0, 0])],
  ] as const)('batch-codecs - %s refuses what unpacks to more than 64 MiB', async (name, bomb) => {
    const unpacking = codecOf(name).decompress(bomb())
    await expect(unpacking).rejects.toThrow(UnpackFault)
    await expect(unpacking).rejects.toThrow(`${name}: unpacks to more than 64 MiB`)
  })

  it.each(codecs)('batch-codecs - %s cut off anywhere is a fault or less', async (name) => {
    const whole = javaBatch(name).subarray(batchHead)
    const expected = javaBatch('none').length - batchHead
    for (let cut = 0; cut < whole.length; cut += 97) {
      const result = await codecOf(name)
        .decompress(whole.subarray(0, cut))
        .catch((error: unknown) => error)
      if (Buffer.isBuffer(result)) expect(result.length).toBeLessThan(expected)
      else expect(result).toBeInstanceOf(UnpackFault)
    }
  })
})

/** One block: a zero, then matches one byte back. */
function lz4OfZeros(length: number): Buffer {
  const head = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x00])
  const more = Math.ceil((length - 20) / 255)
  const block = Buffer.concat([
    Buffer.from([0x1f, 0, 1, 0]),
    Buffer.alloc(more, 255),
    Buffer.from([0]),
  ])
  const size = Buffer.alloc(4)
  size.writeUInt32LE(block.length)
  return Buffer.concat([head, size, block, Buffer.alloc(4)])
}
