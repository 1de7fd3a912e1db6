// The schema of an Avro file, as far as reading needs it.
//
// In: a schema's text, as any library wrote it. Out: the same types without defaults, aliases and
// documentation, with names that avsc takes. A file's own schema is written with, so defaults and
// aliases have no part in reading it, and Java has let wrong ones pass; namespaces of Java may have
// $ and -. Refused (thrown): what is no JSON, or no record at its top. Invariant: fields and
// symbols keep their names, order and types.

export type NormalSchema = string | NormalSchema[] | NormalObject
export type NormalObject = { readonly type: string; readonly [key: string]: unknown }
export type NormalRecord = NormalObject & { readonly fields: readonly NormalField[] }
type NormalField = { readonly name: string; readonly type: NormalSchema }

const kept = ['logicalType', 'precision', 'scale', 'adjust-to-utc', 'size', 'symbols'] as const

export function normalizeSchema(text: string): NormalRecord {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new Error('the schema of the file is no JSON', { cause })
  }
  const schema = normalize(json)
  if (!isObject(schema) || schema.type !== 'record') {
    throw new Error('found a schema that is no record, expected a record per event')
  }
  return schema as unknown as NormalRecord
}

function normalize(schema: unknown): NormalSchema {
  if (typeof schema === 'string') return plainName(schema)
  if (Array.isArray(schema)) return schema.map(normalize)
  if (!isObject(schema)) throw new Error('the schema of the file has a type that is none')
  const { type } = schema
  // A type within a type, as some libraries write it.
  if (typeof type !== 'string') return normalize(type)
  const found: Record<string, unknown> = { type: plainName(type === 'error' ? 'record' : type) }
  for (const key of kept) if (schema[key] !== undefined) found[key] = schema[key]
  for (const key of ['name', 'namespace']) {
    if (typeof schema[key] === 'string') found[key] = plainName(schema[key])
  }
  if (type === 'array') found.items = normalize(schema.items)
  if (type === 'map') found.values = normalize(schema.values)
  if (Array.isArray(schema.fields)) found.fields = schema.fields.map(normalizeField)
  return isReference(found) ? (found.type as string) : (found as NormalObject)
}

function normalizeField(field: unknown): NormalField {
  if (!isObject(field) || typeof field.name !== 'string') {
    throw new Error('the schema of the file has a field without a name')
  }
  return { name: field.name, type: normalize(field.type) }
}

/** `{"type": "com.bank.Merchant"}`, which avsc would take for a definition. */
const isReference = (found: Readonly<Record<string, unknown>>): boolean =>
  Object.keys(found).length === 1 && found.type !== 'record'

/** One and the same for all places of a name. */
const plainName = (name: string): string => name.replace(/[^A-Za-z0-9_.]/g, '_')

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
