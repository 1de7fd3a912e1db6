// The hot path's Avro: values to bytes and bytes to values, synchronously, one codec per topic.
//
//   byte   0      1 2 3 4            5 ...
//         +------+------------------+-----------------------+
//         | 0    | schema id, BE    | Avro body             |   Confluent wire format
//         +------+------------------+-----------------------+
//
// Out of decode comes the value, or a DecodeFault with its code: bad bytes are never thrown. A
// schema id that was not met before is a fault with `missingId`: await learn(missingId), decode
// again. Ids already known never wait for the registry, and ids that it denied never take their
// place. Invariant: bytes are those of the stock Avro serde.

import type { Type } from 'avsc'
import type { Clock } from '../../core/clock.ts'
import { systemClock } from '../../core/clock.ts'
import { WeirError } from '../../core/errors.ts'
import { DecodeFault, type Decoder } from '../../pipeline/decode/message-decoder.ts'
import { parseSchema } from './avro-types.ts'
import { createDenials } from './denied-ids.ts'

const prefixSize = 5
const idMax = 2 ** 31 - 1
/**
 * Many records share one slab; it is left to the garbage collector when full, as Kafka holds it.
 */
const slabSize = 256 * 1024
/**
 * Writers' schemas kept per topic; far more than a topic has, so that forged ids cannot pile up.
 */
const idsKnownMax = 1000

export type Encode<T> = (value: T) => Buffer

/**
 * Text of the schema with this id; null where the registry says that there is none; else throws.
 */
type FetchSchema = (id: number) => Promise<string | null>

/**
 * The returned buffer is never written again. A value that does not fit the schema is our mistake.
 */
export function createEncoder<T>(schemaText: string, schemaId: number): Encode<T> {
  const type = parseSchema(schemaText)
  const prefix = Buffer.alloc(prefixSize)
  prefix.writeInt32BE(schemaId, 1)
  let slab = Buffer.allocUnsafeSlow(slabSize)
  let used = 0

  const writeAt = (value: T): number => {
    slab.set(prefix, used)
    return type.encode(value, slab, used + prefixSize)
  }

  return (value) => {
    try {
      let end = used + prefixSize <= slab.length ? writeAt(value) : -prefixSize
      while (end < 0) {
        slab = Buffer.allocUnsafeSlow(Math.max(slabSize, slab.length - used - end))
        used = 0
        end = writeAt(value)
      }
      const bytes = slab.subarray(used, end)
      used = end
      return bytes
    } catch (error) {
      throw misfit(type, value, error)
    }
  }
}

/** Names the fields that do not fit; avsc's own message would show their values. */
function misfit(type: Type, value: unknown, error: unknown): WeirError {
  const faults: string[] = []
  type.isValid(value, {
    errorHook: (path, _found, expected) => {
      faults.push(`${path.join('.')} is not ${expected.typeName}`)
    },
  })
  if (faults.length === 0) {
    return new WeirError('WEIR_INTERNAL_INVARIANT', `${type.name} is not written.`, {
      cause: error,
    })
  }
  const detail = `A value does not fit ${type.name}: ${faults.join(', ')}.`
  return new WeirError('WEIR_INTERNAL_INVARIANT', detail)
}

type Resolver = ReturnType<Type['createResolver']>
/**
 * What is known about an id that the registry has: how to read its bodies, or why that is not
 * possible.
 */
type Knowledge =
  | { readonly canRead: true; readonly resolver: Resolver | undefined }
  | { readonly canRead: false; readonly fault: DecodeFault }

const emptyFault = new DecodeFault('WEIR_DECODE_EMPTY', 'found no value')
const guidFault = new DecodeFault('WEIR_DECODE_GUID_PREFIX', 'found first byte 1, expected 0')

export function createDecoder<T>(
  readerSchemaText: string,
  fetchSchema: FetchSchema,
  clock: Clock = systemClock,
): Decoder<T> {
  const reader = parseSchema(readerSchemaText)
  const known = new Map<number, Knowledge>()
  const denials = createDenials(clock)
  const asked = new Map<number, Promise<void>>()

  const decode = (bytes: Buffer | null): T | DecodeFault => {
    if (bytes === null || bytes.length === 0) return emptyFault
    if (bytes[0] !== 0 || bytes.length < prefixSize) return judgePrefix(bytes)
    const id = bytes.readInt32BE(1)
    const knowledge = known.get(id)
    if (knowledge === undefined) return denials.faultOf(id) ?? unknownId(id)
    return knowledge.canRead ? readBody<T>(reader, bytes, knowledge.resolver) : knowledge.fault
  }

  const ask = async (id: number): Promise<void> => {
    const writerText = await fetchSchema(id)
    if (writerText === null) {
      denials.note(id)
      return
    }
    denials.forget(id)
    if (known.size >= idsKnownMax) known.delete(known.keys().next().value!)
    known.set(id, judgeWriter(reader, id, writerText))
  }

  const learn = (id: number): Promise<void> => {
    const running = asked.get(id)
    if (running !== undefined) return running
    const started = ask(id).finally(() => asked.delete(id))
    asked.set(id, started)
    return started
  }

  return { decode, learn }
}

function judgePrefix(bytes: Buffer): DecodeFault {
  if (bytes[0] === 1) return guidFault
  const found = bytes[0] === 0 ? `only ${bytes.length} bytes` : `first byte ${bytes[0]}`
  return new DecodeFault('WEIR_DECODE_NOT_AVRO', `found ${found}, expected 0 and a 4-byte id`)
}

function unknownId(id: number): DecodeFault {
  const isPossible = id > 0 && id <= idMax
  return new DecodeFault('WEIR_DECODE_UNKNOWN_SCHEMA', `unknown id ${id}`, isPossible ? id : null)
}

function readBody<T>(reader: Type, bytes: Buffer, resolver: Resolver | undefined) {
  try {
    const { value, offset } = reader.decode(bytes, prefixSize, resolver)
    if (offset === bytes.length) return value as T
    const rest = offset < 0 ? 'the body ends too early' : `${bytes.length - offset} bytes left over`
    return new DecodeFault('WEIR_DECODE_BAD_BODY', `found ${rest}, expected ${reader.name}`)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return new DecodeFault('WEIR_DECODE_BAD_BODY', `found ${reason}, expected ${reader.name}`)
  }
}

/** Built once per id: building a resolver costs as much as reading a hundred events. */
function judgeWriter(reader: Type, id: number, text: string): Knowledge {
  try {
    const writer = parseSchema(text)
    // Namespaces are ignored, as the Avro specification says, so that a producer may use its own.
    const resolver = reader.createResolver(writer, { ignoreNamespaces: true })
    return { canRead: true, resolver: reader.equals(writer) ? undefined : resolver }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const detail = `schema id ${id} cannot be read as ${reader.name}: ${reason}`
    const fault = new DecodeFault('WEIR_DECODE_BAD_BODY', detail)
    return { canRead: false, fault }
  }
}
