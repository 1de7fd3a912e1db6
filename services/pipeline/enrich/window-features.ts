// One function per windowed feature, and the bounds of a window in a log.
//
// A window at row k with event time t is every row i <= k (i < k with current: false) whose event
// time lies in (t - delay - window, t - delay]. In an ordered log that is a range of rows. Late events
// blur its two ends by as much as they were late; what lies between is inside all the same:
//
//   rows   ... low | outside or inside | coreLow   all inside   coreHigh | outside or inside | high ...
//
// Count and sum of the core are differences, O(log n); only its ends are tested row by row.
// Invariant: sums run over integers and are exact, so the double does not depend on where ends lie.
//
// Rows further back than limits.entityRecordsMax are never looked at, whether they are still stored
// or not, so that trimming is invisible.

import { limits } from '../../core/limits.ts'
import type { WindowFeature } from '../../core/pipeline-definition.ts'
import { type EntityLog, TIME, TIME_MAX, VALUES } from './entity-log.ts'
import { standardDeviation } from './standard-deviation.ts'

/** Values of a label record: when it became known, and which transaction it is about. */
export const LABEL_TIME_VALUE = 0
export const LABEL_TRANSACTION_VALUE = 1

/** Row indexes, inclusive. Without a core, coreLow is low and coreHigh the row before it. */
export type WindowBounds = {
  low: number
  coreLow: number
  coreHigh: number
  high: number
  /** The window is (afterMs, untilMs]. */
  afterMs: number
  untilMs: number
}

/** What a windowed feature may look at for one transaction. */
export type LogView = {
  log: EntityLog
  /** Event time of the transaction, ms. */
  timeMs: number
  /** The entity's labels, of which the first `labelsVisible` rows are known; null without labels. */
  labels: EntityLog | null
  labelsVisible: number
}

export type WindowFunction = (view: LogView, bounds: WindowBounds) => number

export const createWindowBounds = (): WindowBounds => ({
  low: 0,
  coreLow: 0,
  coreHigh: -1,
  high: -1,
  afterMs: 0,
  untilMs: 0,
})

/** Finds the rows of a window that ends at row `last` (the newest row it may contain). */
export function findWindow(
  log: EntityLog,
  last: number,
  afterMs: number,
  untilMs: number,
  bounds: WindowBounds,
): void {
  const { latenessMaxMs } = log
  const first = Math.max(0, last - limits.entityRecordsMax + 1)
  const low = firstAbove(log, afterMs, first, last)
  const isOrdered = latenessMaxMs === 0
  bounds.low = low
  bounds.coreLow = isOrdered ? low : firstAbove(log, afterMs + latenessMaxMs, low, last)
  bounds.coreHigh = lastUntil(log, untilMs, low, last)
  bounds.high = isOrdered ? bounds.coreHigh : lastUntil(log, untilMs + latenessMaxMs, low, last)
  bounds.afterMs = afterMs
  bounds.untilMs = untilMs
  if (bounds.coreHigh >= bounds.coreLow) return
  bounds.coreLow = low
  bounds.coreHigh = low - 1
}

/** First of the rows from..last whose highest time so far is above `timeMs`; last + 1 if none is. */
function firstAbove(log: EntityLog, timeMs: number, from: number, last: number): number {
  const { rows, stride } = log
  let low = from
  let high = last + 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if (rows[middle * stride + TIME_MAX]! > timeMs) high = middle
    else low = middle + 1
  }
  return low
}

/** Last of the rows from..last whose highest time so far is not above `timeMs`; from - 1 if none. */
function lastUntil(log: EntityLog, timeMs: number, from: number, last: number): number {
  // Nearly every window ends with the newest row: no search then.
  if (last >= from && log.rows[last * log.stride + TIME_MAX]! <= timeMs) return last
  return firstAbove(log, timeMs, from, last) - 1
}

export function planWindowFeature(
  feature: WindowFeature,
  valueIndex: number,
  valueCount: number,
): WindowFunction {
  const { scale, absent } = feature
  const value = VALUES + valueIndex
  const sum = VALUES + valueCount + valueIndex
  switch (feature.op) {
    case 'count':
      return ({ log }, bounds) => countRows(log, bounds) * scale
    case 'sum':
      return ({ log }, bounds) =>
        countRows(log, bounds) === 0 ? absent : sumRows(log, bounds, value, sum) * scale
    case 'mean':
      return ({ log }, bounds) => {
        const count = countRows(log, bounds)
        return count === 0 ? absent : (sumRows(log, bounds, value, sum) / count) * scale
      }
    case 'min':
      return ({ log }, bounds) => scaleOr(absent, scale, extremeOf(log, bounds, value, -1))
    case 'max':
      return ({ log }, bounds) => scaleOr(absent, scale, extremeOf(log, bounds, value, 1))
    case 'stddev':
      return ({ log }, bounds) => {
        const deviation = standardDeviation(valuesOf(log, bounds, value))
        return scaleOr(absent, scale, deviation)
      }
    case 'distinct':
      return ({ log }, bounds) => new Set(valuesOf(log, bounds, value)).size * scale
    case 'seconds_since_last':
      return ({ log, timeMs }, bounds) => {
        const lastMs = newestValue(log, bounds, TIME)
        return Number.isNaN(lastMs) ? absent : ((timeMs - lastMs) / 1000) * scale
      }
    case 'seconds_since_first':
      return ({ log, timeMs }, bounds) => {
        const firstMs = oldestTime(log, bounds)
        return Number.isNaN(firstMs) ? absent : ((timeMs - firstMs) / 1000) * scale
      }
    case 'last':
      return ({ log }, bounds) => scaleOr(absent, scale, newestValue(log, bounds, value))
    case 'fraud_rate':
      return (view, bounds) => {
        const count = countRows(view.log, bounds)
        return count === 0 ? absent : (countFrauds(view, bounds) / count) * scale
      }
  }
}

const scaleOr = (absent: number, scale: number, value: number): number =>
  Number.isNaN(value) ? absent : value * scale

function countRows(log: EntityLog, bounds: WindowBounds): number {
  const { low, coreLow, coreHigh, high } = bounds
  let count = coreHigh - coreLow + 1
  for (let i = low; i < coreLow; i++) if (isInside(log, i, bounds)) count++
  for (let i = coreHigh + 1; i <= high; i++) if (isInside(log, i, bounds)) count++
  return count
}

function sumRows(log: EntityLog, bounds: WindowBounds, value: number, sum: number): number {
  const { rows, stride } = log
  const { low, coreLow, coreHigh, high } = bounds
  let total = 0
  if (coreHigh >= coreLow) {
    const from = coreLow * stride
    total = rows[coreHigh * stride + sum]! - rows[from + sum]! + rows[from + value]!
  }
  for (let i = low; i < coreLow; i++) {
    if (isInside(log, i, bounds)) total += rows[i * stride + value]!
  }
  for (let i = coreHigh + 1; i <= high; i++) {
    if (isInside(log, i, bounds)) total += rows[i * stride + value]!
  }
  return total
}

/** Largest (sign 1) or smallest (sign -1) of a column in the window; NaN when it is empty. */
function extremeOf(log: EntityLog, bounds: WindowBounds, column: number, sign: 1 | -1): number {
  const { rows, stride } = log
  let extreme = Number.NaN
  for (let i = bounds.low; i <= bounds.high; i++) {
    if (!isInside(log, i, bounds)) continue
    const value = rows[i * stride + column]!
    if (!(sign * value <= sign * extreme)) extreme = value
  }
  return extreme
}

function oldestTime(log: EntityLog, bounds: WindowBounds): number {
  const { rows, stride, latenessMaxMs } = log
  let oldestMs = Number.NaN
  for (let i = bounds.low; i <= bounds.high; i++) {
    // Rows from here on cannot be older.
    if (rows[i * stride + TIME_MAX]! - latenessMaxMs >= oldestMs) break
    const timeMs = rows[i * stride + TIME]!
    if (isInside(log, i, bounds) && !(timeMs >= oldestMs)) oldestMs = timeMs
  }
  return oldestMs
}

/** The value of the row with the highest event time; of equal ones the newest in the log. */
function newestValue(log: EntityLog, bounds: WindowBounds, column: number): number {
  const { rows, stride } = log
  let newest = Number.NaN
  let newestMs = Number.NEGATIVE_INFINITY
  for (let i = bounds.high; i >= bounds.low; i--) {
    // Rows before this one cannot be newer.
    if (rows[i * stride + TIME_MAX]! <= newestMs) break
    const timeMs = rows[i * stride + TIME]!
    if (timeMs <= newestMs || !isInside(log, i, bounds)) continue
    newestMs = timeMs
    newest = rows[i * stride + column]!
  }
  return newest
}

function valuesOf(log: EntityLog, bounds: WindowBounds, column: number): number[] {
  const values: number[] = []
  for (let i = bounds.low; i <= bounds.high; i++) {
    if (isInside(log, i, bounds)) values.push(log.rows[i * log.stride + column]!)
  }
  return values
}

/** Transactions of the window with a label that says fraud and was known at the time asked for. */
function countFrauds(view: LogView, { afterMs, untilMs }: WindowBounds): number {
  const { labels, labelsVisible, timeMs } = view
  if (labels === null || labelsVisible === 0) return 0
  const { rows, stride } = labels
  let seen: Set<number> | null = null
  for (let i = Math.max(0, labelsVisible - limits.entityRecordsMax); i < labelsVisible; i++) {
    const at = i * stride
    const eventTimeMs = rows[at + TIME]!
    if (eventTimeMs <= afterMs || eventTimeMs > untilMs) continue
    if (rows[at + VALUES + LABEL_TIME_VALUE]! > timeMs) continue
    // A case tool may label a transaction twice; it is one fraud all the same.
    seen ??= new Set()
    seen.add(rows[at + VALUES + LABEL_TRANSACTION_VALUE]!)
  }
  return seen?.size ?? 0
}

function isInside(log: EntityLog, index: number, { afterMs, untilMs }: WindowBounds): boolean {
  const timeMs = log.rows[index * log.stride + TIME]!
  return timeMs > afterMs && timeMs <= untilMs
}
