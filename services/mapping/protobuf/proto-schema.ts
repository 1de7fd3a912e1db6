// A .proto text as messages: fields by number, with their types resolved.
//
// In: a schema's text and those that it imports. Out: the messages of the text in their order,
// nested ones within their parents, as the registry's message indexes count them (entries of maps
// and groups are not counted). Options, services, extensions and reserved numbers have no part in
// reading and are stepped over. Refused (thrown, a sentence): text that is no .proto. A type that
// nobody defines is no fault until a field of it is wanted.

import { ProtoTokens } from './proto-tokens.ts'
import { wellKnownProtos } from './proto-well-known.ts'

const scalarNames = [
  ...(['double', 'float', 'int32', 'int64', 'uint32', 'uint64', 'sint32', 'sint64'] as const),
  ...(['fixed32', 'fixed64', 'sfixed32', 'sfixed64', 'bool', 'string', 'bytes'] as const),
] as const
export type ScalarName = (typeof scalarNames)[number]

type ProtoEnum = { readonly kind: 'enum'; readonly names: Map<number, string> }
export type ProtoMessage = {
  readonly kind: 'message'
  readonly fullName: string
  readonly fields: ProtoField[]
  readonly nested: ProtoMessage[]
}
export type ProtoType =
  | { readonly kind: 'scalar'; readonly name: ScalarName }
  | ProtoEnum
  | ProtoMessage
  /** Defined nowhere, or a group. */
  | { readonly kind: 'unread'; readonly name: string }

export type ProtoField = {
  readonly name: string
  readonly number: number
  readonly isRepeated: boolean
  /** Type of a map's keys; null = no map. `type` is that of its values then. */
  readonly keyName: ScalarName | null
  /** Whether an absent one differs from one with its type's zero. */
  readonly hasPresence: boolean
  /** Of its members only the last one on the wire counts. */
  readonly oneof: string | null
  type: ProtoType
}

export type ProtoReferences = ReadonlyMap<string, string> | readonly string[]
type Defined = Map<string, ProtoEnum | ProtoMessage>
type File = {
  readonly tokens: ProtoTokens
  readonly defined: Defined
  /** Fields whose types are to be looked up, from the scope in which they stand. */
  readonly pending: { field: ProtoField; typeName: string; scope: string }[]
  isProto3: boolean
}

export function parseProto(text: string, references: ProtoReferences): readonly ProtoMessage[] {
  const defined: Defined = new Map()
  const pending: File['pending'] = []
  const parse = (source: string): ProtoMessage[] =>
    parseFile({ tokens: new ProtoTokens(source), defined, pending, isProto3: false })
  for (const source of [wellKnownProtos, ...references.values()]) parse(source)
  const messages = parse(text)
  for (const { field, typeName, scope } of pending) field.type = findType(typeName, scope, defined)
  return messages
}

function parseFile(file: File): ProtoMessage[] {
  const { tokens } = file
  const messages: ProtoMessage[] = []
  let space = ''
  while (tokens.peek() !== '') {
    const next = tokens.peek()
    if (next === 'message') messages.push(parseMessage(file, space))
    else if (next === 'enum') parseEnum(file, space)
    else if (next === 'service' || next === 'extend') tokens.skipBlock()
    else if (next === 'syntax' || next === 'package') {
      tokens.take()
      if (next === 'package') space = `${tokens.takeDottedName()}.`
      else {
        tokens.expect('=')
        file.isProto3 = tokens.takeQuoted() === 'proto3'
      }
      tokens.expect(';')
    } else if (['edition', 'import', 'option', ';'].includes(next)) tokens.skipStatement()
    else throw new Error(`found "${next}", expected a message`)
  }
  return messages
}

function parseMessage(file: File, scope: string): ProtoMessage {
  file.tokens.expect('message')
  return parseBody(file, scope + file.tokens.takeName())
}

function parseBody(file: File, fullName: string): ProtoMessage {
  const { tokens } = file
  const message: ProtoMessage = { kind: 'message', fullName, fields: [], nested: [] }
  file.defined.set(fullName, message)
  tokens.expect('{')
  while (!tokens.takeIf('}')) parseMember(file, message)
  return message
}

/** Whether the next word begins a statement of its own: a field's type may be called `option`. */
const isStatement = (tokens: ProtoTokens): boolean => tokens.peek(1) !== '.'

function parseMember(file: File, message: ProtoMessage): void {
  const { tokens } = file
  const next = isStatement(tokens) ? tokens.peek() : ''
  const scope = `${message.fullName}.`
  if (next === 'message') message.nested.push(parseMessage(file, scope))
  else if (next === 'enum') parseEnum(file, scope)
  else if (next === 'extend') tokens.skipBlock()
  else if (['option', 'reserved', 'extensions', ';'].includes(next)) tokens.skipStatement()
  else if (next === 'oneof') parseOneof(file, message)
  else if (next === 'map' && tokens.peek(1) === '<') parseMap(file, message)
  else parseField(file, message, null)
}

function parseOneof(file: File, message: ProtoMessage): void {
  const { tokens } = file
  tokens.expect('oneof')
  const name = tokens.takeName()
  tokens.expect('{')
  while (!tokens.takeIf('}')) {
    if (tokens.peek() === 'option' || tokens.peek() === ';') tokens.skipStatement()
    else parseField(file, message, name)
  }
}

function parseMap(file: File, message: ProtoMessage): void {
  const { tokens } = file
  tokens.expect('map')
  tokens.expect('<')
  const keyName = tokens.takeName()
  if (!isScalar(keyName)) throw new Error(`found "${keyName}", expected the type of a map's keys`)
  tokens.expect(',')
  const typeName = tokens.takeDottedName()
  tokens.expect('>')
  addField(file, message, { typeName, keyName, isRepeated: true, hasPresence: false, oneof: null })
}

function parseField(file: File, message: ProtoMessage, oneof: string | null): void {
  const { tokens } = file
  const label = ['repeated', 'optional', 'required'].includes(tokens.peek()) ? tokens.take() : ''
  const isRepeated = label === 'repeated'
  const typeName = tokens.takeDottedName()
  const hasPresence = !file.isProto3 || label === 'optional' || oneof !== null
  addField(file, message, { typeName, keyName: null, isRepeated, hasPresence, oneof })
}

type FieldShape = Pick<ProtoField, 'keyName' | 'isRepeated' | 'hasPresence' | 'oneof'> & {
  readonly typeName: string
}

/** From a field's name on. */
function addField(file: File, message: ProtoMessage, shape: FieldShape): void {
  const { tokens } = file
  const { typeName, ...rest } = shape
  const name = tokens.takeName()
  tokens.expect('=')
  const number = tokens.takeInteger()
  const type: ProtoType = { kind: 'unread', name: typeName }
  const field: ProtoField = { name, number, ...rest, type }
  message.fields.push(field)
  if (typeName === 'group' && tokens.peek() !== ';') {
    // Its body is a message of its own, which no message index counts.
    while (tokens.peek() !== '{') tokens.take()
    parseBody(file, `${message.fullName}.${name}`)
    return
  }
  tokens.skipStatement()
  file.pending.push({ field, typeName, scope: message.fullName })
}

function parseEnum(file: File, scope: string): void {
  const { tokens } = file
  tokens.expect('enum')
  const names = new Map<number, string>()
  file.defined.set(scope + tokens.takeName(), { kind: 'enum', names })
  tokens.expect('{')
  while (!tokens.takeIf('}')) {
    const isValue = tokens.peek(1) === '='
    if (isValue) {
      const name = tokens.takeName()
      tokens.expect('=')
      const number = tokens.takeInteger()
      if (!names.has(number)) names.set(number, name)
    }
    tokens.skipStatement()
  }
}

const isScalar = (name: string): name is ScalarName =>
  (scalarNames as readonly string[]).includes(name)

/** From the innermost scope outwards, as protoc does. */
function findType(name: string, scope: string, defined: Defined): ProtoType {
  if (isScalar(name)) return { kind: 'scalar', name }
  const unread: ProtoType = { kind: 'unread', name }
  if (name.startsWith('.')) return defined.get(name.slice(1)) ?? unread
  for (
    let outer = scope;
    outer !== '';
    outer = outer.slice(0, Math.max(outer.lastIndexOf('.'), 0))
  ) {
    const found = defined.get(`${outer}.${name}`)
    if (found !== undefined) return found
  }
  return defined.get(name) ?? unread
}
