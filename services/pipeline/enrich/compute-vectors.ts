// From logs to vectors: the arithmetic half of the enrich stage, synchronous and pure.
//
// In: the batch, its records and the store's answer. Out: the EnrichedBatch. Doubles throughout;
// each feature is rounded to float32 once, when it is written into the vector.
// An event that is not counted stands in its logs as a virtual row while its vector is computed, so
// that its windows hold the event itself and everything visible at its place, and nothing else.

import type { Batch, EnrichedBatch, Transaction } from '../records.ts'
import type { CollectedRecords } from './collect-records.ts'
import { createEntityLog, type EntityLog, TIME_MAX, withVirtualRow } from './entity-log.ts'
import type { FeaturePlan } from './feature-plan.ts'
import { createWindowBounds, findWindow, type WindowBounds } from './find-window.ts'
import type { AdvanceReply } from './log-store.ts'
import type { LogView } from './window-features.ts'

/** Scratch space of one row: reused from row to row, never handed out. */
type Desk = {
  readonly plan: FeaturePlan
  readonly views: readonly LogView[]
  readonly bounds: readonly (readonly WindowBounds[])[]
  /** Row index of the event in each entity's log, a virtual row's included. */
  readonly rowIndexes: Int32Array
  /** The vector in doubles, for ratios. */
  readonly vector: Float64Array
}

const NO_LOG: EntityLog = createEntityLog({ values: 0, summed: 0, extremes: [], keepsFirst: false })

export function computeVectors(
  batch: Batch,
  collected: CollectedRecords,
  reply: AdvanceReply,
  plan: FeaturePlan,
): EnrichedBatch {
  const { count, arrivalIndexes, diverted } = collected
  const enriched: EnrichedBatch = {
    batch,
    count,
    arrivalIndexes,
    vectors: new Float32Array(count * plan.features.length),
    ordinals: new Float64Array(count * plan.entities.length),
    eventsSeen: new Float64Array(count * plan.entities.length),
    labelsSeen: new Float64Array(count * plan.labelEntityCount),
    saturated: new Uint8Array(count),
    diverted,
  }
  const desk = createDesk(plan)
  for (let row = 0; row < count; row++) {
    const entry = collected.firstEntries[row]!
    const transaction = batch.arrivals[arrivalIndexes[row]!]!.transaction!
    const isCounted = openLogs(enriched, row, entry, reply, transaction, desk)
    if (isCounted) writeRow(enriched, row, transaction, desk)
    else writeUncountedRow(enriched, row, { entry, collected, transaction, desk })
  }
  return enriched
}

function createDesk(plan: FeaturePlan): Desk {
  return {
    plan,
    views: plan.entities.map(({ kind, labelKind }) => ({
      log: NO_LOG,
      timeMs: 0,
      highestMs: 0,
      history: plan.kinds[kind]!.history,
      labels: null,
      labelsVisible: 0,
      labelHistory: plan.kinds[labelKind]?.history ?? null,
    })),
    bounds: plan.entities.map(({ windows }) => windows.map(createWindowBounds)),
    rowIndexes: new Int32Array(plan.entities.length),
    vector: new Float64Array(plan.features.length),
  }
}

/**
 * Lays the row's logs on the desk and notes what was visible; false if the event is not in them.
 */
function openLogs(
  enriched: EnrichedBatch,
  row: number,
  entry: number,
  reply: AdvanceReply,
  transaction: Transaction,
  { plan, views, rowIndexes }: Desk,
): boolean {
  const { entities, labelEntityCount } = plan
  let isCounted = true
  for (let e = 0; e < entities.length; e++) {
    const log = reply.logs[entry + e]!
    const position = reply.positions[entry + e]!
    const visible = reply.visible[entry + e]!
    const at = row * entities.length + e
    enriched.ordinals[at] = position < 0 ? -1 : log.base + position
    enriched.eventsSeen[at] = log.base + visible
    if (position < 0) isCounted = false
    rowIndexes[e] = visible
    const view = views[e]!
    view.log = log
    view.timeMs = transaction.eventTime
    const { labelColumn } = entities[e]!
    if (labelColumn < 0) continue
    const labelEntry = entry + entities.length + labelColumn
    view.labels = reply.logs[labelEntry]!
    view.labelsVisible = reply.visible[labelEntry]!
    enriched.labelsSeen[row * labelEntityCount + labelColumn] =
      view.labels.base + view.labelsVisible
  }
  return isCounted
}

type UncountedRow = {
  readonly entry: number
  readonly collected: CollectedRecords
  readonly transaction: Transaction
  readonly desk: Desk
}

function writeUncountedRow(enriched: EnrichedBatch, row: number, uncounted: UncountedRow): void {
  const { entry, collected, transaction, desk } = uncounted
  const { values, valueStride } = collected.records
  const standIn = (e: number): void => {
    const view = desk.views[e]
    if (view === undefined) {
      writeRow(enriched, row, transaction, desk)
      return
    }
    const virtualRow = {
      timeMs: transaction.eventTime,
      values,
      from: (entry + e) * valueStride,
    }
    withVirtualRow(view.log, desk.rowIndexes[e]!, virtualRow, () => standIn(e + 1))
  }
  standIn(0)
}

function writeRow(
  enriched: EnrichedBatch,
  row: number,
  transaction: Transaction,
  desk: Desk,
): void {
  findWindows(desk)
  const { plan, views, bounds, vector } = desk
  const { features } = plan
  const at = row * features.length
  for (let f = 0; f < features.length; f++) {
    const feature = features[f]!
    let value: number
    if (feature.source === 'log') {
      value = feature.compute(views[feature.entity]!, bounds[feature.entity]![feature.window]!)
    } else if (feature.source === 'transaction') {
      value = feature.compute(transaction)
    } else {
      const divisor = vector[feature.denominator]!
      value = divisor === 0 ? feature.absent : vector[feature.numerator]! / divisor
    }
    vector[f] = value
    enriched.vectors[at + f] = value
  }
  if (isSaturated(desk)) enriched.saturated[row] = 1
}

function findWindows({ plan, views, bounds, rowIndexes }: Desk): void {
  for (let e = 0; e < plan.entities.length; e++) {
    const { windows } = plan.entities[e]!
    const view = views[e]!
    const { log, timeMs, history } = view
    const index = rowIndexes[e]!
    view.highestMs = log.rows[index * log.stride + TIME_MAX]!
    for (let w = 0; w < windows.length; w++) {
      findWindow(log, index, timeMs, windows[w]!, history, bounds[e]![w]!)
    }
  }
}

/** Whether a window may have missed something: too many records, or an event much too late. */
function isSaturated({ plan, views, rowIndexes }: Desk): boolean {
  const { entities, allowedMs, ceilings } = plan
  const { entityRecordsMax, entityRecordsNewest } = ceilings
  for (let e = 0; e < entities.length; e++) {
    const { windows, exactSpanMs, hasNewest } = entities[e]!
    if (windows.length === 0) continue
    const { log, timeMs, highestMs } = views[e]!
    const { rows, stride } = log
    if (timeMs < highestMs - allowedMs) return true
    const index = rowIndexes[e]!
    // The highest time so far: a hidden late row may be younger than the oldest that is shown.
    const oldest = index - entityRecordsMax + 1
    if (exactSpanMs > 0 && oldest >= 0 && log.base + index >= entityRecordsMax) {
      if (rows[oldest * stride + TIME_MAX]! > timeMs - exactSpanMs) return true
    }
    const older = index - entityRecordsNewest
    if (hasNewest && older >= 0 && rows[older * stride + TIME_MAX]! > timeMs) return true
  }
  return false
}
