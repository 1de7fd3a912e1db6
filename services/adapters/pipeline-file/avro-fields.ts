// The fields of an Avro record schema, reduced to what the pipeline's rules ask about.
//
// Comes in: a schema as JSON (schemas/transaction.avsc, schemas/label.avsc). Goes out: per field
// its type and whether it may be absent. What may be refused: a schema that is not a record is our
// own mistake, since the schemas are part of the repository.

import { readFileSync } from 'node:fs'
import { assertInvariant } from '../../core/errors.ts'
import { nearestName } from '../../core/nearest-name.ts'
import { type Fault, quote, suggest } from './pipeline-fault.ts'

type FieldType = 'text' | 'integer' | 'float' | 'boolean' | 'time' | 'other'

type AvroField = {
  readonly type: FieldType
  /** The type as the schema names it, for messages. */
  readonly avroType: string
  readonly isOptional: boolean
}

export type AvroFields = ReadonlyMap<string, AvroField>

const fieldTypes: Readonly<Record<string, FieldType>> = {
  string: 'text',
  enum: 'text',
  int: 'integer',
  long: 'integer',
  float: 'float',
  double: 'float',
  boolean: 'boolean',
}

/** The JSON of one of the shipped schemas: `transaction`, `label`. */
export function readShippedSchema(name: string): unknown {
  const url = new URL(`../../../schemas/${name}.avsc`, import.meta.url)
  return JSON.parse(readFileSync(url, 'utf8'))
}

export function readAvroFields(schema: unknown): AvroFields {
  const { fields } = schema as { readonly fields?: readonly { name: string; type: unknown }[] }
  assertInvariant(Array.isArray(fields), 'The Avro schema of an input is not a record.')
  return new Map(fields.map((field) => [field.name, readType(field.type)]))
}

function readType(type: unknown): AvroField {
  if (Array.isArray(type)) {
    const present = type.filter((member) => member !== 'null')
    const only = present.length === 1 ? readType(present[0]) : otherField('union')
    return { ...only, isOptional: present.length < type.length }
  }
  if (typeof type === 'string') {
    const known = fieldTypes[type]
    return known === undefined
      ? otherField(type)
      : { type: known, avroType: type, isOptional: false }
  }
  const { type: inner, logicalType } = type as { type: unknown; logicalType?: string }
  if (logicalType === undefined) return readType(inner)
  const isTime = /^(timestamp|date|time|local-timestamp)/.test(logicalType)
  if (isTime) return { type: 'time', avroType: logicalType, isOptional: false }
  return logicalType === 'uuid' ? readType(inner) : otherField(logicalType)
}

const otherField = (avroType: string): AvroField => ({ type: 'other', avroType, isOptional: false })

/** Whether the field exists; rules about types pass over fields that do not. */
export function checkField(
  field: string,
  fields: AvroFields,
): Pick<Fault, 'found' | 'expected' | 'hint'> | null {
  if (fields.has(field)) return null
  const names = [...fields.keys()]
  return {
    found: `unknown field ${quote(field)}`,
    expected: `a field of the Avro schema (${names.join(', ')})`,
    ...suggest(nearestName(field, names)),
  }
}
