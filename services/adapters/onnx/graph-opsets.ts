// The operator sets that a graph asks for, read from its bytes without opening it.
//
// In: an ONNX file. Out: version by domain; the standard domain, whose name is empty in the file, is ai.onnx.
// Of the ModelProto only this is read, everything else is stepped over:
//
//   ModelProto.opset_import = 8 (repeated message)    OperatorSetIdProto.domain = 1, version = 2
//
// Refused, as an Error: bytes that are no protocol buffer, or that end inside a field, and a file without any
// operator set. Invariant: nothing is read outside the bytes, and every step goes forward.

const opsetImport = 8
const wire = { varint: 0, eight: 1, bytes: 2, four: 5 } as const

type Field = {
  readonly number: number
  /** Of a number. */
  readonly value: number
  /** Of a string or message. */
  readonly bytes: Uint8Array
}

export function readOpsets(graph: Uint8Array): ReadonlyMap<string, number> {
  const opsets = new Map<string, number>()
  for (const { number, bytes } of fieldsOf(graph)) {
    if (number !== opsetImport) continue
    const own = [...fieldsOf(bytes)]
    const domain = own.find((field) => field.number === 1)?.bytes ?? new Uint8Array()
    const version = own.find((field) => field.number === 2)?.value ?? 0
    opsets.set(Buffer.from(domain).toString() || 'ai.onnx', version)
  }
  if (opsets.size === 0) throw new Error('it names no operator set, so it is no ONNX file')
  return opsets
}

function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  const none = new Uint8Array()
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let shift = 0; shift < 64; shift += 7) {
      const byte = bytes[at++]
      if (byte === undefined) throw new Error('it ends inside a field')
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw new Error('it is no protocol buffer')
  }
  const step = (length: number): Uint8Array => {
    if (at + length > bytes.length) throw new Error('it ends inside a field')
    at += length
    return bytes.subarray(at - length, at)
  }
  while (at < bytes.length) {
    const tag = varint()
    const number = Math.floor(tag / 8)
    const kind = tag % 8
    if (number === 0) throw new Error('it is no protocol buffer')
    if (kind === wire.varint) yield { number, value: varint(), bytes: none }
    else if (kind === wire.bytes) yield { number, value: 0, bytes: step(varint()) }
    else if (kind === wire.eight) yield { number, value: 0, bytes: step(8) }
    else if (kind === wire.four) yield { number, value: 0, bytes: step(4) }
    else throw new Error('it is no protocol buffer')
  }
}
