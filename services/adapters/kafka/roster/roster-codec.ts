// Avro for the two topics of the roster, with the registry or without it.
//
//   registry there   written with the id that it has for this version's schema, read by the ids met
//   registry away    read with this version's schema; written with the id of the topic's newest record,
//                    if that record, read and written again with this version's schema, is the same bytes
//
// Refused: a record that cannot be read, and writing where nothing proves the id
// (WEIR_ROSTER_UNREADABLE); a first record while the registry is away (WEIR_REGISTRY_AWAY); a
// schema that is not registered (WEIR_TOPICS_DIFFER). Invariant: an id is never written before a
// body of another schema.

import { WeirError } from '../../../core/errors.ts'
import { decodeOneLearning } from '../../../pipeline/decode/decode-learning.ts'
import { DecodeFault, type Decoder } from '../../../pipeline/decode/message-decoder.ts'
import { createDecoder, createEncoder, type Encode } from '../../registry/avro-codec.ts'
import { readSchema, type SchemaFile } from '../../registry/schema-files.ts'
import { type Registry, subjectOf } from '../../registry/schema-registry.ts'

export type RosterRegistry = Pick<Registry, 'lookUp' | 'schemaById'>

export type RosterCodec<T> = {
  readonly decode: (bytes: Buffer) => Promise<T>
  /** @param newest value of the topic's newest record; null where it has none. */
  readonly openEncoder: (newest: Buffer | null) => Promise<Encode<T>>
}

export function createRosterCodec<T>(
  file: SchemaFile,
  topic: string,
  registry: RosterRegistry,
): RosterCodec<T> {
  const schema = readSchema(file)
  const subject = subjectOf(topic)
  const fetchSchema = (id: number) =>
    unlessAway(
      () => registry.schemaById(id, subject),
      () => schema,
    )
  const decoder = createDecoder<T>(schema, fetchSchema)
  return {
    decode: (bytes) => decodeKnown(decoder, bytes, topic),
    openEncoder: async (newest) => {
      const id = await unlessAway(
        () => registry.lookUp(subject, schema),
        (away) => proveId<T>(schema, newest, { topic, away }),
      )
      if (id !== null) return createEncoder<T>(schema, id)
      const detail = `Subject ${subject} does not have schemas/${file}.avsc: run \`weir topics apply\`.`
      throw new WeirError('WEIR_TOPICS_DIFFER', detail)
    },
  }
}

/** Asks a registry that did not answer no second time: an operator in a hurry waits once. */
export function askWhileThere(registry: RosterRegistry): RosterRegistry {
  let away: WeirError | null = null
  const ask = async <T>(call: () => Promise<T>): Promise<T> => {
    if (away !== null) throw away
    return unlessAway(call, (error) => {
      away = error
      throw error
    })
  }
  return {
    lookUp: (...question) => ask(() => registry.lookUp(...question)),
    schemaById: (...question) => ask(() => registry.schemaById(...question)),
  }
}

async function unlessAway<T>(
  ask: () => Promise<T>,
  otherwise: (away: WeirError) => T | Promise<T>,
): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof WeirError && error.code === 'WEIR_REGISTRY_AWAY') return otherwise(error)
    throw error
  }
}

async function decodeKnown<T>(decoder: Decoder<T>, bytes: Buffer, topic: string): Promise<T> {
  const value = await decodeOneLearning(bytes, decoder)
  if (!(value instanceof DecodeFault)) return value
  throw new WeirError('WEIR_ROSTER_UNREADABLE', `A record of ${topic}: ${value.detail}.`)
}

const ID_PLACE = 1

async function proveId<T>(
  schema: string,
  newest: Buffer | null,
  { topic, away }: { readonly topic: string; readonly away: WeirError },
): Promise<number> {
  if (newest === null) throw away
  const decoder = createDecoder<T>(schema, async () => schema)
  const value = await decodeKnown(decoder, newest, topic)
  const id = newest.readInt32BE(ID_PLACE)
  if (createEncoder<T>(schema, id)(value).equals(newest)) return id
  const detail = `The registry is away, and the newest record of ${topic} has another schema.`
  throw new WeirError('WEIR_ROSTER_UNREADABLE', detail, { cause: away })
}
