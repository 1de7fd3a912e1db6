// Compression of record batches beyond the gzip that kafkajs brings: zstd, through node:zlib.
// In: kafkajs. Out: its codec table, filled in.
//
// Refused: batches in snappy or lz4, which Node cannot read, with the topic setting to change; and
// a batch that unpacks to more than the ceiling, so that a small fetch cannot fill the memory.

import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import type * as Kafkajs from 'kafkajs'

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

/** 64 times the usual fetch of 1 MiB per partition; brokers refuse larger batches long before. */
const unpackedBytesMax = 64 * 1024 * 1024

export const zstdCodec = {
  compress: (encoder: { readonly buffer: Buffer }): Promise<Buffer> => compress(encoder.buffer),
  decompress: (buffer: Buffer): Promise<Buffer> =>
    decompress(buffer, { maxOutputLength: unpackedBytesMax }),
}

type KafkajsValues = Pick<
  typeof Kafkajs,
  'CompressionCodecs' | 'CompressionTypes' | 'KafkaJSNonRetriableError'
>

export function registerCodecs(kafkajs: KafkajsValues): void {
  const { CompressionCodecs, CompressionTypes, KafkaJSNonRetriableError } = kafkajs
  const refuse = (name: string) => () => {
    throw new KafkaJSNonRetriableError(
      `A record batch is compressed with ${name}; Weir reads none, gzip and zstd. Set compression.type=zstd on the topic, or the producer's compression.type.`,
    )
  }
  CompressionCodecs[CompressionTypes.ZSTD] = () => zstdCodec
  CompressionCodecs[CompressionTypes.Snappy] = refuse('snappy')
  CompressionCodecs[CompressionTypes.LZ4] = refuse('lz4')
}
