// One function per windowed feature, and the bounds of a window in a log.
//
// A window at row k with event time t is every row i <= k (i < k with current: false) whose event
// time lies in (t - delay - window, t - delay]. Where the log is in order from the window's first
// row on (nearly always), the window is a range of rows: count and sum are differences, O(log n).
// Where a late event disturbs the order, the same range is scanned with the definition as its test.
// Invariant: both ways give the same double, bit for bit; sums run over integers and are exact.
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

/** Rows low..high (inclusive) hold the window; when not contiguous, some of them lie outside. */
export type WindowBounds = {
  low: number
  high: number
  isContiguous: boolean
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
  high: -1,
  isContiguous: true,
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
  const { rows, stride } = log
  const first = Math.max(0, last - limits.entityRecordsMax + 1)
  let low = first
  let high = last + 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if (rows[middle * stride + TIME_MAX]! > afterMs) high = middle
    else low = middle + 1
  }
  bounds.low = low
  bounds.high = last
  bounds.afterMs = afterMs
  bounds.untilMs = untilMs
  bounds.isContiguous = log.lastDisorder < low
  if (bounds.isContiguous) bounds.high = lastUntil(log, low, last, untilMs)
}

function lastUntil(log: EntityLog, low: number, last: number, untilMs: number): number {
  const { rows, stride } = log
  if (last < low || rows[last * stride + TIME]! <= untilMs) return last
  let from = low
  let to = last
  while (from < to) {
    const middle = (from + to) >>> 1
    if (rows[middle * stride + TIME]! > untilMs) to = middle
    else from = middle + 1
  }
  return from - 1
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
  const { low, high } = bounds
  if (bounds.isContiguous) return high < low ? 0 : high - low + 1
  let count = 0
  for (let i = low; i <= high; i++) if (isInside(log, i, bounds)) count++
  return count
}

function sumRows(log: EntityLog, bounds: WindowBounds, value: number, sum: number): number {
  const { rows, stride } = log
  const { low, high } = bounds
  if (bounds.isContiguous) {
    return rows[high * stride + sum]! - rows[low * stride + sum]! + rows[low * stride + value]!
  }
  let total = 0
  for (let i = low; i <= high; i++) {
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
  if (!bounds.isContiguous) return extremeOf(log, bounds, TIME, -1)
  return bounds.high < bounds.low ? Number.NaN : log.rows[bounds.low * log.stride + TIME]!
}

/** The value of the row with the highest event time; of equal ones the newest in the log. */
function newestValue(log: EntityLog, bounds: WindowBounds, column: number): number {
  const { rows, stride } = log
  if (bounds.isContiguous) {
    return bounds.high < bounds.low ? Number.NaN : rows[bounds.high * stride + column]!
  }
  let newest = Number.NaN
  let newestMs = Number.NEGATIVE_INFINITY
  for (let i = bounds.low; i <= bounds.high; i++) {
    if (!isInside(log, i, bounds) || rows[i * stride + TIME]! < newestMs) continue
    newestMs = rows[i * stride + TIME]!
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
