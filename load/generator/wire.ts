/**
 * Transactions and labels as bytes.
 *
 * In: records and the schema ids of the registry. Out: their Confluent wire format:
 *
 *   byte 0: 0 (magic) | bytes 1-4: schema id, big endian | bytes 5-: the Avro body
 *
 * The schemas are those of schemas/, read once. Nothing is refused: the world makes valid records.
 * Invariant: the same record and id give the same bytes.
 */
import { readFileSync } from 'node:fs'
import avsc, { type Type } from 'avsc'
import type { Label } from './labels.ts'
import type { Transaction } from './timeline.ts'

export interface SchemaIds {
  readonly transactions: number
  readonly labels: number
}

export interface Wire {
  readonly schemaIds: SchemaIds
  encodeTransaction(transaction: Transaction): Buffer
  encodeLabel(label: Label): Buffer
}

export const wireHeaderSize = 5

/** Records are cut from one large piece of memory at a time: cheaper than one allocation each. */
const slabSize = 262_144

export const transactionType = readType('transaction')
export const labelType = readType('label')

export function createWire(schemaIds: SchemaIds): Wire {
  const transactionEncoder = createEncoder(transactionType, schemaIds.transactions)
  const labelEncoder = createEncoder(labelType, schemaIds.labels)
  return { schemaIds, encodeTransaction: transactionEncoder, encodeLabel: labelEncoder }
}

/** The id that the registry gave to the latest version of a topic's value schema. */
export async function findSchemaId(registryUrl: string, topic: string): Promise<number> {
  const url = `${registryUrl.replace(/\/+$/, '')}/subjects/${topic}-value/versions/latest`
  const response = await fetch(url)
  const body: unknown = response.ok ? await response.json() : null
  const id = typeof body === 'object' && body !== null && 'id' in body ? body.id : null
  if (typeof id !== 'number') {
    throw new Error(
      `the registry answered ${response.status} to ${url}, expected the schema's id: ` +
        'register the schemas first (weir topics apply) or check --registry',
    )
  }
  return id
}

function readType(name: string): Type {
  const path = new URL(`../../schemas/${name}.avsc`, import.meta.url)
  return avsc.Type.forSchema(JSON.parse(readFileSync(path, 'utf8')))
}

function createEncoder(type: Type, schemaId: number): (record: unknown) => Buffer {
  let slab = Buffer.allocUnsafeSlow(slabSize)
  let used = 0
  return (record) => {
    let end = type.encode(record, slab, used + wireHeaderSize)
    if (end < 0) {
      // avsc says so when the record does not fit in what is left.
      slab = Buffer.allocUnsafeSlow(slabSize)
      used = 0
      end = type.encode(record, slab, wireHeaderSize)
    }
    slab[used] = 0
    slab.writeUInt32BE(schemaId, used + 1)
    const bytes = slab.subarray(used, end)
    used = end
    return bytes
  }
}
