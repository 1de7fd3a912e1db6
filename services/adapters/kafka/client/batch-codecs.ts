// The codecs of record batches: what kafkajs calls to pack and unpack, in place of its own table.
//
// In: kafkajs. Out: its table, filled in: gzip, snappy, lz4 and zstd are read; gzip and zstd are
// written (measured: zstd at level 1 makes fewer bytes than lz4 in about the same time).
// Refused with UnpackFault: a batch that unpacks to more than the one ceiling of all codecs, found
// before the memory is taken, and bytes that are not what the batch's header says they are.

import { promisify } from 'node:util'
import {
  constants,
  gunzip,
  gzip,
  gzipSync,
  zstdCompress,
  zstdCompressSync,
  zstdDecompress,
} from 'node:zlib'
import type * as Kafkajs from 'kafkajs'
import { limits } from '../../../core/limits.ts'
import { unpackLz4 } from './lz4-frame.ts'
import { unpackSnappy } from './snappy-blocks.ts'
import { tooLarge, UnpackFault } from './unpack-fault.ts'

type Packer = { readonly buffer: Buffer }
type Pack = (bytes: Buffer) => Promise<Buffer>

const gzipLevel = { level: 1 }
const zstdLevel = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }
const ceiling = { maxOutputLength: limits.batchUnpackedBytesMax }
/**
 * A thread's work ends with each chunk of output: 16 KiB, Node's own, cost more than the packing.
 */
const KIB = 1024
const chunked = (bytes: number) => ({ chunkSize: Math.min(256 * KIB, Math.max(16 * KIB, bytes)) })
/** Below this, packing takes less time than handing the bytes to another thread and back. */
const SYNC_BYTES_MAX = 32 * 1024

const gzipApart = promisify(gzip)
const zstdApart = promisify(zstdCompress)
const gunzipApart = promisify(gunzip)
const unzstdApart = promisify(zstdDecompress)

/** Node's own codecs say by an error code that the ceiling was met. */
const guarded =
  (name: string, unpack: Pack): Pack =>
  async (bytes) => {
    try {
      return await unpack(bytes)
    } catch (cause) {
      if ((cause as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(name)
      throw new UnpackFault(`${name}: ${(cause as Error).message}`, { cause })
    }
  }

const neverWritten = (name: string) => (): Promise<Buffer> =>
  Promise.reject(new Error(`Weir writes none, gzip and zstd, not ${name}`))

export const batchCodecs = {
  gzip: {
    compress: async ({ buffer }: Packer): Promise<Buffer> =>
      buffer.length <= SYNC_BYTES_MAX
        ? gzipSync(buffer, gzipLevel)
        : gzipApart(buffer, { ...gzipLevel, ...chunked(buffer.length) }),
    decompress: guarded('gzip', (bytes) =>
      gunzipApart(bytes, { ...ceiling, ...chunked(4 * bytes.length) }),
    ),
  },
  snappy: {
    compress: neverWritten('snappy'),
    decompress: async (bytes: Buffer): Promise<Buffer> => unpackSnappy(bytes),
  },
  lz4: {
    compress: neverWritten('lz4'),
    decompress: async (bytes: Buffer): Promise<Buffer> => unpackLz4(bytes),
  },
  zstd: {
    compress: async ({ buffer }: Packer): Promise<Buffer> =>
      buffer.length <= SYNC_BYTES_MAX
        ? zstdCompressSync(buffer, zstdLevel)
        : zstdApart(buffer, { ...zstdLevel, ...chunked(buffer.length) }),
    decompress: guarded('zstd', (bytes) =>
      unzstdApart(bytes, { ...ceiling, ...chunked(4 * bytes.length) }),
    ),
  },
}

export function registerCodecs(
  kafkajs: Pick<typeof Kafkajs, 'CompressionCodecs' | 'CompressionTypes'>,
): void {
  const { CompressionTypes } = kafkajs
  // kafkajs' types know the codecs that a producer may choose by these names, not what they are.
  const table: Record<number, () => unknown> = kafkajs.CompressionCodecs
  table[CompressionTypes.GZIP] = () => batchCodecs.gzip
  table[CompressionTypes.Snappy] = () => batchCodecs.snappy
  table[CompressionTypes.LZ4] = () => batchCodecs.lz4
  table[CompressionTypes.ZSTD] = () => batchCodecs.zstd
}
