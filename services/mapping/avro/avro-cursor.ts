// A place in an Avro body, and Avro's primitive values from there on.
//
//   int, long   zigzag varint, 7 bits a byte, the lowest first, at most 10 bytes
//   text, bytes a long (their length), then the bytes
//   array, map  blocks: a long (count; negative: a long more, the block's bytes), items; 0 ends
//
// In: bytes of strangers. Out: exact values: a long is a number, or a bigint where no double holds
// it. Refused (thrown): whatever leaves the bytes, forged lengths and counts, ints beyond 32 bits,
// nesting without end. Invariant: what a body costs is bounded by its own length, also where
// items have no size (null, empty records): all items of a body are as many as its bytes.

const depthMax = 500

/** What `toString` calls in the end; node's types leave it out. A third faster for short texts. */
type SlicedBuffer = Buffer & { utf8Slice(start: number, end: number): string }

export class AvroCursor {
  readonly bytes: SlicedBuffer
  at: number
  #itemsLeft: number
  #depth = 0

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes as SlicedBuffer
    this.at = at
    this.#itemsLeft = bytes.length - at
  }

  readLong(): number | bigint {
    const { bytes } = this
    let byte = bytes[this.at++]!
    let low = byte & 0x7f
    for (let shift = 7; byte >= 0x80 && shift < 28; shift += 7) {
      byte = bytes[this.at++]!
      low |= (byte & 0x7f) << shift
    }
    if (byte >= 0x80) return this.#readLongTail(low)
    // A byte behind the end is undefined, which ends the number.
    if (this.at > bytes.length) throw endsEarly()
    return (low >>> 1) ^ -(low & 1)
  }

  #readLongTail(low: number): number | bigint {
    const { bytes } = this
    let byte = 0x80
    let high = 0
    for (let shift = 0; byte >= 0x80 && shift < 28; shift += 7) {
      byte = bytes[this.at++]!
      high |= (byte & 0x7f) << shift
    }
    let top = 0
    if (byte >= 0x80) {
      byte = bytes[this.at++]!
      top = byte & 0x7f
      if (byte >= 0x80) {
        byte = bytes[this.at++]!
        if (byte > 1) throw new Error('a number has more than 64 bits')
        top += byte * 128
      }
    }
    if (this.at > bytes.length) throw endsEarly()
    const half = high * 2 ** 27 + (low >>> 1)
    const value = (low & 1) === 0 ? half : -half - 1
    if (top === 0 && Number.isSafeInteger(value)) return value
    const whole = (BigInt(top) << 56n) + (BigInt(high) << 28n) + BigInt(low)
    return (whole >> 1n) ^ -(whole & 1n)
  }

  skipLong(): void {
    for (let left = 10; left > 0; left--) {
      if (this.bytes[this.take(1)]! < 0x80) return
    }
    throw new Error('a number has more than 64 bits')
  }

  readInt(): number {
    const value = this.readLong()
    if (typeof value === 'bigint' || value !== (value | 0)) throw new Error('int out of range')
    return value
  }

  readBoolean(): boolean {
    const byte = this.bytes[this.take(1)]!
    if (byte > 1) throw new Error('a boolean is neither 0 nor 1')
    return byte === 1
  }

  readFloat(): number {
    return this.bytes.readFloatLE(this.take(4))
  }

  readDouble(): number {
    return this.bytes.readDoubleLE(this.take(8))
  }

  readText(): string {
    const length = this.#readLength()
    const start = this.take(length)
    return this.bytes.utf8Slice(start, this.at)
  }

  readBytes(size = this.#readLength()): Buffer {
    const start = this.take(size)
    // A copy: the message's buffer is Kafka's, and larger.
    return Buffer.from(this.bytes.subarray(start, this.at))
  }

  skipSized(): void {
    this.take(this.#readLength())
  }

  /** Which of so many choices: an enum's symbol, a union's branch. */
  readIndex(count: number): number {
    const index = this.readLong()
    if (typeof index === 'bigint' || index < 0 || index >= count) {
      throw new Error('an enum or a union has no such index')
    }
    return index
  }

  /**
   * Items of the next block; 0 = there is none. A block's size in bytes is not believed, also where
   * it could be stepped over: a body is read or refused whatever is wanted of it.
   */
  readCount(): number {
    const count = this.readLong()
    if (count >= 0) return this.#checkedCount(count)
    this.#readLength()
    return this.#checkedCount(-count)
  }

  /** The start of so many bytes, which are stepped over. */
  take(size: number): number {
    const start = this.at
    if (size > this.bytes.length - start) throw endsEarly()
    this.at = start + size
    return start
  }

  enter(): void {
    if (++this.#depth > depthMax) throw new Error('the value is nested too deeply')
  }

  leave(): void {
    this.#depth--
  }

  #readLength(): number {
    const length = this.readLong()
    if (typeof length === 'bigint' || length < 0) throw new Error('impossible length')
    return length
  }

  #checkedCount(count: number | bigint): number {
    if (typeof count === 'bigint' || count > this.#itemsLeft) throw new Error('impossible length')
    this.#itemsLeft -= count
    return count
  }
}

const endsEarly = (): Error => new Error('the body ends too early')
