// One function per windowed feature: rows of a window, and its tiles, come to one number.
//
// In: what may be looked at for one transaction, and the bounds that find-window.ts found. Out: a
// double. Count and sum of a window's range are differences, O(1); only late rows at its ends are
// tested one by one, and what was folded comes as a line per tile. Invariant: sums run over
// integers and are exact, so the double does not depend on where ends lie or what was folded.

import type { WindowFeature } from '../../core/pipeline-definition.ts'
import { type EntityLog, newestLate, TIME, TIME_MAX, VALUES } from './entity-log.ts'
import { planFraudSearch } from './find-frauds.ts'
import type { WindowBounds } from './find-window.ts'
import type { LogHistory } from './fold-log.ts'
import { standardDeviation } from './standard-deviation.ts'
import { extremeColumn, TILE_FIRST, TILE_ROWS, TILE_SUMS, tileStride } from './tiles.ts'

/** What a windowed feature may look at for one transaction. */
export type LogView = {
  log: EntityLog
  /** Event time of the transaction, ms. */
  timeMs: number
  /** Highest event time of the log up to the transaction, ms. */
  highestMs: number
  history: LogHistory
  /**
   * The entity's labels, of which the first `labelsVisible` rows are known; null without labels.
   */
  labels: EntityLog | null
  labelsVisible: number
  labelHistory: LogHistory | null
}

export type WindowFunction = (view: LogView, bounds: WindowBounds) => number

export function planWindowFeature(feature: WindowFeature, value: number): WindowFunction {
  const { scale, absent } = feature
  switch (feature.op) {
    case 'count':
      return ({ log }, bounds) => countRows(log, bounds) * scale
    case 'sum':
      return ({ log }, bounds) =>
        countRows(log, bounds) === 0 ? absent : sumRows(log, bounds, value) * scale
    case 'mean':
      return ({ log }, bounds) => {
        const count = countRows(log, bounds)
        return count === 0 ? absent : (sumRows(log, bounds, value) / count) * scale
      }
    case 'min':
      return ({ log }, bounds) => scaleOr(absent, scale, extremeOf(log, bounds, value, SMALLEST))
    case 'max':
      return ({ log }, bounds) => scaleOr(absent, scale, extremeOf(log, bounds, value, LARGEST))
    case 'stddev':
      return ({ log }, bounds) => {
        const deviation = standardDeviation(valuesOf(log, bounds, value))
        return scaleOr(absent, scale, deviation)
      }
    case 'distinct':
      return ({ log }, bounds) => countDistinct(log, bounds, value) * scale
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
      return ({ log }, bounds) => scaleOr(absent, scale, newestValue(log, bounds, VALUES + value))
    case 'fraud_rate': {
      const findFrauds = planFraudSearch(feature)
      return (view, bounds) => {
        const count = countRows(view.log, bounds)
        return count === 0 ? absent : (findFrauds(view).count / count) * scale
      }
    }
    case 'fraud_count': {
      const findFrauds = planFraudSearch(feature)
      return (view) => findFrauds(view).count * scale
    }
    case 'seconds_since_last_fraud': {
      const findFrauds = planFraudSearch(feature)
      return (view) => secondsOr(absent, scale, view.timeMs - findFrauds(view).newestMs)
    }
    case 'seconds_since_first_fraud': {
      const findFrauds = planFraudSearch(feature)
      return (view) => secondsOr(absent, scale, view.timeMs - findFrauds(view).oldestMs)
    }
  }
}

const scaleOr = (absent: number, scale: number, value: number): number =>
  Number.isNaN(value) ? absent : value * scale

/** Infinite where there was nothing to count from. */
const secondsOr = (absent: number, scale: number, ms: number): number =>
  Number.isFinite(ms) ? (ms / 1000) * scale : absent

function countRows(log: EntityLog, bounds: WindowBounds): number {
  const { low, coreHigh, older } = bounds
  const count =
    older < 0 ? coreHigh - low + 1 + correctLate(log, bounds, EACH) : addOneByOne(log, bounds, EACH)
  return bounds.tiles === null ? count : count + sumLines(log, bounds, TILE_ROWS)
}

/** A column of the window's tiles, added up. */
function sumLines({ shape }: EntityLog, bounds: WindowBounds, column: number): number {
  const { lines } = bounds.tiles!
  const stride = tileStride(shape)
  let total = 0
  for (let line = bounds.lineFrom; line < bounds.lineTo; line++) {
    total += lines[line * stride + column]!
  }
  return total
}

function sumRows(log: EntityLog, bounds: WindowBounds, value: number): number {
  const { rows, stride, shape } = log
  const { low, coreHigh, older } = bounds
  const column = VALUES + value
  const folded = bounds.tiles === null ? 0 : sumLines(log, bounds, TILE_SUMS + value)
  if (older >= 0) return folded + addOneByOne(log, bounds, column)
  let total = folded + correctLate(log, bounds, column)
  if (coreHigh >= low) {
    const sum = VALUES + shape.values + value
    const from = low * stride
    total += rows[coreHigh * stride + sum]! - rows[from + sum]! + rows[from + column]!
  }
  return total
}

/** In place of a column: each row counts as one. */
const EACH = -1

/**
 * What late rows add to the range low..coreHigh, less what those of it hold that are not inside.
 */
function correctLate(log: EntityLog, bounds: WindowBounds, column: number): number {
  const { low, coreLow, coreHigh, high } = bounds
  let total = 0
  for (let row = newestLate(log, high); row > coreHigh; row = newestLate(log, row - 1)) {
    if (isInside(log, row, bounds)) total += numberAt(log, row, column)
  }
  for (let row = newestLate(log, coreLow - 1); row >= low; row = newestLate(log, row - 1)) {
    if (!isInside(log, row, bounds)) total -= numberAt(log, row, column)
  }
  return total
}

function addOneByOne(log: EntityLog, bounds: WindowBounds, column: number): number {
  let total = 0
  for (let row = bounds.low; row <= bounds.high; row++) {
    if (isInside(log, row, bounds)) total += numberAt(log, row, column)
  }
  return total
}

const numberAt = ({ rows, stride }: EntityLog, row: number, column: number): number =>
  column === EACH ? 1 : rows[row * stride + column]!

const SMALLEST = 0
const LARGEST = 1

/** Smallest or largest of a value in the window; NaN when it is empty. */
function extremeOf(
  log: EntityLog,
  bounds: WindowBounds,
  value: number,
  which: typeof SMALLEST | typeof LARGEST,
): number {
  const { rows, stride, shape } = log
  const isBeyond = which === LARGEST ? isAbove : isBelow
  let extreme = Number.NaN
  for (let i = bounds.low; i <= bounds.high; i++) {
    const number = rows[i * stride + VALUES + value]!
    if (isInside(log, i, bounds) && isBeyond(number, extreme)) extreme = number
  }
  if (bounds.tiles === null) return extreme
  const column = extremeColumn(shape, value) + which
  for (let line = bounds.lineFrom; line < bounds.lineTo; line++) {
    const number = bounds.tiles.lines[line * tileStride(shape) + column]!
    if (isBeyond(number, extreme)) extreme = number
  }
  return extreme
}

// Written so that every number is beyond NaN.
const isAbove = (a: number, b: number): boolean => !(a <= b)
const isBelow = (a: number, b: number): boolean => !(a >= b)

function oldestTime(log: EntityLog, bounds: WindowBounds): number {
  const { rows, stride, latenessMaxMs, shape } = log
  let oldestMs = Number.NaN
  if (bounds.tiles !== null) {
    for (let line = bounds.lineFrom; line < bounds.lineTo; line++) {
      const firstMs = bounds.tiles.lines[line * tileStride(shape) + TILE_FIRST]!
      if (isBelow(firstMs, oldestMs)) oldestMs = firstMs
    }
  }
  for (let i = bounds.low; i <= bounds.high; i++) {
    // Rows from here on cannot be older.
    if (rows[i * stride + TIME_MAX]! - latenessMaxMs >= oldestMs) break
    const timeMs = rows[i * stride + TIME]!
    if (isInside(log, i, bounds) && isBelow(timeMs, oldestMs)) oldestMs = timeMs
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

/** Distinct values beyond which a Set finds one sooner than a list. */
const LISTED_MAX = 12

function countDistinct(log: EntityLog, bounds: WindowBounds, value: number): number {
  const { rows, stride } = log
  const listed: number[] = []
  for (let i = bounds.low; i <= bounds.high; i++) {
    const number = rows[i * stride + VALUES + value]!
    if (!isInside(log, i, bounds) || listed.includes(number)) continue
    if (listed.length === LISTED_MAX) return new Set(valuesOf(log, bounds, value)).size
    listed.push(number)
  }
  return listed.length
}

function valuesOf(log: EntityLog, bounds: WindowBounds, value: number): number[] {
  const values: number[] = []
  for (let i = bounds.low; i <= bounds.high; i++) {
    if (isInside(log, i, bounds)) values.push(log.rows[i * log.stride + VALUES + value]!)
  }
  return values
}

function isInside(log: EntityLog, index: number, bounds: WindowBounds): boolean {
  const timeMs = log.rows[index * log.stride + TIME]!
  const untilMs = index <= bounds.older ? bounds.olderUntilMs : bounds.untilMs
  return timeMs > bounds.afterMs && timeMs <= untilMs
}
