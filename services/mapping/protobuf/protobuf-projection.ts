// Wanted values out of Protobuf messages as Confluent frames them.
//
//   0 | schema id, 4 bytes | message indexes | Protobuf body
//                            ▲ offset
//   indexes: zigzag varints: how many, then the way to the message's definition among those of its
//   text, nested ones within their parents; a single 0 is the first message
//
// In: a .proto text with those that it imports, and paths; later bodies. Out: raw values in the
// order of the paths. Refused (thrown): text that cannot be read, with a sentence; indexes of no
// message; bodies that are cut inside a field or forged. A body that is cut between two fields is
// a body: Protobuf cannot tell. Invariant: each message of the text is compiled once.

import type { PathStep } from '../../core/input-mapping.ts'
import { wantsOf } from '../compile-path.ts'
import type { ReadRaws } from '../read-raws.ts'
import { ProtoCursor } from './proto-cursor.ts'
import { compileMessage, type ReadMessage } from './proto-plan.ts'
import { type ProtoMessage, type ProtoReferences, parseProto } from './proto-schema.ts'

const indexesMax = 100

export function projectProtobuf(
  protoText: string,
  references: ProtoReferences,
  paths: readonly (readonly PathStep[])[],
): ReadRaws {
  const messages = parseText(protoText, references)
  const wants = wantsOf(paths)
  const blank: readonly unknown[] = paths.map(() => undefined)
  const compiled = new Map<ProtoMessage, ReadMessage>()
  const readerOf = (message: ProtoMessage): ReadMessage => {
    const known = compiled.get(message)
    if (known !== undefined) return known
    const made = refusing(() => compileMessage(message, wants))
    compiled.set(message, made)
    return made
  }
  // Most texts have one message that counts: what is wrong with it shows before the first event.
  const first = messages[0]
  if (first !== undefined) readerOf(first)
  return (bytes, offset) => {
    const cursor = new ProtoCursor(bytes, offset)
    const read = readerOf(findMessage(messages, readIndexes(cursor)))
    const raws = blank.slice()
    read(cursor, raws)
    return raws
  }
}

const parseText = (text: string, references: ProtoReferences): readonly ProtoMessage[] =>
  refusing(() => parseProto(text, references))

function refusing<T>(make: () => T): T {
  try {
    return make()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`The writer's schema cannot be read: ${reason}.`)
  }
}

function readIndexes(cursor: ProtoCursor): number[] {
  const readIndex = (): number => {
    const value = cursor.readVarint()
    if (typeof value === 'bigint' || value % 2 !== 0) throw new Error('found no message index')
    return value / 2
  }
  const count = readIndex()
  if (count > indexesMax) throw new Error('found no message index')
  return count === 0 ? [0] : Array.from({ length: count }, readIndex)
}

function findMessage(messages: readonly ProtoMessage[], indexes: readonly number[]): ProtoMessage {
  let inside = messages
  let found: ProtoMessage | undefined
  for (const index of indexes) {
    found = inside[index]
    inside = found?.nested ?? []
  }
  if (found === undefined) throw new Error('the schema has no message with these indexes')
  return found
}
