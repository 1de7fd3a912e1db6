// What the vectors should be: the input topic in the order of event time, through the enrich stage
// with the memory store.
//
// In: the place. Out: every transaction of the input topic with its vector. Refused: a record that
// cannot be decoded, an id that comes twice. Invariant: the order is that of event time, ties by
// partition; a partition's own order is kept, so an event that came late stays behind those before
// it.

import { createMemoryLogStore } from '../../../services/adapters/memory/memory-log-store.ts'
import { createDecoder } from '../../../services/adapters/registry/avro-codec.ts'
import { readSchema, type SchemaFile } from '../../../services/adapters/registry/schema-files.ts'
import { subjectOf } from '../../../services/adapters/registry/schema-registry.ts'
import type { PipelineDefinition } from '../../../services/core/pipeline-definition.ts'
import { DecodeFault } from '../../../services/pipeline/decode/message-decoder.ts'
import { enrich } from '../../../services/pipeline/enrich/enrich.ts'
import { planFeatures } from '../../../services/pipeline/enrich/feature-plan.ts'
import type { Arrival, Batch, LaneSlice, Transaction } from '../../../services/pipeline/records.ts'
import type { BenchEnvironment } from '../environment/bench-environment.ts'
import { readTopic } from '../measure/read-topic.ts'

export type Reference = {
  /** In the order of event time; a transaction's row is its index. */
  readonly transactions: readonly Transaction[]
  readonly rowOf: ReadonlyMap<string, number>
  /** Rows of as many float32 as the pipeline has features. */
  readonly vectors: Float32Array
}

const batchEvents = 2_000
const laneId = 0

export async function computeReference(place: BenchEnvironment): Promise<Reference> {
  const { definition } = place
  const lanes = await readTransactions(place)
  const { transactions, latenessMs } = mergeByEventTime(lanes)
  const rowOf = new Map(transactions.map(({ transactionId }, row) => [transactionId, row]))
  if (rowOf.size !== transactions.length) {
    const found = `${transactions.length} transactions with ${rowOf.size} ids`
    throw new Error(`found ${found} in ${definition.topics.transactions}, expected as many`)
  }
  const vectors = await computeVectors(definition, transactions, latenessMs)
  return { transactions, rowOf, vectors }
}

/** A decoder for one topic's records whose schema is already known to it. */
export async function openDecoder<T>(
  { registry }: Pick<BenchEnvironment, 'registry'>,
  file: SchemaFile,
  topic: string,
): Promise<(value: Buffer | null) => T> {
  const subject = subjectOf(topic)
  const decoder = createDecoder<T>(readSchema(file), (id) => registry.schemaById(id, subject))
  const id = await registry.lookUp(subject, readSchema(file))
  if (id !== null) await decoder.learn(id)
  return (value) => {
    const decoded = decoder.decode(value)
    if (decoded instanceof DecodeFault) throw new Error(`${topic}: ${decoded.detail}`)
    return decoded
  }
}

async function readTransactions(place: BenchEnvironment): Promise<Transaction[][]> {
  const topic = place.definition.topics.transactions
  const decode = await openDecoder<Transaction>(place, 'transaction', topic)
  const lanes = Array.from({ length: place.partitions }, (): Transaction[] => [])
  await readTopic({
    place,
    topic,
    onMessages: (partition, messages) => {
      for (const { value } of messages) lanes[partition]!.push(decode(value))
    },
  })
  return lanes
}

/** The earliest head of all lanes goes first; lateness as the lane itself would have seen it. */
export function mergeByEventTime(lanes: readonly (readonly Transaction[])[]): {
  readonly transactions: readonly Transaction[]
  readonly latenessMs: Float64Array
} {
  const next = lanes.map(() => 0)
  const highestMs = lanes.map(() => Number.NEGATIVE_INFINITY)
  const count = lanes.reduce((sum, lane) => sum + lane.length, 0)
  const latenessMs = new Float64Array(count)
  const transactions = Array.from({ length: count }, (_, row) => {
    const headMs = lanes.map((lane, i) => lane[next[i]!]?.eventTime ?? Number.POSITIVE_INFINITY)
    const earliest = headMs.indexOf(Math.min(...headMs))
    latenessMs[row] = Math.max(0, highestMs[earliest]! - headMs[earliest]!)
    highestMs[earliest] = Math.max(highestMs[earliest]!, headMs[earliest]!)
    return lanes[earliest]![next[earliest]!++]!
  })
  return { transactions, latenessMs }
}

async function computeVectors(
  definition: PipelineDefinition,
  transactions: readonly Transaction[],
  latenessMs: Float64Array,
): Promise<Float32Array> {
  const plan = planFeatures(definition)
  const store = createMemoryLogStore(plan.kinds)
  const width = definition.features.length
  const vectors = new Float32Array(transactions.length * width).fill(Number.NaN)
  const { epoch } = await store.claim(laneId)
  for (let from = 0; from < transactions.length; from += batchEvents) {
    const chunk = transactions.slice(from, from + batchEvents)
    const lateness = latenessMs.subarray(from, from + batchEvents)
    const batch = batchOf(chunk, lateness, { epoch, from })
    const enriched = await enrich(batch, { plan, store, late: definition.late })
    for (let i = 0; i < enriched.count; i++) {
      const vector = enriched.vectors.subarray(i * width, (i + 1) * width)
      vectors.set(vector, (from + enriched.arrivalIndexes[i]!) * width)
    }
  }
  return vectors
}

/** All lanes as one, whose offsets are the rows: what the merged stream is. */
function batchOf(
  transactions: readonly Transaction[],
  latenessMs: Float64Array,
  { epoch, from }: { readonly epoch: number; readonly from: number },
): Batch {
  const arrivals = transactions.map((transaction, i): Arrival => {
    const raw = { offset: from + i, brokerTimeMs: transaction.eventTime, key: null, value: null }
    return { raw, transaction, label: null, rejection: null }
  })
  const slice: LaneSlice = {
    laneId,
    stream: 'transactions',
    partition: 0,
    epoch,
    fromOffset: from,
    committedOffset: from,
    firstOffset: from,
    lastOffset: from + arrivals.length - 1,
    watermarkMs: transactions.at(-1)!.eventTime,
    frontierMs: transactions.at(-1)!.eventTime,
    isIdle: false,
  }
  return {
    lanes: [slice],
    arrivals,
    laneIndexes: new Uint16Array(arrivals.length),
    latenessMs,
    brakes: [{ events: 0, flagged: 0, eventsBefore: 0, flaggedBefore: 0 }],
  }
}
