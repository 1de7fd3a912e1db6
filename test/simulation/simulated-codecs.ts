// Codecs of a process: JSON values, some of which carry a schema id that has to be asked for first.
//
// `{...}` is a value, `?7{...}` one of schema 7, all else cannot be decoded. The registry may be
// away, and answer some ids late; ids from 90 on it denies.

import { WeirError } from '../../services/core/errors.ts'
import { DecodeFault, type Decoder } from '../../services/pipeline/decode/message-decoder.ts'
import type {
  OutputEncoders,
  RejectedRecord,
  ScoredTransactionRecord,
} from '../../services/pipeline/publish/output-records.ts'
import type { Label, Transaction } from '../../services/pipeline/records.ts'
import type { VirtualTime } from './virtual-time.ts'
import type { Call } from './wire.ts'

export type RegistryFaults = {
  readonly awayUntilMs: number
  /** A client that throws what no registry says: a defect. */
  readonly isDefect: boolean
}

const DENIED_FROM = 90
export const lateSchemaId = 7

export function createSimulatedCodecs(call: Call, time: VirtualTime, faults: RegistryFaults) {
  const ask = call('registry', {
    closed: () => new WeirError('WEIR_REGISTRY_AWAY', 'simulated'),
    silent: () => new WeirError('WEIR_REGISTRY_AWAY', 'simulated, silent'),
    silenceMs: 5000,
    isAway: () => time.nowMs() < faults.awayUntilMs,
  })
  const decoder = <T>(): Decoder<T> => {
    const known = new Map<number, boolean>()
    return {
      decode: (bytes) => decodeJson<T>(bytes, known),
      learn: async (id) => {
        if (faults.isDefect) throw new TypeError('undefined is not a schema')
        known.set(id, await ask(() => id < DENIED_FROM))
      },
    }
  }
  return {
    decoders: { transactions: decoder<Transaction>(), labels: decoder<Label>() },
    scored: decoder<ScoredTransactionRecord>(),
    rejected: rejectedDecoder(decoder<StoredRefusal>()),
  }
}

function decodeJson<T>(bytes: Buffer | null, known: ReadonlyMap<number, boolean>): T | DecodeFault {
  if (bytes === null) return new DecodeFault('WEIR_DECODE_EMPTY', 'found no value')
  const text = bytes.toString()
  const id = Number(/^\?(\d+)/.exec(text)?.[1] ?? 0)
  if (id > 0 && known.get(id) !== true) {
    const missingId = known.has(id) ? null : id
    return new DecodeFault('WEIR_DECODE_UNKNOWN_SCHEMA', `unknown id ${id}`, missingId)
  }
  try {
    return readJson<T>(text)
  } catch {
    return new DecodeFault('WEIR_DECODE_NOT_AVRO', 'found no JSON')
  }
}

type StoredRefusal = Omit<RejectedRecord, 'original' | 'originalKey'> & {
  readonly original: string | null
  readonly originalKey: string | null
}

const bytesOf = (text: string | null): Buffer | null =>
  text === null ? null : Buffer.from(text, 'base64')

const rejectedDecoder = (stored: Decoder<StoredRefusal>): Decoder<RejectedRecord> => ({
  ...stored,
  decode: (bytes) => {
    const found = stored.decode(bytes)
    if (found instanceof DecodeFault) return found
    return { ...found, original: bytesOf(found.original), originalKey: bytesOf(found.originalKey) }
  },
})

const encodeJson = (record: unknown): Buffer => Buffer.from(JSON.stringify(record))

const textOf = (bytes: Buffer | null): string | null => bytes?.toString('base64') ?? null

const encodeRefused: OutputEncoders['rejected'] = (record) =>
  encodeJson({
    ...record,
    original: textOf(record.original),
    originalKey: textOf(record.originalKey),
  })

export const simulatedEncoders: OutputEncoders = {
  scored: encodeJson,
  alerts: encodeJson,
  driftSamples: encodeJson,
  rejected: encodeRefused,
  late: encodeRefused,
}

export const readJson = <T>(text: string): T => JSON.parse(text.replace(/^\?\d+/, '')) as T
