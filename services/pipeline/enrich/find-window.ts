// The bounds of a window in a log: a range of rows, and of tiles where the window has a tail.
//
// A window at row k with event time t is every row i <= k (i < k with current: false) whose event
// time lies in (t - delay - window, t - delay]. In an ordered log that is the range low..coreHigh.
// Late rows blur its two ends by as much as they were late; all others are where the range says:
//
//   rows   ... low | inside, but late ones | coreLow .. coreHigh | outside, but late ones | high ...
//
// With a tail the older edge lies between two tiles, so that folded rows count like raw ones. Only
// an event that more than `entityRecordsNewest` younger ones have overtaken needs care: of its own
// tile, older rows count together or not at all, so that what it sees does not depend on what was
// folded. In: a log, the row of the event, a planned window. Out: bounds, written into an object
// that is used again. Invariant: they follow from the log's prefix alone; no row younger than t -
// delay is in them.

import type { TileTable } from './entity-log.ts'
import { type EntityLog, TIME, TIME_MAX } from './entity-log.ts'
import type { PlannedWindow } from './feature-plan.ts'
import type { LogHistory } from './fold-log.ts'
import {
  addRow,
  copyTileTable,
  createTileTable,
  firstLine,
  TILE_LAST,
  tileOf,
  tileStride,
} from './tiles.ts'

/** Row indexes, inclusive; low - 1 <= coreLow - 1 <= coreHigh <= high. */
export type WindowBounds = {
  low: number
  coreLow: number
  coreHigh: number
  high: number
  /**
   * The rows' window is (afterMs, untilMs], but (afterMs, olderUntilMs] for rows up to `older`.
   * Where that is not -1 the range says nothing of them: rows low..high are looked at one by one.
   */
  afterMs: number
  untilMs: number
  older: number
  olderUntilMs: number
  /** Lines of tiles [lineFrom, lineTo) that are in the window as well; null without a tail. */
  tiles: TileTable | null
  lineFrom: number
  lineTo: number
}

export const createWindowBounds = (): WindowBounds => ({
  low: 0,
  coreLow: 0,
  coreHigh: -1,
  high: -1,
  afterMs: 0,
  untilMs: 0,
  older: -1,
  olderUntilMs: 0,
  tiles: null,
  lineFrom: 0,
  lineTo: 0,
})

/** @param index row of the event itself, a virtual row's included. */
export function findWindow(
  log: EntityLog,
  index: number,
  timeMs: number,
  window: PlannedWindow,
  history: LogHistory,
  bounds: WindowBounds,
): void {
  const last = window.current ? index : index - 1
  const untilMs = timeMs - window.delayMs
  bounds.tiles = null
  bounds.lineFrom = 0
  bounds.lineTo = 0
  bounds.older = -1
  if (window.tailMs > 0) {
    findTailWindow(log, index, timeMs, window, history, bounds)
  } else if (window.ofNewest) {
    const first = Math.max(0, index - history.ceilings.entityRecordsNewest)
    findRows(log, first, last, untilMs - window.windowMs, untilMs, bounds)
  } else {
    const visibleAfterMs = log.rows[index * log.stride + TIME_MAX]! - history.exactMs
    const first = Math.max(0, index - history.ceilings.entityRecordsMax + 1)
    const afterMs = Math.max(untilMs - window.windowMs, visibleAfterMs)
    findRows(log, first, last, afterMs, untilMs, bounds)
  }
}

function findTailWindow(
  log: EntityLog,
  index: number,
  timeMs: number,
  { windowMs, delayMs, tailMs, current }: PlannedWindow,
  { levels, ceilings }: LogHistory,
  bounds: WindowBounds,
): void {
  const last = current ? index : index - 1
  const level = levels.findIndex((candidate) => candidate.tailMs === tailMs)
  const highestMs = log.rows[index * log.stride + TIME_MAX]!
  const lowest = lowestTile(timeMs - delayMs - windowMs, highestMs, levels[level]!)
  const table = log.tiles[level] ?? null
  const afterMs = lowest * tailMs - 1
  if (delayMs > 0) {
    const end = tileOf(timeMs - delayMs, tailMs)
    takeLines(table, log, lowest, end, bounds)
    findRows(log, 0, last, afterMs, end * tailMs - 1, bounds)
    return
  }
  const older = index - ceilings.entityRecordsNewest
  if (older < 0 || log.rows[older * log.stride + TIME_MAX]! <= timeMs) {
    takeLines(table, log, lowest, Number.POSITIVE_INFINITY, bounds)
    findRows(log, 0, last, afterMs, timeMs, bounds)
    return
  }
  // Tiles before the event's own are over, later ones hold nothing for it.
  const own = tileOf(timeMs, tailMs)
  const isOwnIn = highestInTile(log, table, own, tailMs, older) <= timeMs
  takeLines(table, log, lowest, isOwnIn ? own + 1 : own, bounds)
  findRows(log, 0, last, afterMs, timeMs, bounds)
  if (isOwnIn) return
  bounds.older = older
  bounds.olderUntilMs = own * tailMs - 1
}

/** Highest time of the rows up to `last` that lie in a tile, folded ones among them. */
function highestInTile(
  log: EntityLog,
  table: TileTable | null,
  tile: number,
  tailMs: number,
  last: number,
): number {
  const { rows, stride, shape } = log
  let highestMs = Number.NEGATIVE_INFINITY
  if (table !== null) {
    const at = firstLine(table, tileStride(shape), tile) * tileStride(shape)
    if (at < table.count * tileStride(shape) && table.lines[at] === tile) {
      highestMs = table.lines[at + TILE_LAST]!
    }
  }
  for (let row = 0; row <= last; row++) {
    const timeMs = rows[row * stride + TIME]!
    if (timeMs > highestMs && tileOf(timeMs, tailMs) === tile) highestMs = timeMs
  }
  return highestMs
}

/** First tile of a window that reaches back to `fromMs`; what is further back may be gone. */
export const lowestTile = (
  fromMs: number,
  highestMs: number,
  { tailMs, spanMs }: { readonly tailMs: number; readonly spanMs: number },
): number => Math.max(tileOf(fromMs, tailMs), tileOf(highestMs - spanMs, tailMs))

/** All rows up to `last` by tile, folded ones and raw ones alike. */
export function groupRows(log: EntityLog, level: number, tailMs: number, last: number): TileTable {
  const folded = log.tiles[level]
  const grouped = folded === undefined ? createTileTable(log.shape) : copyTileTable(folded)
  for (let row = 0; row <= last; row++) addRow(grouped, tailMs, log, row)
  return grouped
}

/** Takes the lines of tiles [from, end). */
function takeLines(
  table: TileTable | null,
  { shape }: EntityLog,
  from: number,
  end: number,
  bounds: WindowBounds,
): void {
  if (table === null || table.count === 0) return
  const stride = tileStride(shape)
  bounds.tiles = table
  bounds.lineFrom = firstLine(table, stride, from)
  bounds.lineTo = end === Number.POSITIVE_INFINITY ? table.count : firstLine(table, stride, end)
}

function findRows(
  log: EntityLog,
  first: number,
  last: number,
  afterMs: number,
  untilMs: number,
  bounds: WindowBounds,
): void {
  const { latenessMaxMs } = log
  const low = firstAbove(log, afterMs, first, last)
  const isOrdered = latenessMaxMs === 0
  const coreHigh = lastUntil(log, untilMs, low, last)
  bounds.low = low
  bounds.coreLow = isOrdered ? low : firstAbove(log, afterMs + latenessMaxMs, low, coreHigh)
  bounds.coreHigh = coreHigh
  bounds.high = isOrdered ? coreHigh : lastUntil(log, untilMs + latenessMaxMs, low, last)
  bounds.afterMs = afterMs
  bounds.untilMs = untilMs
}

/**
 * First of the rows from..last whose highest time so far is above `timeMs`; last + 1 if none is.
 */
function firstAbove(log: EntityLog, timeMs: number, from: number, last: number): number {
  const { rows, stride } = log
  // Most windows end close to the newest row: steps back that double find a short range quickly.
  let high = last + 1
  let step = 1
  while (high - step >= from && rows[(high - step) * stride + TIME_MAX]! > timeMs) {
    high -= step
    step *= 2
  }
  let low = Math.max(from, high - step + 1)
  while (low < high) {
    const middle = (low + high) >>> 1
    if (rows[middle * stride + TIME_MAX]! > timeMs) high = middle
    else low = middle + 1
  }
  return low
}

/**
 * Last of the rows from..last whose highest time so far is not above `timeMs`; from - 1 if none.
 */
function lastUntil(log: EntityLog, timeMs: number, from: number, last: number): number {
  // Nearly every window ends with the newest row: no search then.
  if (last >= from && log.rows[last * log.stride + TIME_MAX]! <= timeMs) return last
  return firstAbove(log, timeMs, from, last) - 1
}
