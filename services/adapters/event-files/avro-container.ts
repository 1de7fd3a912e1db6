// The blocks of an Avro object container file (Avro 1.12), uncompressed.
//
//   file    'Obj' 1, metadata (map of bytes: avro.schema, avro.codec), marker (16 bytes), blocks
//   block   records (long), size (long), size bytes by the codec, the marker
//
// In: a path. Out: the schema's text, then block after block. Refused (thrown, named by the
// caller): what is no container, codecs that Node cannot read, a file that ends early or whose
// markers do not stand where its sizes say, blocks beyond the ceilings. Invariant: memory holds one
// block, however much a block claims to become.

import { createReadStream } from 'node:fs'
import { crc32, inflateRawSync, zstdDecompressSync } from 'node:zlib'
import { snappyUncompress } from 'hyparquet'

/** Of a block as it is stored, of one that is unpacked, and of the metadata. */
const storedBytesMax = 256 * 1024 * 1024
const unpackedBytesMax = 1024 * 1024 * 1024
const metadataBytesMax = 16 * 1024 * 1024
const markerBytes = 16

export type AvroBlock = { readonly count: number; readonly bytes: Buffer }

type AvroContainer = {
  readonly schemaText: string
  readonly blocks: AsyncGenerator<AvroBlock, void, undefined>
  /** Must be called once the blocks are not read any more. */
  readonly close: () => Promise<void>
}

export async function openAvroContainer(path: string): Promise<AvroContainer> {
  const source = new ByteSource(createReadStream(path, { highWaterMark: 1024 * 1024 }))
  try {
    const magic = await source.take(4)
    if (magic.toString('latin1') !== 'Obj\u0001') throw new Error('found no Avro container')
    const metadata = await readMetadata(source)
    const schemaText = metadata.get('avro.schema')?.toString()
    if (schemaText === undefined) throw new Error('found no avro.schema in the header')
    const unpack = chooseCodec(metadata.get('avro.codec')?.toString() ?? 'null')
    return { schemaText, blocks: readBlocks(source, unpack), close: () => source.close() }
  } catch (cause) {
    await source.close()
    throw cause
  }
}

async function* readBlocks(
  source: ByteSource,
  unpack: (bytes: Buffer) => Buffer,
): AsyncGenerator<AvroBlock, void, undefined> {
  const marker = Buffer.from(await source.take(markerBytes))
  for (let index = 0; !(await source.isAtEnd()); index++) {
    const count = await source.takeSize(Number.MAX_SAFE_INTEGER)
    const stored = await source.take(await source.takeSize(storedBytesMax))
    if (!marker.equals(await source.take(markerBytes))) {
      throw new Error(`block ${index} (from 0) is damaged: its end is not where its size says`)
    }
    const bytes = unpack(stored)
    // A record has a byte at least: without any it is nobody's event.
    if (count > bytes.length) throw new Error(`block ${index} has more records than bytes`)
    yield { count, bytes }
  }
}

async function readMetadata(source: ByteSource): Promise<Map<string, Buffer>> {
  const metadata = new Map<string, Buffer>()
  for (;;) {
    let count = await source.takeLong()
    if (count === 0n) return metadata
    if (count < 0n) {
      count = -count
      await source.takeLong()
    }
    for (; count > 0n; count--) {
      const key = await source.take(await source.takeSize(metadataBytesMax))
      const name = key.toString()
      metadata.set(name, Buffer.from(await source.take(await source.takeSize(metadataBytesMax))))
    }
  }
}

const codecs: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  null: (bytes) => bytes,
  deflate: (bytes) => inflateRawSync(bytes, { maxOutputLength: unpackedBytesMax }),
  snappy: unpackSnappy,
  zstandard: (bytes) => zstdDecompressSync(bytes, { maxOutputLength: unpackedBytesMax }),
}

function chooseCodec(name: string): (bytes: Buffer) => Buffer {
  const unpack = Object.hasOwn(codecs, name) ? codecs[name] : undefined
  if (unpack !== undefined) return unpack
  const known = Object.keys(codecs).join(', ')
  throw new Error(`found the codec ${name.slice(0, 40)}, expected one of ${known}`)
}

/** A length (varint), Snappy's data, the CRC-32 of the unpacked bytes, highest byte first. */
function unpackSnappy(stored: Buffer): Buffer {
  const packed = stored.subarray(0, Math.max(0, stored.length - 4))
  let length = 0
  for (let at = 0, byte = 0x80; byte >= 0x80; at++) {
    byte = packed[at] ?? 0
    length += (byte & 0x7f) * 2 ** (7 * at)
    if (length > unpackedBytesMax) throw new Error('a block is too large when it is unpacked')
  }
  const bytes = Buffer.alloc(length)
  snappyUncompress(packed, bytes)
  if (stored.length < 4 || crc32(bytes) !== stored.readUInt32BE(stored.length - 4)) {
    throw new Error('a block is damaged: found another checksum')
  }
  return bytes
}

/** Bytes of a stream, as many as are asked for. */
class ByteSource {
  readonly #chunks: AsyncIterator<Buffer>
  #chunk: Buffer = Buffer.alloc(0)
  #at = 0

  constructor(stream: AsyncIterable<Buffer>) {
    this.#chunks = stream[Symbol.asyncIterator]()
  }

  async isAtEnd(): Promise<boolean> {
    return !(await this.#fill())
  }

  async take(size: number): Promise<Buffer> {
    const parts: Buffer[] = []
    for (let left = size; left > 0; ) {
      if (!(await this.#fill())) throw new Error('the file ends within a block or its header')
      const part = this.#chunk.subarray(this.#at, this.#at + left)
      this.#at += part.length
      left -= part.length
      parts.push(part)
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  }

  async takeLong(): Promise<bigint> {
    let zigzag = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = (await this.take(1))[0]!
      zigzag |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asIntN(64, (zigzag >> 1n) ^ -(zigzag & 1n))
    }
    throw new Error('a number has more than 64 bits')
  }

  async takeSize(max: number): Promise<number> {
    const size = await this.takeLong()
    if (size < 0n || size > BigInt(max))
      throw new Error(`found the size ${size}, expected 0-${max}`)
    return Number(size)
  }

  async close(): Promise<void> {
    await this.#chunks.return?.()
  }

  /** Whether a byte is left. */
  async #fill(): Promise<boolean> {
    while (this.#at === this.#chunk.length) {
      const next = await this.#chunks.next()
      if (next.done === true) return false
      this.#chunk = next.value
      this.#at = 0
    }
    return true
  }
}
