// From a node of a schema to functions that read a whole value of it, or step over one.
//
// In: nodes, and later a cursor. Out of a reader: texts, exact numbers, flags, Buffers, what
// logical types mean, and records and maps as objects without a prototype. Refused (thrown):
// whatever the cursor refuses. Invariants: both leave the cursor behind the value; each node's
// functions are built once, and a type that contains itself is read only as deep as the cursor
// lets it.

import type { ExactDecimal } from '../../../core/raw-values.ts'
import type { AvroCursor } from './avro-cursor.ts'
import type { AvroNode, RecordNode } from './avro-schema.ts'
import { decimalOf } from './source-times.ts'

type Read = (cursor: AvroCursor) => unknown
export type Skip = (cursor: AvroCursor) => void

const readers = new WeakMap<AvroNode, Read>()
const skippers = new WeakMap<AvroNode, Skip>()

export const readerOf = (node: AvroNode): Read => builtOnce(readers, node, buildReader)
export const skipperOf = (node: AvroNode): Skip => builtOnce(skippers, node, buildSkipper)

function builtOnce<F extends Read | Skip>(
  built: WeakMap<AvroNode, F>,
  node: AvroNode,
  build: (node: AvroNode) => F,
): F {
  const known = built.get(node)
  if (known !== undefined) return known
  // What asks for a record while it is being built is a part of it: it looks the rest up later.
  if (node.kind === 'record') {
    built.set(node, ((cursor: AvroCursor) => {
      cursor.enter()
      const value = built.get(node)!(cursor)
      cursor.leave()
      return value
    }) as F)
  }
  const made = build(node)
  built.set(node, made)
  return made
}

const skipNothing: Skip = () => {}

function buildSkipper(node: AvroNode): Skip {
  switch (node.kind) {
    case 'null':
      return skipNothing
    case 'boolean':
      return (cursor) => cursor.take(1)
    case 'int':
    case 'long':
    case 'enum':
      return (cursor) => cursor.skipLong()
    case 'float':
      return (cursor) => cursor.take(4)
    case 'double':
      return (cursor) => cursor.take(8)
    case 'bytes':
    case 'string':
      return (cursor) => cursor.skipSized()
    case 'fixed':
      return (cursor) => cursor.take(node.size)
    case 'union':
      return skipUnion(node.branches.map(skipperOf))
    case 'array':
      return skipBlocks(skipperOf(node.items))
    case 'map':
      return skipEntries(skipperOf(node.items))
    case 'record':
      return skipFields(node)
  }
}

function skipUnion(branches: readonly Skip[]): Skip {
  return (cursor) => branches[cursor.readIndex(branches.length)]!(cursor)
}

function skipBlocks(skipItem: Skip): Skip {
  return (cursor) => {
    for (let count = cursor.readCount(); count > 0; count = cursor.readCount()) {
      for (let left = count; left > 0; left--) skipItem(cursor)
    }
  }
}

function skipEntries(skipItem: Skip): Skip {
  return skipBlocks((cursor) => {
    cursor.skipSized()
    skipItem(cursor)
  })
}

function skipFields(node: RecordNode): Skip {
  const skips = node.fields.map((field) => skipperOf(field.node)).filter((s) => s !== skipNothing)
  if (skips.length === 0) return skipNothing
  return (cursor) => {
    for (let index = 0; index < skips.length; index++) skips[index]!(cursor)
  }
}

function buildReader(node: AvroNode): Read {
  switch (node.kind) {
    case 'union':
      return readUnion(node.branches.map(readerOf))
    case 'array':
      return readArray(readerOf(node.items))
    case 'map':
      return readMap(readerOf(node.items))
    case 'record':
      return readRecord(node)
    case 'enum':
      return (cursor) => node.symbols[cursor.readIndex(node.symbols.length)]
    default: {
      const read = readScalar(node)
      const convert = node.convert as ((value: unknown) => unknown) | null
      return convert === null ? read : (cursor) => convert(read(cursor))
    }
  }
}

function readScalar(node: Extract<AvroNode, { readonly convert: unknown }>): Read {
  switch (node.kind) {
    case 'null':
      return () => null
    case 'boolean':
      return (cursor) => cursor.readBoolean()
    case 'int':
      return (cursor) => cursor.readInt()
    case 'long':
      return (cursor) => cursor.readLong()
    case 'float':
      return (cursor) => cursor.readFloat()
    case 'double':
      return (cursor) => cursor.readDouble()
    case 'bytes':
      return (cursor) => cursor.readBytes()
    case 'string':
      return (cursor) => cursor.readText()
    case 'fixed':
      return (cursor) => cursor.readBytes(node.size)
  }
}

function readUnion(branches: readonly Read[]): Read {
  return (cursor) => branches[cursor.readIndex(branches.length)]!(cursor)
}

function readArray(readItem: Read): Read {
  return (cursor) => {
    const items: unknown[] = []
    for (let count = cursor.readCount(); count > 0; count = cursor.readCount()) {
      for (let left = count; left > 0; left--) items.push(readItem(cursor))
    }
    return items
  }
}

function readMap(readItem: Read): Read {
  return (cursor) => {
    const entries = Object.create(null) as Record<string, unknown>
    for (let count = cursor.readCount(); count > 0; count = cursor.readCount()) {
      for (let left = count; left > 0; left--) entries[cursor.readText()] = readItem(cursor)
    }
    return entries
  }
}

function readRecord(node: RecordNode): Read {
  const fields = node.fields.map(({ name, node: type }) => ({ name, read: readerOf(type) }))
  const read = (cursor: AvroCursor): Record<string, unknown> => {
    const record = Object.create(null) as Record<string, unknown>
    for (const field of fields) record[field.name] = field.read(cursor)
    return record
  }
  if (node.connectName !== 'io.debezium.data.VariableScaleDecimal') return read
  return (cursor) => variableScaleDecimal(read(cursor))
}

/** A decimal whose column has no scale: each value brings its own. */
function variableScaleDecimal(record: Record<string, unknown>): unknown {
  const { scale, value } = record
  if (typeof scale !== 'number' || !Buffer.isBuffer(value)) return record
  const decimal: ExactDecimal = decimalOf(value, scale)
  return decimal
}
