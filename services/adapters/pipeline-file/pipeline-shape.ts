// The shape of a pipeline file against schemas/pipeline.schema.json, in the words of its reader.
//
// Comes in: the plain value of the file. Goes out: a fault for every place where it differs from
// the JSON Schema that editors use too: unknown keys (with the nearest known one), missing keys,
// wrong types and values. What was expected is the `title` that the schema gives to the place.
// Meaning across places (does the entity exist, is the window long enough) is left to
// pipeline-rules.ts.

import { readFileSync } from 'node:fs'
import { Ajv, type ErrorObject } from 'ajv'
import { nearestName } from '../../core/nearest-name.ts'
import { describeValue, type Fault, type Path, quote, suggest } from './pipeline-fault.ts'

type SchemaNode = {
  readonly title?: string
  readonly properties?: Readonly<Record<string, unknown>>
  readonly required?: readonly string[]
}

const schemaUrl = new URL('../../../schemas/pipeline.schema.json', import.meta.url)
const schema = JSON.parse(readFileSync(schemaUrl, 'utf8')) as {
  readonly definitions: Readonly<Record<string, SchemaNode>>
}
const matchesSchema = new Ajv({
  allErrors: true,
  verbose: true,
  strictRequired: false,
  allowUnionTypes: true,
}).compile(schema)

const featureKinds = ['fieldFeature', 'calendarFeature', 'windowFeature', 'ratioFeature']
const featureKeys = new Set(
  featureKinds.flatMap((kind) => Object.keys(schema.definitions[kind]?.properties ?? {})),
)

export function findShapeFaults(value: unknown): readonly Fault[] {
  if (matchesSchema(value)) return []
  return (matchesSchema.errors ?? []).flatMap((error) => {
    const translate = translations[error.keyword] ?? translateOther
    return translate(error, toPath(error.instancePath, value)) ?? []
  })
}

type Translate = (error: ErrorObject, path: Path) => Fault | null

/** How each keyword of the schema reads as a fault; null drops what another error says better. */
const translations: Readonly<Record<string, Translate>> = {
  if: () => null,
  propertyNames: () => null,
  additionalProperties: translateUnknownKey,
  required: translateMissingKey,
  enum: (error, path) => {
    const choices = (error.params as { allowedValues: readonly string[] }).allowedValues
    const nearest = typeof error.data === 'string' ? nearestName(error.data, choices) : null
    const expected = `one of ${choices.join(', ')}`
    return { path, at: 'value', found: describeValue(error.data), expected, ...suggest(nearest) }
  },
  uniqueItems: (error, path) => {
    const { i, j } = error.params as { i: number; j: number }
    const repeated = (error.data as readonly unknown[])[i]
    const found = `${describeValue(repeated)} a second time`
    return { path: [...path, Math.max(i, j)], at: 'value', found, expected: 'each item once' }
  },
  type: (error, path) => {
    const fault = translateOther(error, path)
    const isUnquoted = ['number', 'boolean'].includes(typeof error.data)
    if (!isUnquoted || error.params.type !== 'string') return fault
    return { ...fault, hint: `put it in quotes: "${error.data}"` }
  },
}

function translateOther(error: ErrorObject, path: Path): Fault {
  const expected = (error.parentSchema as SchemaNode | undefined)?.title ?? error.message ?? ''
  // A pattern for the names of keys reports the map; the name itself is where the fault is.
  if (error.propertyName !== undefined) {
    return {
      path: [...path, error.propertyName],
      at: 'key',
      found: quote(error.propertyName),
      expected,
    }
  }
  return { path, at: 'value', found: describeValue(error.data), expected }
}

function translateUnknownKey(error: ErrorObject, path: Path): Fault {
  const key = (error.params as { additionalProperty: string }).additionalProperty
  const known = Object.keys((error.parentSchema as SchemaNode).properties ?? {})
  const others = path[0] === 'features' && path.length === 2 ? featureKeys : []
  const nearest = nearestName(key, known) ?? nearestName(key, others)
  const expected = `one of ${known.join(', ')}`
  return {
    path: [...path, key],
    at: 'key',
    found: `unknown key ${quote(key)}`,
    expected,
    ...suggest(nearest),
  }
}

function translateMissingKey(error: ErrorObject, path: Path): Fault {
  const key = (error.params as { missingProperty: string }).missingProperty
  const isKindless = path[0] === 'features' && key === 'field'
  const expected = isKindless ? 'one of field, calendar, op or ratio' : `the key ${key}`
  const present = Object.keys(error.data as object)
  const found = present.length === 0 ? 'an empty map' : `only ${present.join(', ')}`
  return { path, at: 'value', found, expected }
}

/** A JSON pointer as a path; a step is an index exactly where the value has a list. */
function toPath(pointer: string, value: unknown): Path {
  let place: unknown = value
  return pointer
    .split('/')
    .slice(1)
    .map((escaped) => {
      const key = escaped.replaceAll('~1', '/').replaceAll('~0', '~')
      const step = Array.isArray(place) ? Number(key) : key
      place = (place as Record<string | number, unknown>)[step]
      return step
    })
}
