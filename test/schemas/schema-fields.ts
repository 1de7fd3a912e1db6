// A schema's fields as rows, nested records included: what the tests judge and the page shows.

import { readSchema, type SchemaFile } from '../../services/adapters/registry/schema-files.ts'

type Schema = string | readonly Schema[] | NamedSchema
type NamedSchema = {
  readonly type: Schema
  readonly name?: string
  readonly doc?: string
  readonly logicalType?: string
  readonly items?: Schema
  readonly symbols?: readonly string[]
  readonly fields?: readonly FieldSchema[]
}
type FieldSchema = NamedSchema & { readonly name: string; readonly default?: unknown }

export type FieldRow = {
  /** `reasons[].feature` for a field of the records in the array `reasons`. */
  readonly path: string
  readonly type: string
  readonly default: string
  readonly doc: string | undefined
  /** The doc of the field's own record or enum; null where the type has no name. */
  readonly typeDoc: string | null | undefined
}

export type RecordPage = { readonly name: string; readonly doc: string | undefined }

export function readRecord(file: SchemaFile): RecordPage {
  const { name = '', doc } = JSON.parse(readSchema(file)) as NamedSchema
  return { name, doc }
}

export function readFields(file: SchemaFile): FieldRow[] {
  return rowsOf(JSON.parse(readSchema(file)) as NamedSchema, '')
}

function rowsOf(record: NamedSchema, prefix: string): FieldRow[] {
  return (record.fields ?? []).flatMap((field) => {
    const path = prefix + field.name
    const named = findNamed(field.type)
    const row: FieldRow = {
      path,
      type: typeText(field.type),
      default: 'default' in field ? JSON.stringify(field.default) : '',
      doc: field.doc,
      typeDoc: named === null ? null : named.doc,
    }
    const inner = `${path}${isArray(field.type) ? '[]' : ''}.`
    return [row, ...(named === null ? [] : rowsOf(named, inner))]
  })
}

const isUnion = (schema: Schema): schema is readonly Schema[] => Array.isArray(schema)
const isArray = (schema: Schema): boolean =>
  typeof schema === 'object' && !isUnion(schema) && schema.items !== undefined

/** The record or enum that is defined inside a field's type, if any. */
function findNamed(schema: Schema): NamedSchema | null {
  if (typeof schema === 'string') return null
  if (isUnion(schema)) return schema.map(findNamed).find((found) => found !== null) ?? null
  if (schema.items !== undefined) return findNamed(schema.items)
  return schema.name === undefined ? null : schema
}

function typeText(schema: Schema): string {
  if (typeof schema === 'string') return schema
  if (isUnion(schema)) return schema.map(typeText).join(' or ')
  if (schema.items !== undefined) return `array of ${typeText(schema.items)}`
  if (schema.symbols !== undefined) return `enum: ${schema.symbols.join(', ')}`
  if (schema.logicalType !== undefined) return `${typeText(schema.type)} (${schema.logicalType})`
  return schema.name ?? typeText(schema.type)
}
