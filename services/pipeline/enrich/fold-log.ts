// Folding: the oldest rows of a log leave it, for tiles or for good, and nobody can tell.
//
//   rows   0 ........ F ............... u .......... count
//          └ folded ┘   `newest` rows     not committed
//
// In: a log, what windows ask of its kind, who is committed. Out: the log with fewer rows, the same
// ordinals, and tiles where windows have a tail. What is never folded: rows that are not committed
// (they may be delivered again and must find themselves), the `newest` rows before them (windows
// look at those one by one), and rows that an exact window of any later event can still see.
// Invariant: what a window sees of a log is defined by positions and times of its prefix alone
// (docs/reference/features.md), so every vector is the same whatever was folded when.

import { limits } from '../../core/limits.ts'
import { dropOldestRows, type EntityLog, SOURCE, TIME_MAX } from './entity-log.ts'
import { addRow, createTileTable, dropTiles, type TileLevel, tileOf, tileStride } from './tiles.ts'

/** What the windows of a log's kind may look at. */
export type LogHistory = {
  /**
   * Rows that are so much older than the newest event, ms, are invisible to exact windows; 0 =
   * none.
   */
  readonly exactMs: number
  /** Newest rows that some window tells from older ones: they stay rows; 0 = no window does. */
  readonly newest: number
  /** One for each width of tail. */
  readonly levels: readonly TileLevel[]
  readonly ceilings: Ceilings
}

export type Ceilings = {
  /** Rows that exact windows look back on. */
  readonly entityRecordsMax: number
  /** Rows that tail windows see one by one. */
  readonly entityRecordsNewest: number
}

export type IsCommitted = (source: number) => boolean

export type FoldPolicy = {
  /** Whether it is time to look at a log. */
  readonly isDue: (log: EntityLog) => boolean
  /** Whether so many of its rows are worth being folded. */
  readonly isWorthIt: (foldable: number, count: number) => boolean
}

const FOLD_ROWS_MIN = 16

/** Rare enough to cost next to nothing per event, often enough to keep a log small. */
export const foldWhenWorthwhile: FoldPolicy = {
  isDue: ({ count, foldAt }) => count >= foldAt,
  isWorthIt: (foldable, count) => foldable >= Math.max(FOLD_ROWS_MIN, count / 4),
}

/** Folds what may leave if it is due and worth it; true if the log has changed. */
export function foldLog(
  log: EntityLog,
  history: LogHistory,
  isCommitted: IsCommitted,
  policy: FoldPolicy = foldWhenWorthwhile,
): boolean {
  if (!policy.isDue(log)) return false
  const foldable = countFoldable(log, history, isCommitted)
  if (foldable === 0 || !policy.isWorthIt(foldable, log.count)) {
    log.foldAt = log.count + Math.max(FOLD_ROWS_MIN / 2, log.count >> 3)
    return false
  }
  if (history.levels.length > 0) fillTiles(log, history, foldable)
  dropOldestRows(log, log.count - foldable)
  log.foldAt = log.count + FOLD_ROWS_MIN
  return true
}

function countFoldable(log: EntityLog, history: LogHistory, isCommitted: IsCommitted): number {
  const { rows, stride, count } = log
  const { entityRecordsMax } = history.ceilings
  let committed = 0
  while (committed < count && isCommitted(rows[committed * stride + SOURCE]!)) committed++
  // A lane that cannot commit for long must not make logs grow without end.
  if (count > limits.entityRecordsKeptMax) {
    committed = Math.max(committed, count - limits.entityRecordsKeptAfterTrim)
  }
  const atMost = committed - history.newest
  if (atMost <= 0 || history.exactMs === 0) return Math.max(0, atMost)
  const visibleAfterMs = rows[(committed - 1) * stride + TIME_MAX]! - history.exactMs
  let tooOld = 0
  while (tooOld < atMost && rows[tooOld * stride + TIME_MAX]! <= visibleAfterMs) tooOld++
  return Math.min(atMost, Math.max(tooOld, committed - entityRecordsMax))
}

function fillTiles(log: EntityLog, { levels }: LogHistory, foldable: number): void {
  if (log.tiles.length === 0) log.tiles = levels.map(() => createTileTable(log.shape))
  // What the first event that may still come can ask for: later ones ask for no more.
  const newestMs = log.rows[(foldable - 1) * log.stride + TIME_MAX]!
  const stride = tileStride(log.shape)
  for (const [i, { tailMs, spanMs }] of levels.entries()) {
    const table = log.tiles[i]!
    for (let row = 0; row < foldable; row++) addRow(table, tailMs, log, row)
    dropTiles(table, stride, tileOf(newestMs - spanMs, tailMs))
  }
}
