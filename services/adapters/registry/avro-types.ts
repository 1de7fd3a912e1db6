// avsc types with ceilings: a schema's text in, a type that reads hostile bytes safely out.
//
// avsc trusts the counts and lengths that it reads. A few forged bytes make it loop 2^53 times,
// jump backwards for ever, or (a NaN length) break its own buffer pool for all later events; and an
// `int` is read without its range. The types below refuse such figures by throwing, which the
// decoder turns into a fault, so one bad event costs no more than its own bytes. Arrays also take
// rows of a Float32Array or Float64Array, so that a vector is written without being copied into an
// array. Invariant: what these types write is byte for byte what avsc's own types write.

import avsc from 'avsc'

/** avsc's cursor over a buffer; the part of its internal interface that types are built on. */
type Tap = {
  readonly buf: Buffer
  pos: number
  readLong(): number
  writeLong(value: number): void
  writeFloat(value: number): void
}
type Item = {
  readonly typeName: string
  _read(tap: Tap): unknown
  _skip(tap: Tap): void
  _write(tap: Tap, value: unknown): void
}
type ItemOwner = { readonly itemsType: unknown }
type ValueOwner = { readonly valuesType: unknown }

const intMax = 2 ** 31 - 1

/**
 * Items of no size (null, empty records) could still come in billions: one per byte that is left.
 */
function checkedCount(tap: Tap, count: number): number {
  if (!(count >= 0 && count <= tap.buf.length - tap.pos)) throw new Error('impossible length')
  return count
}

/** Reads the count of the next block; 0 ends an array or map. */
function blockCount(tap: Tap): number {
  const count = tap.readLong()
  if (count >= 0) return checkedCount(tap, count)
  checkedCount(tap, tap.readLong())
  return checkedCount(tap, -count)
}

/** Not `tap.pos += ...readLong()`: the old position would be read before readLong moves it. */
function skipSized(tap: Tap): void {
  const size = checkedCount(tap, tap.readLong())
  tap.pos += size
}

function skipBlocks(tap: Tap, skipItem: () => void): void {
  for (let count = tap.readLong(); count !== 0; count = tap.readLong()) {
    if (count < 0) skipSized(tap)
    else for (let left = checkedCount(tap, count); left > 0; left--) skipItem()
  }
}

function readText(tap: Tap): string {
  const length = checkedCount(tap, tap.readLong())
  const start = tap.pos
  tap.pos += length
  return tap.buf.toString('utf8', start, tap.pos)
}

class BoundedInt extends avsc.types.IntType {
  _read(tap: Tap): number {
    const value = tap.readLong()
    if (!(value >= -intMax - 1 && value <= intMax)) throw new Error('int out of range')
    return value
  }
}

class BoundedBytes extends avsc.types.BytesType {
  _read(tap: Tap): Buffer {
    const length = checkedCount(tap, tap.readLong())
    const start = tap.pos
    tap.pos += length
    return Buffer.from(tap.buf.subarray(start, tap.pos))
  }
}

class BoundedArray extends avsc.types.ArrayType {
  // `this` is the type, or avsc's resolver from a writer's type: both have itemsType.
  _read(this: ItemOwner, tap: Tap): unknown[] {
    const item = this.itemsType as Item
    const values: unknown[] = []
    for (let count = blockCount(tap); count > 0; count = blockCount(tap)) {
      for (let left = count; left > 0; left--) values.push(item._read(tap))
    }
    return values
  }

  _skip(tap: Tap): void {
    const item = this.itemsType as unknown as Item
    skipBlocks(tap, () => item._skip(tap))
  }

  _check(value: unknown, ...rest: unknown[]): boolean {
    const check = avsc.types.ArrayType.prototype as unknown as {
      _check(value: unknown, ...rest: unknown[]): boolean
    }
    return check._check.call(this, isRow(value) ? Array.from(value) : value, ...rest)
  }

  _write(tap: Tap, value: unknown): void {
    if (!Array.isArray(value) && !isRow(value)) throw new Error('not an array')
    const item = this.itemsType as unknown as Item
    const count = value.length
    if (count > 0) tap.writeLong(count)
    if (value instanceof Float32Array && item.typeName === 'float') {
      for (let index = 0; index < count; index++) tap.writeFloat(value[index]!)
    } else {
      for (let index = 0; index < count; index++) item._write(tap, value[index])
    }
    tap.writeLong(0)
  }
}

class BoundedMap extends avsc.types.MapType {
  _read(this: ValueOwner, tap: Tap): Record<string, unknown> {
    const valueType = this.valuesType as Item
    const values: [string, unknown][] = []
    for (let count = blockCount(tap); count > 0; count = blockCount(tap)) {
      for (let left = count; left > 0; left--) values.push([readText(tap), valueType._read(tap)])
    }
    return Object.fromEntries(values)
  }

  _skip(tap: Tap): void {
    const valueType = this.valuesType as Item
    skipBlocks(tap, () => {
      skipSized(tap)
      valueType._skip(tap)
    })
  }
}

function isRow(value: unknown): value is Float32Array | Float64Array {
  return value instanceof Float32Array || value instanceof Float64Array
}

type TypeOptions = NonNullable<Parameters<typeof avsc.Type.forSchema>[1]>

const boundedInt = new BoundedInt()
const boundedBytes = new BoundedBytes()

/** avsc asks this for every schema that it meets, before it chooses a type of its own. */
function chooseBounded(schema: unknown, options: TypeOptions): avsc.Type | undefined {
  const { type } = typeof schema === 'string' ? { type: schema } : (schema as { type: unknown })
  if (type === 'int') return boundedInt
  if (type === 'bytes') return boundedBytes
  if (type === 'array') return new BoundedArray(schema as avsc.Type, options)
  if (type === 'map') return new BoundedMap(schema as avsc.Type, options)
  return undefined
}

/** Logical types are left to their base: timestamp-millis is a plain number of ms, never a Date. */
export function parseSchema(schemaText: string): avsc.Type {
  return avsc.Type.forSchema(JSON.parse(schemaText), {
    omitRecordMethods: true,
    typeHook: chooseBounded as NonNullable<TypeOptions['typeHook']>,
  })
}
