// Unpacks snappy as Kafka's producers write it: raw blocks, or blocks in the framing of xerial.
//
//   xerial   0x82 "SNAPPY" 0x00 | version int32 | oldest reader int32 | (size int32 | block)*
//   block    unpacked length varint | (literal | copy)*           the tag's low 2 bits say which
//
// The Java client frames, librdkafka and Go clients may not. Own code, because the length in front
// of a block must be judged before memory is taken, and the readers at hand loop on a forged
// literal. Refused with UnpackFault: lengths beyond the ceiling or beyond what so many bytes can
// hold, copies from before the start, and bytes that end too early. Invariant: every step moves on
// in the input.

import { demandStage, UnpackFault } from './unpack-fault.ts'

const magic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const FRAME_HEAD = 16
/** A copy of 64 bytes takes three: no block holds more than this many times its size. */
const EXPANSION_MAX = 22

export function unpackSnappy(bytes: Buffer): Buffer {
  return isFramed(bytes, 0) ? unpackFrames(bytes) : unpackBlock(bytes)
}

const isFramed = (bytes: Buffer, at: number): boolean =>
  bytes.length >= at + FRAME_HEAD && magic.equals(bytes.subarray(at, at + magic.length))

function unpackFrames(bytes: Buffer): Buffer {
  const blocks: Buffer[] = []
  let unpacked = 0
  let at = 0
  while (at < bytes.length) {
    // Streams may be written one behind the other, each with its own head.
    if (isFramed(bytes, at)) {
      at += FRAME_HEAD
      continue
    }
    const size = at + 4 <= bytes.length ? bytes.readInt32BE(at) : -1
    at += 4
    if (size < 0 || at + size > bytes.length) throw truncated(at)
    const block = bytes.subarray(at, at + size)
    unpacked += readLength(block).length
    demandStage('snappy', unpacked)
    blocks.push(unpackBlock(block))
    at += size
  }
  return blocks.length === 1 ? blocks[0]! : Buffer.concat(blocks, unpacked)
}

function readLength(block: Buffer): { readonly length: number; readonly at: number } {
  let length = 0
  for (let at = 0; at < 5 && at < block.length; at++) {
    length += (block[at]! & 0x7f) * 2 ** (7 * at)
    if (block[at]! < 0x80) return { length, at: at + 1 }
  }
  throw new UnpackFault('snappy: a block without a length')
}

function unpackBlock(block: Buffer): Buffer {
  const { length, at } = readLength(block)
  demandStage('snappy', length)
  if (length > block.length * EXPANSION_MAX) {
    throw new UnpackFault(`snappy: ${block.length} bytes claim to hold ${length}`)
  }
  const output = Buffer.allocUnsafe(length)
  const written = new BlockReader(block, output).read(at)
  if (written !== length) throw new UnpackFault(`snappy: found ${written} of ${length} bytes`)
  return output
}

const truncated = (at: number): UnpackFault => new UnpackFault(`snappy: ends early at byte ${at}`)

/** A class, because literals and copies share the position in both buffers. */
class BlockReader {
  #at = 0
  #written = 0
  readonly #input: Buffer
  readonly #output: Buffer

  constructor(input: Buffer, output: Buffer) {
    this.#input = input
    this.#output = output
  }

  /** The bytes written. */
  read(from: number): number {
    const input = this.#input
    this.#at = from
    while (this.#at < input.length) {
      const tag = input[this.#at++]!
      const kind = tag & 3
      if (kind === 0) this.#literal(tag >>> 2)
      else if (kind === 1) this.#copy(((tag >>> 2) & 7) + 4, ((tag >>> 5) << 8) | this.#number(1))
      else this.#copy((tag >>> 2) + 1, this.#number(kind === 2 ? 2 : 4))
    }
    return this.#written
  }

  #number(width: number): number {
    const at = this.#at
    if (at + width > this.#input.length) throw truncated(at)
    this.#at += width
    return this.#input.readUIntLE(at, width)
  }

  #literal(code: number): void {
    const length = (code < 60 ? code : this.#number(code - 59)) + 1
    const from = this.#at
    if (from + length > this.#input.length) throw truncated(from)
    this.#demandSpace(length)
    this.#input.copy(this.#output, this.#written, from, from + length)
    this.#at += length
    this.#written += length
  }

  #copy(length: number, offset: number): void {
    const from = this.#written - offset
    if (offset === 0 || from < 0) throw new UnpackFault(`snappy: a copy from ${offset} bytes back`)
    this.#demandSpace(length)
    const output = this.#output
    // Byte by byte: a copy may run into what it has just written.
    for (let i = 0; i < length; i++) output[this.#written + i] = output[from + i]!
    this.#written += length
  }

  #demandSpace(length: number): void {
    if (this.#written + length > this.#output.length) {
      throw new UnpackFault(`snappy: holds more than the ${this.#output.length} bytes it claims`)
    }
  }
}
