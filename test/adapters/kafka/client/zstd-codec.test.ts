import { zstdCompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { kafkajs } from '../../../../services/adapters/kafka/client/kafka-client.ts'
import { zstdCodec } from '../../../../services/adapters/kafka/client/zstd-codec.ts'

const { CompressionCodecs, CompressionTypes } = kafkajs

describe('zstd-codec', () => {
  it('zstd-codec - is what kafkajs uses for zstd, and gives back what it packed', async () => {
    const codec = CompressionCodecs[CompressionTypes.ZSTD]() as typeof zstdCodec
    const bytes = Buffer.from('transaction '.repeat(1000))
    const packed = await codec.compress({ buffer: bytes })
    expect(packed.length).toBeLessThan(bytes.length / 10)
    expect(packed.readUInt32LE(0)).toBe(0xfd2fb528)
    expect(await codec.decompress(packed)).toEqual(bytes)
  })

  it('zstd-codec - refuses a batch that unpacks to more than 64 MiB', async () => {
    const bomb = zstdCompressSync(Buffer.alloc(64 * 1024 * 1024 + 1))
    expect(bomb.length).toBeLessThan(10_000)
    await expect(zstdCodec.decompress(bomb)).rejects.toMatchObject({
      code: 'ERR_BUFFER_TOO_LARGE',
    })
  })

  it.each([
    ['snappy', CompressionTypes.Snappy],
    ['lz4', CompressionTypes.LZ4],
  ])('zstd-codec - refuses %s and names the setting to change', (name, type) => {
    const codecs: Record<number, () => unknown> = CompressionCodecs
    expect(() => codecs[type]!()).toThrow(
      `A record batch is compressed with ${name}; Weir reads none, gzip and zstd. Set compression.type=zstd`,
    )
  })
})
