// From a batch to the store's records: the first half of the enrich stage, synchronous and pure.
//
// In: a batch merged by event time, labels among it. Out: one record per transaction and entity,
// one look at the labels of each entity that has some, one record per fraud label; and which
// transactions are too late for the pipeline and go to the late topic. Invariant: records stand in
// the batch's order, those of one transaction side by side.

import { hashToInteger } from '../../core/hash.ts'
import type { PipelineDefinition } from '../../core/pipeline-definition.ts'
import { NO_KEY } from '../entity-key.ts'
import type { Batch } from '../records.ts'
import { encodeSource } from './entity-log.ts'
import type { FeaturePlan } from './feature-plan.ts'
import { LABEL_TIME_VALUE, LABEL_TRANSACTION_VALUE } from './find-frauds.ts'
import type { LogRecords } from './log-store.ts'

type CollectOptions = {
  readonly plan: FeaturePlan
  readonly late: PipelineDefinition['late']
}

/** The store's records of a batch, and which transactions they belong to. */
export type CollectedRecords = {
  readonly records: LogRecords
  readonly count: number
  readonly arrivalIndexes: Uint32Array
  /** Entry of each transaction's first record; its others follow: entities, then their labels. */
  readonly firstEntries: Uint32Array
  readonly diverted: readonly number[]
}

export function collectRecords(batch: Batch, { plan, late }: CollectOptions): CollectedRecords {
  const { arrivals } = batch
  const perEvent = plan.entities.length + plan.labelEntityCount
  const records = createRecords(arrivals.length * perEvent, plan.valueStride)
  const arrivalIndexes = new Uint32Array(arrivals.length)
  const firstEntries = new Uint32Array(arrivals.length)
  const diverted: number[] = []
  let count = 0
  for (let i = 0; i < arrivals.length; i++) {
    const { transaction, label } = arrivals[i]!
    if (label !== null) {
      if (label.isFraud) addLabelRecords(records, batch, i, plan)
      continue
    }
    if (transaction === null) continue
    const isLate = batch.latenessMs[i]! > late.allowedMs
    if (isLate && late.then === 'divert') {
      diverted.push(i)
      continue
    }
    firstEntries[count] = records.count
    arrivalIndexes[count++] = i
    addTransactionRecords(records, batch, i, plan, isLate ? 0 : 1)
  }
  return {
    records,
    count,
    arrivalIndexes: arrivalIndexes.subarray(0, count),
    firstEntries: firstEntries.subarray(0, count),
    diverted,
  }
}

function createRecords(capacity: number, valueStride: number): LogRecords {
  return {
    count: 0,
    kinds: new Uint8Array(capacity),
    keys: [],
    eventTimesMs: new Float64Array(capacity),
    sources: new Float64Array(capacity),
    laneIndexes: new Uint16Array(capacity),
    appends: new Uint8Array(capacity),
    values: new Float64Array(capacity * valueStride),
    valueStride,
  }
}

/**
 * Per transaction: one record per entity, then one look at the labels of each entity that has some.
 */
function addTransactionRecords(
  records: LogRecords,
  batch: Batch,
  index: number,
  plan: FeaturePlan,
  appends: 0 | 1,
): void {
  const transaction = batch.arrivals[index]!.transaction!
  const { entities } = plan
  const first = records.count
  for (const entity of entities) {
    const entry = addRecord(records, batch, index, entity.kind, transaction.eventTime)
    const key = entity.readKey(transaction)
    records.keys.push(key)
    records.appends[entry] = key === NO_KEY ? 0 : appends
    const at = entry * records.valueStride
    const { storedValues } = entity
    for (let v = 0; v < storedValues.length; v++) {
      records.values[at + v] = storedValues[v]!.read(transaction)
    }
  }
  for (let e = 0; e < entities.length; e++) {
    if (entities[e]!.labelKind < 0) continue
    addRecord(records, batch, index, entities[e]!.labelKind, transaction.eventTime)
    records.keys.push(records.keys[first + e]!)
  }
}

function addLabelRecords(
  records: LogRecords,
  batch: Batch,
  index: number,
  plan: FeaturePlan,
): void {
  const label = batch.arrivals[index]!.label!
  for (const entity of plan.entities) {
    const key = entity.labelKind < 0 ? NO_KEY : entity.readKey(label)
    if (key === NO_KEY) continue
    const entry = addRecord(records, batch, index, entity.labelKind, label.eventTime)
    records.keys.push(key)
    records.appends[entry] = 1
    const at = entry * records.valueStride
    records.values[at + LABEL_TIME_VALUE] = label.labelTime
    records.values[at + LABEL_TRANSACTION_VALUE] = hashToInteger(label.transactionId)
  }
}

function addRecord(
  records: LogRecords,
  batch: Batch,
  index: number,
  kind: number,
  eventTimeMs: number,
): number {
  const entry = records.count++
  const laneIndex = batch.laneIndexes[index]!
  records.kinds[entry] = kind
  records.laneIndexes[entry] = laneIndex
  records.eventTimesMs[entry] = eventTimeMs
  records.sources[entry] = encodeSource(
    batch.lanes[laneIndex]!.laneId,
    batch.arrivals[index]!.raw.offset,
  )
  return entry
}
