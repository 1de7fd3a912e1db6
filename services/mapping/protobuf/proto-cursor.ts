// A place in a Protobuf body, and the wire's values from there on.
//
//   tag    varint: field number << 3 | wire type
//   0 varint   1 eight bytes   2 length, bytes   3 group ... 4 its end   5 four bytes
//
// In: bytes of strangers. Out: exact values: 64 bits are a number, or a bigint where no double
// holds them. Refused (thrown): whatever leaves the message, tags and lengths that are none,
// groups that do not end, nesting deeper than Google's own parsers take. Invariant: every step
// goes forward, and none leaves the message that it is in.

import type { ScalarName } from './proto-schema.ts'

export const wire = { varint: 0, eight: 1, bytes: 2, group: 3, groupEnd: 4, four: 5 } as const

const depthMax = 100

export class ProtoCursor {
  readonly bytes: Buffer
  at: number
  /** Behind the last byte of the message that is being read. */
  end: number
  #depth = 0

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes
    this.at = at
    this.end = bytes.length
  }

  /** 64 bits without a sign. */
  readVarint(): number | bigint {
    let low = 0
    let high = 0
    let index = 0
    for (let byte = 0x80; byte >= 0x80; index++) {
      byte = this.bytes[this.take(1)]!
      if (index < 4) low |= (byte & 0x7f) << (7 * index)
      else if (index < 7) high |= (byte & 0x7f) << (7 * index - 28)
      else return this.#readVarintTail(low + high * 2 ** 28, byte)
    }
    return low + high * 2 ** 28
  }

  /** From the eighth byte on; what was read before are 49 bits. */
  #readVarintTail(low: number, eighth: number): number | bigint {
    let value = BigInt(low)
    let byte = eighth
    for (let index = 7; ; index++) {
      value += BigInt(byte & 0x7f) << BigInt(7 * index)
      if (byte < 0x80) break
      byte = this.bytes[this.take(1)]!
      if (index === 8 && byte > 1) throw new Error('a number has more than 64 bits')
    }
    return exact(value)
  }

  readTag(): number {
    const tag = this.readVarint()
    if (tag < 8 || tag >= 2 ** 32) throw new Error('found no tag of a field')
    return Number(tag)
  }

  readLength(): number {
    const length = this.readVarint()
    if (typeof length === 'bigint') throw new Error('impossible length')
    return length
  }

  /** The start of so many bytes, which are stepped over. */
  take(size: number): number {
    const start = this.at
    if (size > this.end - start) throw new Error('the body ends inside a field')
    this.at = start + size
    return start
  }

  skip(wireType: number, number: number): void {
    if (wireType === wire.varint) this.readVarint()
    else if (wireType === wire.eight) this.take(8)
    else if (wireType === wire.four) this.take(4)
    else if (wireType === wire.bytes) this.take(this.readLength())
    else if (wireType === wire.group) this.#skipGroup(number)
    else throw new Error('found a wire type that is none')
  }

  #skipGroup(number: number): void {
    this.enter()
    for (;;) {
      const tag = this.readTag()
      if (tag % 8 !== wire.groupEnd) this.skip(tag % 8, tag >>> 3)
      else if (tag >>> 3 === number) break
      else throw new Error('found the end of another group')
    }
    this.leave()
  }

  enter(): void {
    if (++this.#depth > depthMax) throw new Error('the value is nested too deeply')
  }

  leave(): void {
    this.#depth--
  }
}

export type Scalar = {
  readonly wireType: number
  readonly read: (cursor: ProtoCursor) => unknown
  /** What an absent one is, where absence is not told apart. */
  readonly zero: unknown
}

const exact = (value: bigint): number | bigint =>
  value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER ? Number(value) : value

const low32 = (value: number | bigint): number =>
  typeof value === 'number' ? value | 0 : Number(BigInt.asIntN(32, value))

const signed64 = (value: number | bigint): number | bigint =>
  typeof value === 'number' ? value : exact(BigInt.asIntN(64, value))

function unzigzag(value: number | bigint): number | bigint {
  if (typeof value === 'number') return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  return exact((value >> 1n) ^ -(value & 1n))
}

const varint = (read: (value: number | bigint) => unknown, zero: unknown = 0): Scalar => ({
  wireType: wire.varint,
  read: (cursor) => read(cursor.readVarint()),
  zero,
})
const eight = (read: (bytes: Buffer, at: number) => unknown): Scalar => ({
  wireType: wire.eight,
  read: (cursor) => read(cursor.bytes, cursor.take(8)),
  zero: 0,
})
const four = (read: (bytes: Buffer, at: number) => unknown): Scalar => ({
  wireType: wire.four,
  read: (cursor) => read(cursor.bytes, cursor.take(4)),
  zero: 0,
})

function readText(cursor: ProtoCursor): string {
  const start = cursor.take(cursor.readLength())
  return cursor.bytes.toString('utf8', start, cursor.at)
}

function readBytes(cursor: ProtoCursor): Buffer {
  const start = cursor.take(cursor.readLength())
  // A copy: the message's buffer is Kafka's, and larger.
  return Buffer.from(cursor.bytes.subarray(start, cursor.at))
}

/** As Google's parsers do, 32-bit numbers are the low half of what is on the wire. */
export const int32Of = low32

export const scalars: Readonly<Record<ScalarName, Scalar>> = {
  double: eight((bytes, at) => bytes.readDoubleLE(at)),
  float: four((bytes, at) => bytes.readFloatLE(at)),
  int32: varint(low32),
  int64: varint(signed64),
  uint32: varint((value) => low32(value) >>> 0),
  uint64: varint((value) => value),
  sint32: varint((value) => unzigzag(low32(value) >>> 0)),
  sint64: varint(unzigzag),
  fixed32: four((bytes, at) => bytes.readUInt32LE(at)),
  fixed64: eight((bytes, at) => exact(bytes.readBigUInt64LE(at))),
  sfixed32: four((bytes, at) => bytes.readInt32LE(at)),
  sfixed64: eight((bytes, at) => exact(bytes.readBigInt64LE(at))),
  bool: varint((value) => value !== 0, false),
  string: { wireType: wire.bytes, read: readText, zero: '' },
  bytes: { wireType: wire.bytes, read: readBytes, zero: Buffer.alloc(0) },
}
