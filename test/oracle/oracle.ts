// The oracle: what every scored event of a history of deliveries has to be.
//
// In: the batches that a store was given, in the same order. Out: per scored transaction its
// vector, ordinals and what was visible. It keeps every event for ever and is slow on purpose; the
// vector itself comes from services/parity/naive/naive-features.ts. What it knows is who sees what:
//   - an entity's log is the order in which its events were first applied; an event delivered again
//     (same lane and offset) stands at its first place
//   - an event that is later than allowed is scored, not counted: it looks at the log as if it had
//     been appended at its place in the batch, and leaves no trace. The same place shows it the
//     labels. Delivered again, it sees no more than lies before the log's next event in the batch

import { limits } from '../../services/core/limits.ts'
import {
  type EntityDefinition,
  looksAtLabels,
  type PipelineDefinition,
} from '../../services/core/pipeline-definition.ts'
import { computeNaiveFeatures } from '../../services/parity/naive/naive-features.ts'
import type { Ceilings } from '../../services/pipeline/enrich/fold-log.ts'
import type { Batch, Label, Transaction } from '../../services/pipeline/records.ts'

export type OracleRow = {
  readonly arrivalIndex: number
  readonly vector: readonly number[]
  readonly ordinals: readonly number[]
  readonly eventsSeen: readonly number[]
  /** For the entities that have features of labels, in their order. */
  readonly labelsSeen: readonly number[]
  readonly isSaturated: boolean
}

export type Oracle = {
  readonly advance: (batch: Batch, options?: OracleOptions) => readonly OracleRow[]
}

type IsApplied = (entity: string, keys: readonly string[]) => boolean

export type OracleOptions = {
  /** Whether the store got this batch's records for a log; by default it got all of them. */
  readonly isApplied?: IsApplied
  /** Arrivals whose rows are wanted; by default all. */
  readonly isWanted?: (arrivalIndex: number) => boolean
}

/** A row, and where it came from: the place of its event among all batches and within its batch. */
type Placed<T> = {
  readonly laneId: number
  readonly offset: number
  readonly event: T
  readonly batch: number
  readonly index: number
}
/** Rows in order, and the position of each by its lane and offset. */
type Log<T> = { readonly rows: Placed<T>[]; readonly positions: Map<string, number> }
type Fields = Readonly<Record<string, unknown>>

export function createOracle(definition: PipelineDefinition, ceilings: Ceilings = limits): Oracle {
  const { entities, features, late } = definition
  const transactionLogs = new Map<string, Log<Transaction>>()
  const labelLogs = new Map<string, Log<Label>>()
  const labelledEntities = entities.filter(({ name }) =>
    features.some((f) => f.kind === 'window' && f.entity === name && looksAtLabels(f)),
  )

  /** All batches so far, the running one last. */
  const deliveries: { batch: Batch; isApplied: IsApplied }[] = []

  const isLate = (batch: Batch, index: number) => batch.latenessMs[index]! > late.allowedMs

  const identify = (batch: Batch, index: number) => ({
    laneId: batch.lanes[batch.laneIndexes[index]!]!.laneId,
    offset: batch.arrivals[index]!.raw.offset,
  })

  function applyArrival(batch: Batch, index: number, isApplied: IsApplied): void {
    const { transaction, label } = batch.arrivals[index]!
    const place = { ...identify(batch, index), batch: deliveries.length, index }
    if (transaction !== null && !isLate(batch, index)) {
      for (const entity of entities) {
        if (!isApplied(entity.name, keysOf(entity, transaction))) continue
        addOnce(logOf(transactionLogs, entity, transaction), { ...place, event: transaction })
      }
    }
    if (label?.isFraud) {
      for (const entity of labelledEntities) {
        if (!isApplied(entity.name, keysOf(entity, label))) continue
        addOnce(logOf(labelLogs, entity, label), { ...place, event: label })
      }
    }
  }

  function isDeliveredAgain(entity: EntityDefinition, batch: Batch, index: number): boolean {
    const { laneId, offset } = identify(batch, index)
    const keys = keysOf(entity, batch.arrivals[index]!.transaction!)
    return deliveries
      .slice(0, -1)
      .filter(({ isApplied }) => isApplied(entity.name, keys))
      .some(({ batch: { lanes } }) =>
        lanes.some((lane) => lane.laneId === laneId && lane.lastOffset >= offset),
      )
  }

  /** Rows before the event's own place, or before the place where it would stand. */
  function countVisible<T>(log: Log<T>, batch: Batch, index: number, isAgain: boolean): number {
    const own = placeOf(log, identify(batch, index))
    if (own >= 0) return own
    if (!isAgain) {
      const isBefore = (row: Placed<T>) => row.batch < deliveries.length || row.index < index
      return log.rows.filter(isBefore).length
    }
    const followers = batch.arrivals.map((_, i) => placeOf(log, identify(batch, i)))
    return followers.find((place, i) => i > index && place >= 0) ?? log.rows.length
  }

  function scoreArrival(batch: Batch, index: number): OracleRow {
    const transaction = batch.arrivals[index]!.transaction!
    const histories = entities.map((entity) => {
      const log = logOf(transactionLogs, entity, transaction)
      const labelLog = logOf(labelLogs, entity, transaction)
      const isAgain = isDeliveredAgain(entity, batch, index)
      const seen = countVisible(log, batch, index, isAgain)
      const labelsSeen = countVisible(labelLog, batch, index, isAgain)
      return {
        entity: entity.name,
        ordinal: placeOf(log, identify(batch, index)),
        before: log.rows.slice(0, seen).map(({ event }) => event),
        labels: labelLog.rows.slice(0, labelsSeen).map(({ event }) => event),
      }
    })
    const isLabelled = ({ entity }: { entity: string }) =>
      labelledEntities.some(({ name }) => name === entity)
    return {
      arrivalIndex: index,
      ...computeNaiveFeatures(definition, { transaction, histories }, ceilings),
      ordinals: histories.map(({ ordinal }) => ordinal),
      eventsSeen: histories.map(({ before }) => before.length),
      labelsSeen: histories.filter(isLabelled).map(({ labels }) => labels.length),
    }
  }

  const advance = (batch: Batch, options: OracleOptions = {}): readonly OracleRow[] => {
    const { isApplied = () => true, isWanted = () => true } = options
    deliveries.push({ batch, isApplied })
    const indexes = batch.arrivals.map((_, index) => index)
    for (const index of indexes) applyArrival(batch, index, isApplied)
    return indexes
      .filter(isWanted)
      .filter((index) => batch.arrivals[index]!.transaction !== null)
      .filter((index) => late.then === 'score_only' || !isLate(batch, index))
      .map((index) => scoreArrival(batch, index))
  }

  return { advance }
}

const keysOf = (entity: EntityDefinition, event: Transaction | Label): string[] =>
  entity.key.map((field) => (event as unknown as Fields)[field] as string)

function logOf<T>(
  logs: Map<string, Log<T>>,
  entity: EntityDefinition,
  event: Transaction | Label,
): Log<T> {
  const name = JSON.stringify([entity.name, ...keysOf(entity, event)])
  const log = logs.get(name) ?? { rows: [], positions: new Map() }
  logs.set(name, log)
  return log
}

type Identity = { readonly laneId: number; readonly offset: number }

const nameOf = ({ laneId, offset }: Identity): string => `${laneId}:${offset}`

const placeOf = <T>(log: Log<T>, identity: Identity): number =>
  log.positions.get(nameOf(identity)) ?? -1

function addOnce<T>(log: Log<T>, row: Placed<T>): void {
  if (placeOf(log, row) >= 0) return
  log.positions.set(nameOf(row), log.rows.length)
  log.rows.push(row)
}
