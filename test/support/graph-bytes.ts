// ONNX graphs made in a test, field by field, so that nothing about them is hidden in a binary.
//
// In: nodes, tensors and graphs as plain calls. Out: the bytes of onnx.proto's messages. Only what
// the tests ask for is here; a field that no exporter writes is added with `field` by its number.

export type Bytes = Uint8Array

const varint = (value: number): number[] => {
  const bytes: number[] = []
  let rest = value
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) + 0x80)
    rest = Math.floor(rest / 0x80)
  }
  return [...bytes, rest]
}

export const join = (...parts: readonly Bytes[]): Bytes => Buffer.concat(parts)

/** A number as a varint, anything else with its length before it. */
export const field = (number: number, value: number | string | Bytes): Bytes => {
  if (typeof value === 'number') return Buffer.from([...varint(number * 8), ...varint(value)])
  const content = Buffer.from(value as Bytes)
  return Buffer.concat([
    Buffer.from([...varint(number * 8 + 2), ...varint(content.length)]),
    content,
  ])
}

const fields = (number: number, values: readonly (number | string | Bytes)[]): Bytes =>
  join(...values.map((value) => field(number, value)))

const FLOAT = 1
const INT64 = 7
const DOUBLE = 11
const elementTypes = { float: FLOAT, int64: INT64, double: DOUBLE } as const
type ElementType = keyof typeof elementTypes

const rawOf = (type: ElementType, values: readonly number[]): Bytes => {
  if (type === 'float') return Buffer.from(Float32Array.from(values).buffer)
  if (type === 'double') return Buffer.from(Float64Array.from(values).buffer)
  return Buffer.from(BigInt64Array.from(values.map(BigInt)).buffer)
}

export type TensorOptions = { readonly type?: ElementType; readonly dims?: readonly number[] }

export const tensor = (
  name: string,
  values: readonly number[],
  { type = 'float', dims = [values.length] }: TensorOptions = {},
): Bytes =>
  join(fields(1, dims), field(2, elementTypes[type]), field(8, name), field(9, rawOf(type, values)))

const entry = (key: string, value: string): Bytes => join(field(1, key), field(2, value))

/** A float tensor whose bytes lie in a file beside the graph. */
export const externalTensor = (name: string, count: number, location: string): Bytes =>
  join(
    field(1, count),
    field(2, FLOAT),
    field(8, name),
    ...[entry('location', location), entry('offset', '0'), entry('length', `${4 * count}`)].map(
      (one) => field(13, one),
    ),
    field(14, 1),
  )

const attributeTypes = { i: [3, 2], t: [5, 4], g: [6, 5], sparse: [22, 11], ints: [8, 7] } as const

export const attribute = (
  name: string,
  kind: keyof typeof attributeTypes,
  value: number | Bytes | readonly number[],
): Bytes => {
  const [number, type] = attributeTypes[kind]
  const values = Array.isArray(value) ? (value as readonly number[]) : [value as number | Bytes]
  return join(field(1, name), fields(number, values), field(20, type))
}

export type NodeOptions = {
  readonly domain?: string
  readonly attributes?: readonly Bytes[]
}

export const node = (
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  { domain = '', attributes = [] }: NodeOptions = {},
): Bytes =>
  join(
    fields(1, inputs),
    fields(2, outputs),
    field(4, op),
    fields(5, attributes),
    domain === '' ? Buffer.alloc(0) : field(7, domain),
  )

const shapeOf = (dims: readonly (number | string)[]): Bytes =>
  join(...dims.map((dim) => field(1, typeof dim === 'number' ? field(1, dim) : field(2, dim))))

const tensorType = (type: ElementType, dims: readonly (number | string)[]): Bytes =>
  field(1, join(field(1, elementTypes[type]), field(2, shapeOf(dims))))

export const value = (
  name: string,
  dims: readonly (number | string)[],
  type: ElementType = 'float',
): Bytes => join(field(1, name), field(2, tensorType(type, dims)))

/** What ZipMap gives: a sequence of maps from a label to a number. */
export const mapsValue = (name: string): Bytes => {
  const map = field(5, join(field(1, INT64), field(2, tensorType('float', []))))
  return join(field(1, name), field(2, field(4, field(1, map))))
}

export type GraphParts = {
  readonly nodes: readonly Bytes[]
  readonly inputs?: readonly Bytes[]
  readonly outputs: readonly Bytes[]
  readonly tensors?: readonly Bytes[]
}

export const graph = ({ nodes, inputs = [], outputs, tensors = [] }: GraphParts): Bytes =>
  join(fields(1, nodes), field(2, 'g'), fields(5, tensors), fields(11, inputs), fields(12, outputs))

export type ModelOptions = {
  readonly opset?: number
  readonly irVersion?: number
  /** Other domains with their version. */
  readonly domains?: Readonly<Record<string, number>>
  /** More fields of ModelProto. */
  readonly more?: readonly Bytes[]
}

export const model = (
  graphBytes: Bytes,
  { opset = 17, irVersion = 8, domains = {}, more = [] }: ModelOptions = {},
): Bytes =>
  join(
    field(1, irVersion),
    field(7, graphBytes),
    ...Object.entries({ '': opset, ...domains }).map(([domain, version]) =>
      field(8, join(field(1, domain), field(2, version))),
    ),
    ...more,
  )
