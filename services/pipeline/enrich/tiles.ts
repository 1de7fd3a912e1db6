// Tiles: what is left of folded rows, one line per step of a tail and stretch of event time.
//
// A line is  [ tile | rows | highest time | lowest time | sums ... | (smallest, largest) ... ]
//              floor(time / tail)             ms                   per summed value, per extreme
// In: rows that leave a log. Out: tables of lines in the order of their tiles, one table per level;
// a level is one width of tiles. Invariant: a line is the same whichever rows came first and
// however often rows were folded, because counts, sums of integers and extremes do not depend on
// order.

import type { TileTable } from './entity-log.ts'
import { type EntityLog, type RowShape, TIME, VALUES } from './entity-log.ts'

/** One width of tiles, and how far behind the newest event a window may ask for them, ms. */
export type TileLevel = {
  readonly tailMs: number
  readonly spanMs: number
}

export const TILE = 0
export const TILE_ROWS = 1
export const TILE_LAST = 2
export const TILE_FIRST = 3
export const TILE_SUMS = 4

const FIRST_LINES = 4

export const tileStride = ({ summed, extremes }: RowShape): number =>
  TILE_SUMS + summed + 2 * extremes.length

/** Column of the smallest of an extreme value; its largest stands beside it. */
export const extremeColumn = ({ summed, extremes }: RowShape, value: number): number =>
  TILE_SUMS + summed + 2 * extremes.indexOf(value)

export const tileOf = (timeMs: number, tailMs: number): number => Math.floor(timeMs / tailMs)

export const createTileTable = (shape: RowShape, lines = FIRST_LINES): TileTable => ({
  lines: new Float64Array(lines * tileStride(shape)),
  count: 0,
})

export const copyTileTable = ({ lines, count }: TileTable): TileTable => ({
  lines: lines.slice(),
  count,
})

/** Adds one row of a log to its tile. */
export function addRow(table: TileTable, tailMs: number, log: EntityLog, row: number): void {
  const { rows, stride, shape } = log
  const from = row * stride
  const timeMs = rows[from + TIME]!
  const at = openLine(table, tileOf(timeMs, tailMs), shape)
  const { lines } = table
  lines[at + TILE_ROWS] = lines[at + TILE_ROWS]! + 1
  lines[at + TILE_LAST] = Math.max(lines[at + TILE_LAST]!, timeMs)
  lines[at + TILE_FIRST] = Math.min(lines[at + TILE_FIRST]!, timeMs)
  for (let i = 0; i < shape.summed; i++) {
    lines[at + TILE_SUMS + i] = lines[at + TILE_SUMS + i]! + rows[from + VALUES + i]!
  }
  let column = at + TILE_SUMS + shape.summed
  for (const value of shape.extremes) {
    const number = rows[from + VALUES + value]!
    lines[column] = Math.min(lines[column]!, number)
    lines[column + 1] = Math.max(lines[column + 1]!, number)
    column += 2
  }
}

/** Where the tile's line begins; a new one is put in its place. */
function openLine(table: TileTable, tile: number, shape: RowShape): number {
  const stride = tileStride(shape)
  let line = table.count
  // Rows come nearly in order of time, so their tile is at the end or close to it.
  while (line > 0 && table.lines[(line - 1) * stride]! > tile) line--
  if (line > 0 && table.lines[(line - 1) * stride] === tile) return (line - 1) * stride
  const at = line * stride
  const end = table.count * stride
  if (end + stride > table.lines.length) {
    const grown = new Float64Array(table.lines.length * 2)
    grown.set(table.lines)
    table.lines = grown
  }
  table.lines.copyWithin(at + stride, at, end)
  table.count++
  table.lines.fill(0, at, at + stride)
  table.lines[at] = tile
  table.lines[at + TILE_LAST] = Number.NEGATIVE_INFINITY
  table.lines[at + TILE_FIRST] = Number.POSITIVE_INFINITY
  for (let column = TILE_SUMS + shape.summed; column < stride; column += 2) {
    table.lines[at + column] = Number.POSITIVE_INFINITY
    table.lines[at + column + 1] = Number.NEGATIVE_INFINITY
  }
  return at
}

/** First line whose tile is at least `tile`; the table's length if there is none. */
export function firstLine({ lines, count }: TileTable, stride: number, tile: number): number {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (lines[middle * stride]! >= tile) high = middle
    else low = middle + 1
  }
  return low
}

/** Drops the lines of tiles before `tile`. */
export function dropTiles(table: TileTable, stride: number, tile: number): void {
  const line = firstLine(table, stride, tile)
  if (line === 0) return
  table.lines.copyWithin(0, line * stride, table.count * stride)
  table.count -= line
}
