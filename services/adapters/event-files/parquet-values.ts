// What the cells of a Parquet column are, by the file's schema.
//
//   file ─hyparquet, which sees stored types alone─► stored values ─here─► raw values
//
// hyparquet makes doubles of decimals and treats times with and without a zone alike, so it is
// shown a schema without those annotations. In: a file's schema. Out: the schema for hyparquet, and
// per column what turns its cells into raw values. Invariants: decimals and whole numbers keep all
// digits; a column without a converter is as hyparquet gives it; VARIANT and geometry are left to
// hyparquet.

import { isUtf8 } from 'node:buffer'
import type { FileMetaData, SchemaElement, SchemaTree } from 'hyparquet'
import { ExactDecimal, Instant } from '../../core/raw-values.ts'
import {
  decimalOfBytes,
  type StoredUnit,
  toInstantMs,
  toLocalDate,
  toLocalTime,
  toWhole,
} from './stored-values.ts'

type Convert = (cell: unknown) => unknown

type StoredTime = { readonly unit: StoredUnit; readonly isInstant: boolean }

export type ColumnReading = {
  /** Null where cells are as they should be. Never asked for null or undefined. */
  readonly convert: Convert | null
  /** Whether its numbers are ms since the epoch. */
  readonly isInstant: boolean
}

/** The schema without what hyparquet would convert by itself; for `utf8: false`. */
export function showStored(metadata: FileMetaData, tree: SchemaTree): FileMetaData {
  const left = new Set<SchemaElement>()
  for (const child of tree.children) collectVariants(child, left)
  const schema = metadata.schema.map((element) => (left.has(element) ? element : strip(element)))
  return { ...metadata, schema }
}

function collectVariants(node: SchemaTree, found: Set<SchemaElement>): void {
  if (isVariant(node.element)) {
    for (const element of elementsOf(node)) found.add(element)
  } else for (const child of node.children) collectVariants(child, found)
}

const isVariant = (element: SchemaElement): boolean => element.logical_type?.type === 'VARIANT'

const elementsOf = (node: SchemaTree): SchemaElement[] => [
  node.element,
  ...node.children.flatMap(elementsOf),
]

function strip(element: SchemaElement): SchemaElement {
  const { converted_type, logical_type, ...stored } = element
  if (element.num_children !== undefined && element.num_children > 0) return element
  if (isDecimal(element) || isDate(element) || timeOf(element) !== null) return stored
  // Text that says so in another way: hyparquet would parse JSON, and round its numbers.
  const isText =
    ['ENUM', 'JSON'].includes(converted_type ?? '') ||
    ['ENUM', 'JSON'].includes(logical_type?.type ?? '')
  return isText ? { ...stored, converted_type: 'UTF8' } : element
}

/** @param node a child of the schema's root, as the file has it. */
export function readingOf(node: SchemaTree): ColumnReading {
  const { element } = node
  const time = timeOf(element)
  const isFlat = node.children.length === 0 && element.repetition_type !== 'REPEATED'
  if (isFlat && time?.isInstant) {
    return { convert: (cell) => toInstantMs(cell as bigint, time.unit), isInstant: true }
  }
  return { convert: isFlat ? leafConverter(element) : treeConverter(node), isInstant: false }
}

const isDecimal = ({ converted_type, logical_type }: SchemaElement): boolean =>
  converted_type === 'DECIMAL' || logical_type?.type === 'DECIMAL'

const isDate = ({ converted_type, logical_type }: SchemaElement): boolean =>
  converted_type === 'DATE' || logical_type?.type === 'DATE'

const units = { MILLIS: 'millis', MICROS: 'micros', NANOS: 'nanos' } as const

function timeOf({ type, converted_type, logical_type }: SchemaElement): StoredTime | null {
  if (logical_type?.type === 'TIMESTAMP') {
    return { unit: units[logical_type.unit], isInstant: logical_type.isAdjustedToUTC }
  }
  if (converted_type === 'TIMESTAMP_MILLIS') return { unit: 'millis', isInstant: true }
  if (converted_type === 'TIMESTAMP_MICROS') return { unit: 'micros', isInstant: true }
  // Of old Spark and Hive; hyparquet gives what its nanosecond parser makes of it.
  return type === 'INT96' ? { unit: 'nanos', isInstant: true } : null
}

function leafConverter(element: SchemaElement): Convert | null {
  const time = timeOf(element)
  if (time?.isInstant) return (cell) => new Instant(toInstantMs(cell as bigint, time.unit))
  if (time !== null) return (cell) => toLocalTime(cell as bigint, time.unit)
  if (isDate(element)) return (cell) => toLocalDate(cell as number)
  if (isDecimal(element)) return decimalConverter(scaleOf(element))
  if (element.type === 'INT64') return (cell) => toWhole(cell as bigint)
  const isBare = element.converted_type === undefined && element.logical_type === undefined
  return isBare && element.type === 'BYTE_ARRAY' ? (cell) => textOrBytes(cell as Uint8Array) : null
}

const scaleOf = ({ scale, logical_type }: SchemaElement): number =>
  (logical_type?.type === 'DECIMAL' ? logical_type.scale : scale) ?? 0

const decimalConverter =
  (scale: number): Convert =>
  (cell) =>
    cell instanceof Uint8Array
      ? decimalOfBytes(cell, scale)
      : new ExactDecimal(BigInt(cell as number | bigint), scale)

/** Old writers leave text unmarked; bytes that are no text stay bytes, so that none become one. */
const textOrBytes = (bytes: Uint8Array): string | Uint8Array =>
  isUtf8(bytes) ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString() : bytes

/** For values below lists, maps and structs, as hyparquet puts them together. */
function treeConverter(node: SchemaTree): Convert | null {
  const convert = isVariant(node.element) ? null : bareConverter(node)
  if (convert === null) return null
  const through: Convert = (value) => {
    if (value === null || value === undefined) return value
    return Array.isArray(value) ? value.map(through) : convert(value)
  }
  return through
}

function bareConverter(node: SchemaTree): Convert | null {
  if (node.children.length === 0) return leafConverter(node.element)
  const [only] = node.children
  if (isGroupOf(node, 'LIST') && only!.children.length <= 1) {
    return treeConverter(only!.children[0] ?? only!)
  }
  if (isGroupOf(node, 'MAP') && only!.children.length === 2) {
    const convert = treeConverter(only!.children[1]!)
    return convert === null
      ? null
      : (map) => Object.fromEntries(Object.entries(map as object).map(([k, v]) => [k, convert(v)]))
  }
  return structConverter(node)
}

const isGroupOf = ({ element, children }: SchemaTree, type: 'LIST' | 'MAP'): boolean =>
  element.converted_type === type &&
  children.length === 1 &&
  children[0]!.element.repetition_type === 'REPEATED'

function structConverter(node: SchemaTree): Convert | null {
  const converters = new Map<string, Convert>()
  for (const child of node.children) {
    const convert = treeConverter(child)
    if (convert !== null) converters.set(child.element.name, convert)
  }
  if (converters.size === 0) return null
  return (struct) =>
    Object.fromEntries(
      Object.entries(struct as object).map(([k, v]) => [k, converters.get(k)?.(v) ?? v]),
    )
}
