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
import { createIdDecoder, prefixSize, type ReadBody } from './id-decoder.ts'

/**
 * Many records share one slab; it is left to the garbage collector when full, as Kafka holds it.
 */
const slabSize = 256 * 1024

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

/** Values of one of Weir's own schemas, whichever of its versions wrote them. */
export function createDecoder<T>(
  readerSchemaText: string,
  fetchSchema: FetchSchema,
  clock: Clock = systemClock,
): Decoder<T> {
  const reader = parseSchema(readerSchemaText)
  return createIdDecoder<T, string>({
    fetch: fetchSchema,
    judge: (id, text) => judgeWriter<T>(reader, id, text),
    clock,
  })
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
function judgeWriter<T>(reader: Type, id: number, text: string): ReadBody<T> | DecodeFault {
  try {
    const writer = parseSchema(text)
    // Namespaces are ignored, as the Avro specification says, so that a producer may use its own.
    const resolver = reader.createResolver(writer, { ignoreNamespaces: true })
    const needed = reader.equals(writer) ? undefined : resolver
    return (bytes) => readBody<T>(reader, bytes, needed)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const detail = `schema id ${id} cannot be read as ${reader.name}: ${reason}`
    return new DecodeFault('WEIR_DECODE_BAD_BODY', detail)
  }
}
