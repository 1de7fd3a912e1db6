// The user's own messages: bytes of any format to the fields of the mapping.
//
//   avro, protobuf   id ─► writer's schema ─► projection, compiled once per id ─┐
//   json, json_schema                       one JSON.parse                      ├─► assemble-event
//   any of them with a schema file          compiled once                       ┘
//
// In: messages with their place. Out: events, or a DecodeFault whose detail names the field and
// never a value. Refused at once: a schema file that cannot be read (WEIR_FILE_INVALID). Invariant:
// a producer may add, delete or change whatever is not mapped.

import { readFileSync } from 'node:fs'
import type { Clock } from '../../core/clock.ts'
import { systemClock } from '../../core/clock.ts'
import { WeirError } from '../../core/errors.ts'
import type { InputMapping } from '../../core/input-mapping.ts'
import {
  type Assembler,
  createAssembler,
  type EventFields,
  FieldFault,
} from '../../mapping/assemble-event.ts'
import { projectAvro } from '../../mapping/avro/avro-projection.ts'
import { projectJson } from '../../mapping/project-json.ts'
import { projectProtobuf } from '../../mapping/protobuf/protobuf-projection.ts'
import type { ReadRaws } from '../../mapping/read-raws.ts'
import { DecodeFault, type Decoder } from '../../pipeline/decode/message-decoder.ts'
import type { RawMessage } from '../../pipeline/records.ts'
import { createIdDecoder, judgePrefix, prefixSize, type ReadBody } from './id-decoder.ts'
import type { WriterSchema } from './schema-registry.ts'

type FetchWriter = (id: number) => Promise<WriterSchema | null>

export function createEventDecoder<T>(
  mapping: InputMapping,
  fetch: FetchWriter,
  clock: Clock = systemClock,
): Decoder<T> {
  const assembler = createAssembler(mapping.fields, mapping.where)
  const { paths } = assembler
  const project = (writer: WriterSchema): ReadRaws =>
    mapping.format === 'protobuf'
      ? projectProtobuf(writer.schemaText, writer.references, paths)
      : projectAvro(writer.schemaText, writer.references, paths)
  if (mapping.format === 'json') return withoutIds(planRead(projectJson(paths), 0, assembler))
  if (mapping.format === 'json_schema') {
    return withPrefix(planRead(projectJson(paths), prefixSize, assembler))
  }
  if (mapping.schemaFile !== null) {
    const schemaText = readSchemaFile(mapping.schemaFile)
    const read = project({ schemaText, references: new Map() })
    return withoutIds(planRead(mapping.format === 'protobuf' ? bare(read) : read, 0, assembler))
  }
  return createIdDecoder<T, WriterSchema>({
    fetch,
    judge: (id, writer) => {
      try {
        return planRead(project(writer), prefixSize, assembler)
      } catch (error) {
        const detail = `schema id ${id}: ${error instanceof Error ? error.message : String(error)}`
        return new DecodeFault('WEIR_DECODE_BAD_BODY', detail)
      }
    },
    clock,
  })
}

/** Bare Protobuf is of the file's first message; the projection wants to be told so. */
const bare =
  (read: ReadRaws): ReadRaws =>
  (bytes) =>
    read(Buffer.concat([Buffer.of(0), bytes]), 0)

/** Schemas of the registry are not asked for: nothing is to be learned. */
const withoutIds = <T>(read: ReadBody<EventFields>): Decoder<T> => ({
  decode: (bytes, message) =>
    bytes === null || bytes.length === 0
      ? new DecodeFault('WEIR_DECODE_EMPTY', 'found no value')
      : (read(bytes, message) as T | DecodeFault),
  learn: async () => undefined,
})

/** JSON tells its own shape; the id in front of it is stepped over. */
const withPrefix = <T>(read: ReadBody<EventFields>): Decoder<T> =>
  withoutIds((bytes, message) =>
    bytes[0] !== 0 || bytes.length < prefixSize ? judgePrefix(bytes) : read(bytes, message),
  )

const nowhere = { offset: 0, brokerTimeMs: Number.NaN, key: null, value: null } as RawMessage

const planRead =
  <T>(readRaws: ReadRaws, offset: number, { assemble }: Assembler): ReadBody<T> =>
  (bytes, message = nowhere) => {
    let raws: ArrayLike<unknown>
    try {
      raws = readRaws(bytes, offset)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      return new DecodeFault('WEIR_DECODE_BAD_BODY', `found ${reason}`)
    }
    const event = assemble(raws, message)
    return event instanceof FieldFault ? new DecodeFault(event.code, event.detail) : (event as T)
  }

function readSchemaFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const detail = `${path}, the schema of the input: ${reason}`
    throw new WeirError('WEIR_FILE_INVALID', detail, { cause })
  }
}
