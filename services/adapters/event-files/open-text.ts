// The text of a file, a chunk at a time, whatever its encoding and compression.
//
//   bytes ─.gz, .zst─► bytes ─byte order mark─► text
//
// In: a path; an encoding for files without a byte order mark. Out: chunks of text of about
// 1 MiB, without the mark. Refused (thrown, named by the caller): a file that is not readable or
// ends within its compressed data, UTF-32, bytes that are not of the encoding. Invariant: memory
// holds a chunk; bytes are never replaced, so two ids never become one.

import { isUtf8 } from 'node:buffer'
import { createReadStream } from 'node:fs'
import { extname } from 'node:path'
import { pipeline, type Readable } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { splitZstdFrames } from './zstd-frames.ts'

type FileEncoding = 'utf-8' | 'latin1' | 'utf-16le'

const chunkBytes = 1024 * 1024
/** As many bytes as the longest byte order mark has. */
const headBytes = 4

/** Whoever reads the last stream meets the faults of all before it. */
const decompressors: Readonly<Record<string, (source: Readable) => Readable>> = {
  '.gz': (source) => pipeline(source, createGunzip({ chunkSize: chunkBytes }), () => undefined),
  '.zst': (source) => {
    const decompress = createZstdDecompress({ chunkSize: chunkBytes })
    return pipeline(source, splitZstdFrames, decompress, () => undefined)
  },
}

/** Endings that stand behind those of text files. */
export const compressedEndings: readonly string[] = Object.keys(decompressors)

export async function* readText(
  path: string,
  encoding?: FileEncoding,
): AsyncGenerator<string, void, undefined> {
  let head: Buffer | null = Buffer.alloc(0)
  let decoder: Decoder | null = null
  for await (const bytes of openBytes(path) as AsyncIterable<Buffer>) {
    if (decoder !== null) yield decoder.write(bytes)
    else if (head!.length + bytes.length < headBytes) head = Buffer.concat([head!, bytes])
    else {
      const first: Buffer = head!.length === 0 ? bytes : Buffer.concat([head!, bytes])
      head = null
      decoder = openDecoder(first, encoding)
      yield decoder.write(first.subarray(decoder.markBytes))
    }
  }
  if (decoder === null) {
    decoder = openDecoder(head!, encoding)
    yield decoder.write(head!.subarray(decoder.markBytes))
  }
  yield decoder.end()
}

function openBytes(path: string): Readable {
  const source = createReadStream(path, { highWaterMark: chunkBytes })
  const decompress = decompressors[extname(path).toLowerCase()]
  return decompress === undefined ? source : decompress(source)
}

type Decoder = {
  readonly markBytes: number
  readonly write: (bytes: Buffer) => string
  /** Whether the text ended with a whole character. */
  readonly end: () => string
}

function openDecoder(head: Buffer, encoding: FileEncoding | undefined): Decoder {
  const found = recognise(head)
  const name = found.markBytes > 0 ? found.encoding : (encoding ?? found.encoding)
  if (name === 'utf-8') return createUtf8Decoder(found.markBytes)
  return createPlainDecoder(name, found.markBytes)
}

const marks: readonly (readonly [encoding: string, ...bytes: number[]])[] = [
  ['utf-32le', 0xff, 0xfe, 0, 0],
  ['utf-32be', 0, 0, 0xfe, 0xff],
  ['utf-8', 0xef, 0xbb, 0xbf],
  ['utf-16le', 0xff, 0xfe],
  ['utf-16be', 0xfe, 0xff],
]

/** Without a mark: files of events begin with ASCII, whose other byte is 0 in UTF-16. */
function recognise(head: Buffer): { readonly encoding: string; readonly markBytes: number } {
  for (const [encoding, ...mark] of marks) {
    if (!mark.every((byte, i) => head[i] === byte)) continue
    if (encoding.startsWith('utf-32')) {
      throw new Error(`found text in ${encoding.toUpperCase()}, expected UTF-8 or UTF-16`)
    }
    return { encoding, markBytes: mark.length }
  }
  if (head.length >= headBytes && head[0] !== 0 && head[1] === 0 && head[2] !== 0) {
    return { encoding: 'utf-16le', markBytes: 0 }
  }
  if (head.length >= headBytes && head[0] === 0 && head[1] !== 0 && head[2] === 0) {
    return { encoding: 'utf-16be', markBytes: 0 }
  }
  return { encoding: 'utf-8', markBytes: 0 }
}

/** Faster than TextDecoder with `fatal`, and ASCII stays one byte a character in memory. */
function createUtf8Decoder(markBytes: number): Decoder {
  let tail: Buffer = Buffer.alloc(0)
  let position = markBytes
  const invalid = () =>
    new Error(`found bytes that are not UTF-8 (behind byte ${position}), expected UTF-8 text`)
  return {
    markBytes,
    write: (chunk) => {
      const bytes = tail.length === 0 ? chunk : Buffer.concat([tail, chunk])
      const whole = bytes.subarray(0, wholeLength(bytes))
      if (!isUtf8(whole)) throw invalid()
      tail = Buffer.from(bytes.subarray(whole.length))
      position += whole.length
      return whole.toString('utf8')
    },
    end: () => {
      if (tail.length > 0) throw invalid()
      return ''
    },
  }
}

/** Without the bytes of a last character that goes on in the next chunk. */
function wholeLength(bytes: Buffer): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back]!
    if ((byte & 0xc0) === 0x80) continue
    const size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    return size > back ? bytes.length - back : bytes.length
  }
  return bytes.length
}

/** `latin1` is read as Windows-1252, as browsers do: what says Latin-1 mostly has its euro sign. */
function createPlainDecoder(encoding: string, markBytes: number): Decoder {
  const decoder = new TextDecoder(encoding === 'latin1' ? 'windows-1252' : encoding, {
    fatal: true,
    ignoreBOM: true,
  })
  const decode = (bytes: Buffer, stream: boolean): string => {
    try {
      return decoder.decode(bytes, { stream })
    } catch (cause) {
      const name = encoding.toUpperCase()
      throw new Error(`found bytes that are not ${name}, expected ${name} text`, { cause })
    }
  }
  return {
    markBytes,
    write: (bytes) => decode(bytes, true),
    end: () => decode(Buffer.alloc(0), false),
  }
}
