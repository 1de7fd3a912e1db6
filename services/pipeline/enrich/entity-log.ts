// One entity's log, decoded: rows of doubles in arrival order, and what windows need beside them.
//
// A row is [ event time | highest time so far | newest late row so far | source | values ... | sums
// ... ]
//             ms           ms                    its index, -1 = none     lane,offset        running
// The second column never falls, so binary searches on it find where a window can begin and end
// even when late events lie out of order: a late row's time is below it, by at most
// `latenessMaxMs`. The third leads from one late row to the one before. Sums run over integers
// below 2^53: they are exact, and a window's sum is a difference of two of them. `base` is the
// ordinal of row 0: it grows when the oldest rows are folded (fold-log.ts), so that ordinal = base
// + row index survives; `tiles` hold what windows need of them. Invariant: rows [0, count) are
// never changed, only appended to or dropped from either end, and a row follows from its event and
// the rows before it: so a log may be copied, or its count set back.

export const TIME = 0
export const TIME_MAX = 1
const NEWEST_LATE = 2
export const SOURCE = 3
export const VALUES = 4

/** Numbers that a row stores of its event, and what tiles keep of them. */
export type RowShape = {
  readonly values: number
  /** The first so many carry running sums, and a tile their sum. */
  readonly summed: number
  /** Values whose smallest and largest a tile keeps. */
  readonly extremes: readonly number[]
  /** Whether the lowest time of a tile is asked for. */
  readonly keepsFirst: boolean
}

export type EntityLog = {
  rows: Float64Array
  readonly stride: number
  readonly shape: RowShape
  base: number
  count: number
  /** Highest event time of the rows that are gone, ms; minus infinity while there are none. */
  timeMaxBefore: number
  /** What windows with a tail need of the rows that are gone, a table per level; none at first. */
  tiles: readonly TileTable[]
  /** Row count from which on folding is worth a look. */
  foldAt: number
  /** The most that a row's event time lies below an earlier row's, ms; 0 while in order. */
  latenessMaxMs: number
}

/** Most pairs of a customer and a terminal meet once or twice: first rows take little stage. */
const FIRST_CAPACITY = 2
const SECOND_CAPACITY = 8
/** Shared by all logs that have no row yet, such as those of labels that never come. */
const NO_ROWS = new Float64Array(0)
const FIRST_FOLD_AT = 32
const NONE = -1
const SOURCE_LANE = 2 ** 44

/** (lane, offset) in one double: exact for 512 lanes of 1.7e13 offsets each. */
export const encodeSource = (laneId: number, offset: number): number =>
  laneId * SOURCE_LANE + offset

export function createEntityLog(shape: RowShape, base = 0): EntityLog {
  const stride = VALUES + shape.values + shape.summed
  return {
    rows: NO_ROWS,
    stride,
    shape,
    base,
    count: 0,
    timeMaxBefore: Number.NEGATIVE_INFINITY,
    tiles: [],
    foldAt: FIRST_FOLD_AT,
    latenessMaxMs: 0,
  }
}

export const laneOfSource = (source: number): number => Math.floor(source / SOURCE_LANE)

export const offsetOfSource = (source: number): number => source % SOURCE_LANE

/** Appends a row whose values start at `values[from]`; returns its index. */
export function appendRow(
  log: EntityLog,
  timeMs: number,
  source: number,
  values: Float64Array,
  from: number,
): number {
  const index = log.count
  const at = index * log.stride
  if (at + log.stride > log.rows.length) growRows(log)
  writeRow(log, index, timeMs, source, values, from)
  log.count = index + 1
  return index
}

/**
 * Writes the row at `index` as the successor of the row before it; the caller keeps `count` true.
 */
function writeRow(
  log: EntityLog,
  index: number,
  timeMs: number,
  source: number,
  values: Float64Array,
  from: number,
): void {
  const { rows, stride, shape } = log
  const at = index * stride
  const before = at - stride
  const timeMaxBefore = index > 0 ? rows[before + TIME_MAX]! : log.timeMaxBefore
  const latenessMs = timeMaxBefore - timeMs
  if (latenessMs > log.latenessMaxMs) log.latenessMaxMs = latenessMs
  rows[at + TIME] = timeMs
  rows[at + TIME_MAX] = Math.max(timeMs, timeMaxBefore)
  const lateBefore = index > 0 ? rows[before + NEWEST_LATE]! : NONE
  rows[at + NEWEST_LATE] = latenessMs > 0 ? index : lateBefore
  rows[at + SOURCE] = source
  for (let i = 0; i < shape.values; i++) rows[at + VALUES + i] = values[from + i]!
  const sums = VALUES + shape.values
  for (let i = 0; i < shape.summed; i++) {
    const sumBefore = index > 0 ? rows[before + sums + i]! : 0
    rows[at + sums + i] = sumBefore + values[from + i]!
  }
}

/** Of the rows up to `last` the newest that is late: below an earlier row's time; -1 if none is. */
export const newestLate = ({ rows, stride }: EntityLog, last: number): number =>
  last < 0 ? NONE : rows[last * stride + NEWEST_LATE]!

/** Drops the oldest rows so that `keep` remain; sums restart, so that they stay small and exact. */
export function dropOldestRows(log: EntityLog, keep: number): void {
  const dropped = log.count - keep
  if (dropped <= 0) return
  const { rows, stride } = log
  const kept = rows.slice(dropped * stride, log.count * stride)
  log.timeMaxBefore = rows[(dropped - 1) * stride + TIME_MAX]!
  log.rows = new Float64Array(kept.length + FIRST_CAPACITY * stride)
  log.base += dropped
  log.count = 0
  log.latenessMaxMs = 0
  for (let at = 0; at < kept.length; at += stride) {
    appendRow(log, kept[at + TIME]!, kept[at + SOURCE]!, kept, at + VALUES)
  }
}

/** Row index of the event with this source, searched from the newest; -1 when it is not there. */
export function findRow(log: EntityLog, source: number): number {
  for (let index = log.count - 1; index >= 0; index--) {
    if (log.rows[index * log.stride + SOURCE] === source) return index
  }
  return -1
}

/**
 * Runs `look` with a row that is not part of the log standing at index `visible`, as if it had been
 * appended there; then puts everything back. For events that are scored but not counted. Rows
 * behind it were summed without it, so `look` must not go beyond `visible`.
 */
export function withVirtualRow<T>(
  log: EntityLog,
  visible: number,
  row: { timeMs: number; values: Float64Array; from: number },
  look: () => T,
): T {
  const { stride } = log
  const at = visible * stride
  if (at + stride > log.rows.length) growRows(log)
  const saved = log.rows.slice(at, at + stride)
  const latenessMaxMs = log.latenessMaxMs
  writeRow(log, visible, row.timeMs, -1, row.values, row.from)
  const result = look()
  log.rows.set(saved, at)
  log.latenessMaxMs = latenessMaxMs
  return result
}

/** Forgets all rows; the next one appended has the ordinal `base`. */
export function emptyLog(log: EntityLog, base: number): void {
  log.base = base
  log.count = 0
  log.timeMaxBefore = Number.NEGATIVE_INFINITY
  log.tiles = []
  log.foldAt = FIRST_FOLD_AT
  log.latenessMaxMs = 0
}

function growRows(log: EntityLog): void {
  const least = log.rows.length === 0 ? FIRST_CAPACITY : SECOND_CAPACITY
  const grown = new Float64Array(Math.max(least * log.stride, log.rows.length * 2))
  grown.set(log.rows)
  log.rows = grown
}

export type TileTable = {
  lines: Float64Array
  count: number
}
