// A writer's Avro schema as a graph: names are resolved, and only what is needed to read is left.
//
// In: the schema's text, and texts that it refers to (the registry's references, by name or in any
// order). Out: the root's node; a type that contains itself is a node that contains itself. Dropped
// without a look, because they have no part in reading and Java lets anything pass: defaults, docs,
// aliases, orders; names may have any letters. Refused (thrown, a sentence): text that is no
// schema, and names that nobody defines.

import { type Convert, conversionOf } from './avro-conversions.ts'

const primitives = ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'] as const
type Primitive = (typeof primitives)[number]

export type RecordNode = {
  readonly kind: 'record'
  readonly fields: readonly { readonly name: string; readonly node: AvroNode }[]
  /** Connect's name for what the record stands for. */
  readonly connectName: string | null
}
export type AvroNode =
  | { readonly kind: Primitive; readonly convert: Convert | null }
  | { readonly kind: 'fixed'; readonly size: number; readonly convert: Convert | null }
  | { readonly kind: 'enum'; readonly symbols: readonly string[] }
  | { readonly kind: 'array' | 'map'; readonly items: AvroNode }
  | { readonly kind: 'union'; readonly branches: readonly AvroNode[] }
  | RecordNode

export type References = ReadonlyMap<string, string> | readonly string[]
type Attributes = Readonly<Record<string, unknown>>

type Scope = {
  readonly named: Map<string, AvroNode>
  /** Texts that nobody has asked for yet, by the name under which the registry lists them. */
  readonly unread: Map<string, string>
}

export function parseAvroSchema(text: string, references: References): AvroNode {
  const unread = new Map(references instanceof Map ? references : [...references.entries()]) as Map<
    string,
    string
  >
  return parseText(text, { named: new Map(), unread })
}

function parseText(text: string, scope: Scope): AvroNode {
  let schema: unknown
  try {
    schema = JSON.parse(text)
  } catch {
    // Some registries give a primitive's name without its quotes.
    if (!isPrimitive(text.trim())) throw new Error('its text is no JSON')
    schema = text.trim()
  }
  return parseNode(schema, '', scope)
}

function parseNode(schema: unknown, space: string, scope: Scope): AvroNode {
  if (typeof schema === 'string') return parseName(schema, {}, space, scope)
  if (Array.isArray(schema)) {
    return { kind: 'union', branches: schema.map((branch) => parseNode(branch, space, scope)) }
  }
  if (typeof schema !== 'object' || schema === null) throw new Error('a type is no schema')
  const attributes = schema as Attributes
  const { type } = attributes
  // The type of a type may be a schema of its own.
  if (typeof type !== 'string') return parseNode(type, space, scope)
  switch (type) {
    case 'array':
      return { kind: 'array', items: parseNode(attributes.items, space, scope) }
    case 'map':
      return { kind: 'map', items: parseNode(attributes.values, space, scope) }
    case 'record':
    case 'error':
      return parseRecord(attributes, space, scope)
    case 'enum':
    case 'fixed': {
      const node = type === 'enum' ? parseEnum(attributes) : parseFixed(attributes)
      scope.named.set(fullName(attributes, space), node)
      return node
    }
    default:
      return parseName(type, attributes, space, scope)
  }
}

const isPrimitive = (name: string): name is Primitive =>
  (primitives as readonly string[]).includes(name)

function parseName(name: string, attributes: Attributes, space: string, scope: Scope): AvroNode {
  if (isPrimitive(name)) return { kind: name, convert: conversionOf(name, attributes) }
  const names = name.includes('.') || space === '' ? [name] : [`${space}.${name}`, name]
  for (const candidate of names) {
    const node = scope.named.get(candidate) ?? findReferred(candidate, scope)
    if (node !== undefined) return node
  }
  throw new Error(`neither it nor its references define "${name}"`)
}

/** The text under this name first; else all of them, as a text may be listed under any name. */
function findReferred(name: string, scope: Scope): AvroNode | undefined {
  const { named, unread } = scope
  const keys = unread.has(name) ? [name, ...unread.keys()] : [...unread.keys()]
  for (const key of keys) {
    const text = unread.get(key)
    if (text === undefined) continue
    // Taken away first: texts that refer to each other must not ask without end.
    unread.delete(key)
    parseText(text, scope)
    if (named.has(name)) return named.get(name)
  }
  return undefined
}

function fullName({ name, namespace }: Attributes, space: string): string {
  if (typeof name !== 'string') return ''
  if (name.includes('.')) return name
  const own = typeof namespace === 'string' ? namespace : space
  return own === '' ? name : `${own}.${name}`
}

function parseRecord(attributes: Attributes, space: string, scope: Scope): AvroNode {
  const { fields } = attributes
  if (!Array.isArray(fields)) throw new Error('a record has no fields')
  const name = fullName(attributes, space)
  const parsed: { name: string; node: AvroNode }[] = []
  const connectName = attributes['connect.name']
  const node: RecordNode = {
    kind: 'record',
    fields: parsed,
    connectName: typeof connectName === 'string' ? connectName : null,
  }
  // Known before its fields are, so that it may contain itself.
  scope.named.set(name, node)
  const inner = name.includes('.') ? name.slice(0, name.lastIndexOf('.')) : ''
  for (const field of fields as Attributes[]) {
    if (typeof field?.name !== 'string') throw new Error('a field has no name')
    parsed.push({ name: field.name, node: parseNode(field.type, inner, scope) })
  }
  return node
}

function parseEnum({ symbols }: Attributes): AvroNode {
  if (!Array.isArray(symbols)) throw new Error('an enum has no symbols')
  return { kind: 'enum', symbols: symbols.map(String) }
}

function parseFixed(attributes: Attributes): AvroNode {
  const size = attributes.size
  if (!Number.isSafeInteger(size) || (size as number) < 0) throw new Error('a fixed has no size')
  const convert = conversionOf('fixed', attributes, size as number)
  return { kind: 'fixed', size: size as number, convert }
}
