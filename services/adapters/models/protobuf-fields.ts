// The fields of one protobuf message, one by one, without a schema and without copying anything.
//
// In: bytes and the part of them that is the message. Out: a call for each field with its number
// and either its number's value or the part of the bytes that it is. Groups, which no ONNX exporter
// writes, are refused. Refused, as an Error: bytes that are no protocol buffer, or that end inside
// a field. Invariants: nothing is read outside the part, every step goes forward, and what Google's
// parser would read differently is refused instead: tags and lengths that do not fit 32 bits.

const wire = { varint: 0, eight: 1, bytes: 2, four: 5 } as const

/** Bytes of a varint that the parser takes: of a value, and of a tag or a length. */
const valueBytesMax = 10
const tagBytesMax = 5

/** A field that is a number has no part: from = to. */
type FieldVisitor = (number: number, value: number, from: number, to: number) => void

export function visitFields(bytes: Uint8Array, from: number, to: number, visit: FieldVisitor) {
  let at = from
  const readVarint = (bytesMax: number): number => {
    let value = 0
    for (let index = 0; index < bytesMax; index++) {
      if (at >= to) throw new Error('it ends inside a field')
      const byte = bytes[at++]!
      value += (byte & 0x7f) * 2 ** (7 * index)
      if (byte < 0x80) return value
    }
    throw new Error('it is no protocol buffer')
  }
  const stepOver = (length: number): number => {
    if (length > to - at) throw new Error('it ends inside a field')
    at += length
    return at - length
  }
  while (at < to) {
    const tag = readVarint(tagBytesMax)
    const number = Math.floor(tag / 8)
    const kind = tag % 8
    if (number === 0 || tag >= 2 ** 32) throw new Error('it is no protocol buffer')
    if (kind === wire.varint) visit(number, readVarint(valueBytesMax), at, at)
    else if (kind === wire.bytes) {
      const start = stepOver(readVarint(tagBytesMax))
      visit(number, 0, start, at)
    } else if (kind === wire.eight) stepOver(8)
    else if (kind === wire.four) stepOver(4)
    else throw new Error('it is no protocol buffer')
  }
}
