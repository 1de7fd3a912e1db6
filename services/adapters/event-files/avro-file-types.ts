// avsc types that read an Avro file's records as raw values.
//
// In: the normal form of a file's schema. Out: a type whose values lose nothing: a long beyond 2^53
// is a bigint, decimals are ExactDecimals, timestamps Instants, dates and local timestamps
// LocalTimes, a union's value is that of its branch, bare. Arrays, maps and bytes are those of
// adapters/registry/avro-types.ts, which refuse forged lengths. Refused (thrown): schemas that avsc
// cannot parse. Invariant: these types read; nothing is written with them.

import avsc from 'avsc'
import { Instant } from '../../core/raw-values.ts'
import { parseSchema } from '../registry/avro-types.ts'
import type { NormalObject, NormalRecord, NormalSchema } from './avro-schema-text.ts'
import {
  decimalOfBytes,
  type StoredUnit,
  toInstantMs,
  toLocalDate,
  toLocalTime,
  toWhole,
} from './stored-values.ts'

/** avsc's cursor over a buffer; the part of its internal interface that types are built on. */
type Tap = { readonly buf: Buffer; pos: number; readLong(): number }
type Readable = { _read(tap: Tap): unknown }
type TypeOptions = NonNullable<Parameters<typeof avsc.Type.forSchema>[1]>

type StoredTime = { readonly unit: StoredUnit; readonly isInstant: boolean }

/** Reads the record that begins at a place of a buffer; `end` is behind it, -1 if it is cut. */
export type ReadRecord = (
  bytes: Buffer,
  at: number,
) => { readonly value: Readonly<Record<string, unknown>>; readonly end: number }

export function createRecordReader(schema: NormalRecord): ReadRecord {
  const type = avsc.Type.forSchema(schema as unknown as avsc.Schema, {
    omitRecordMethods: true,
    typeHook: chooseType as NonNullable<TypeOptions['typeHook']>,
  })
  return (bytes, at) => {
    const { value, offset } = type.decode(bytes, at)
    return { value, end: offset }
  }
}

/** Whether all values of a field are moments in time, or absent. */
export function isInstantField(schema: NormalSchema): boolean {
  if (!Array.isArray(schema)) return timeOf(schema)?.isInstant === true
  const branches = schema.filter((branch) => branch !== 'null')
  return branches.length === 1 && isInstantField(branches[0]!)
}

const bounded = (schema: unknown) => parseSchema(JSON.stringify(schema))
const boundedInt = bounded('int')
const boundedBytes = bounded('bytes')
const BoundedArray = bounded({ type: 'array', items: 'int' }).constructor as new (
  schema: unknown,
  options: TypeOptions,
) => avsc.Type
const BoundedMap = bounded({ type: 'map', values: 'int' }).constructor as typeof BoundedArray

/** avsc asks this for every schema that it meets, before it chooses a type of its own. */
function chooseType(schema: NormalSchema, options: TypeOptions): avsc.Type | undefined {
  if (Array.isArray(schema)) return new BareUnion(schema as unknown as avsc.Schema, options)
  const type = typeof schema === 'string' ? schema : schema.type
  if (type === 'long') return longType(schema)
  if (type === 'int') return isLogical(schema, 'date') ? dateType : boundedInt
  if (type === 'bytes') return isLogical(schema, 'decimal') ? decimalType(schema) : boundedBytes
  if (type === 'array') return new BoundedArray(schema, options)
  if (type === 'map') return new BoundedMap(schema, options)
  return type === 'fixed' ? fixedType(schema as NormalObject, options) : undefined
}

const isLogical = (schema: NormalSchema, name: string): schema is NormalObject =>
  typeof schema === 'object' && !Array.isArray(schema) && schema.logicalType === name

const units: Readonly<Record<string, StoredUnit>> = {
  millis: 'millis',
  micros: 'micros',
  nanos: 'nanos',
}

function timeOf(schema: NormalSchema): StoredTime | null {
  if (typeof schema === 'string' || Array.isArray(schema) || schema.type !== 'long') return null
  const [, local, name] = /^(local-)?timestamp-(\w+)$/.exec(String(schema.logicalType)) ?? []
  const unit = name === undefined ? undefined : units[name]
  if (unit === undefined) return null
  // Iceberg has no local timestamps, but this.
  return { unit, isInstant: local === undefined && schema['adjust-to-utc'] !== false }
}

function longType(schema: NormalSchema): avsc.Type {
  const time = timeOf(schema)
  if (time === null) return exactLong
  const { unit, isInstant } = time
  return createLong((value) =>
    isInstant ? new Instant(toInstantMs(value, unit)) : toLocalTime(value, unit),
  )
}

/** avsc freezes its types as it makes them, so what one converts with stands outside of it. */
function createLong(convert: (value: number | bigint) => unknown): avsc.Type {
  class ConvertedLong extends avsc.types.LongType {
    _read(tap: Tap): unknown {
      return convert(readLong(tap))
    }
  }
  return new ConvertedLong()
}

const exactLong = createLong((value) => value)

class DateType extends avsc.types.IntType {
  _read(tap: Tap): unknown {
    return toLocalDate(readWith(boundedInt, tap) as number)
  }
}
const dateType = new DateType()

function decimalType(schema: NormalObject): avsc.Type {
  const scale = Number(schema.scale ?? 0)
  class DecimalBytes extends avsc.types.BytesType {
    _read(tap: Tap): unknown {
      return decimalOfBytes(readWith(boundedBytes, tap) as Buffer, scale)
    }
  }
  return new DecimalBytes()
}

function fixedType(schema: NormalObject, options: TypeOptions): avsc.Type {
  const { logicalType, size } = schema
  const scale = Number(schema.scale ?? 0)
  const isUuid = logicalType === 'uuid' && size === 16
  class ConvertedFixed extends avsc.types.FixedType {
    _read(tap: Tap): unknown {
      const start = tap.pos
      tap.pos += this.size
      if (tap.pos > tap.buf.length) throw new Error('a value ends behind its block')
      const bytes = Buffer.from(tap.buf.subarray(start, tap.pos))
      if (logicalType === 'decimal') return decimalOfBytes(bytes, scale)
      return isUuid ? uuidOf(bytes) : bytes
    }
  }
  const Converted = ConvertedFixed as unknown as typeof BoundedArray
  return new Converted(schema, options)
}

const uuidOf = (bytes: Buffer): string =>
  bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')

class BareUnion extends avsc.types.WrappedUnionType {
  _read(tap: Tap): unknown {
    const branch = this.types[tap.readLong()]
    if (branch === undefined) throw new Error('a union has no such branch')
    return readWith(branch, tap)
  }
}

const readWith = (type: avsc.Type, tap: Tap): unknown => (type as unknown as Readable)._read(tap)

/** Zigzag of a number of this size still fits a double, and avsc's sum of its parts is exact. */
const surelyExact = 2 ** 51

function readLong(tap: Tap): number | bigint {
  const start = tap.pos
  const value = tap.readLong()
  if (value > -surelyExact && value < surelyExact) return value
  const size = tap.pos - start
  if (size > 10) throw new Error('a number has more than 64 bits')
  let zigzag = 0n
  for (let at = 0; at < size; at++) {
    zigzag |= BigInt(tap.buf[start + at]! & 0x7f) << BigInt(7 * at)
  }
  return toWhole(BigInt.asIntN(64, (zigzag >> 1n) ^ -(zigzag & 1n)))
}
