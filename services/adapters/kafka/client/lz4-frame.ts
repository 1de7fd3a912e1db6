// Unpacks one LZ4 frame, which is how Kafka's producers write lz4.
//
//   0x184D2204 LE | flags | block size | [content size 8] | [dictionary 4] | header checksum |
//   (size uint32 LE, top bit = stored as it is | block | [checksum 4])* | 0 | [checksum 4]
//   block: (token: literals 4 bits, match - 4 bits | more length | literals | offset 2 LE | more)*
//
// Own code, because frames do not say how long a block becomes: it is found while it is written,
// with the ceiling asked before the memory grows. Checksums are not looked at: the batch has one of
// its own, and old Kafka clients computed the header's over the wrong bytes. Linked blocks are
// read. Refused with UnpackFault: other magic numbers, dictionaries, bytes that end early or point
// nowhere.

import { demandStage, UnpackFault } from './unpack-fault.ts'

const MAGIC = 0x184d2204
const STORED_FLAG = 0x8000_0000
const flag = { blockChecksum: 0x10, contentSize: 0x08, dictionary: 0x01 } as const

export function unpackLz4(bytes: Buffer): Buffer {
  if (bytes.length < 7 || bytes.readUInt32LE(0) !== MAGIC) {
    throw new UnpackFault('lz4: not a frame')
  }
  const flags = bytes[4]!
  if (flags >>> 6 !== 1) throw new UnpackFault(`lz4: frame version ${flags >>> 6}, expected 1`)
  if ((flags & flag.dictionary) !== 0) throw new UnpackFault('lz4: needs a dictionary')
  const trailer = (flags & flag.blockChecksum) === 0 ? 0 : 4
  const output = new Unpacked(bytes.length * 3)
  let at = (flags & flag.contentSize) === 0 ? 7 : 15
  for (;;) {
    if (at + 4 > bytes.length) throw truncated(at)
    const head = bytes.readUInt32LE(at)
    at += 4
    if (head === 0) return output.bytes
    const isStored = head >= STORED_FLAG
    const to = at + (isStored ? head - STORED_FLAG : head)
    if (to > bytes.length) throw truncated(at)
    if (isStored) output.append(bytes, at, to)
    else unpackBlock(bytes.subarray(at, to), output)
    at = to + trailer
  }
}

const truncated = (at: number): UnpackFault => new UnpackFault(`lz4: ends early at byte ${at}`)

function unpackBlock(block: Buffer, output: Unpacked): void {
  let at = 0
  const readMore = (nibble: number): number => {
    let length = nibble
    if (nibble < 15) return length
    for (;;) {
      if (at >= block.length) throw truncated(at)
      const more = block[at++]!
      length += more
      if (more < 255) return length
    }
  }
  while (at < block.length) {
    const token = block[at++]!
    const literals = readMore(token >>> 4)
    if (at + literals > block.length) throw truncated(at)
    output.append(block, at, at + literals)
    at += literals
    // The last sequence of a block has literals only.
    if (at === block.length) return
    if (at + 2 > block.length) throw truncated(at)
    const offset = block[at]! | (block[at + 1]! << 8)
    at += 2
    output.repeat(offset, readMore(token & 15) + 4)
  }
}

/** Bytes that grow up to the ceiling; earlier ones can be copied to the end again. */
class Unpacked {
  #buffer: Buffer
  #length = 0

  constructor(expectedBytes: number) {
    this.#buffer = Buffer.allocUnsafe(Math.min(expectedBytes, 1024 * 1024))
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  append(source: Buffer, from: number, to: number): void {
    this.#reserve(to - from)
    source.copy(this.#buffer, this.#length, from, to)
    this.#length += to - from
  }

  repeat(offset: number, count: number): void {
    const from = this.#length - offset
    if (offset === 0 || from < 0) throw new UnpackFault(`lz4: a match ${offset} bytes back`)
    this.#reserve(count)
    const [buffer, to] = [this.#buffer, this.#length]
    if (offset >= count) buffer.copyWithin(to, from, from + count)
    // Byte by byte: a match may run into what it has just written.
    else for (let i = 0; i < count; i++) buffer[to + i] = buffer[from + i]!
    this.#length += count
  }

  #reserve(count: number): void {
    const needed = this.#length + count
    if (needed <= this.#buffer.length) return
    demandStage('lz4', needed)
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2))
    this.#buffer.copy(larger, 0, 0, this.#length)
    this.#buffer = larger
  }
}
