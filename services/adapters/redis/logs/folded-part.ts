// The folded part of a stored log: tiles as bytes, and back. Redis keeps it and never looks inside.
//
//   highest event time of the folded rows f64, then per level of the kind:
//   lines u32 | tile of the first line f64, then per line:
//     tile - first u32 | rows u32 | highest time - tile's begin u32 |
//     lowest time - tile's begin u32 where the kind keeps it | sums f64 ... | (smallest, largest f64) ...
//
// Invariant: decoding gives back every double that was encoded. Times within a tile fit into 32
// bits because the pipeline file refuses tails of more than 30 days.

import type { EntityLog, RowShape, TileTable } from '../../../pipeline/enrich/entity-log.ts'
import type { LogHistory } from '../../../pipeline/enrich/fold-log.ts'
import {
  createTileTable,
  TILE_FIRST,
  TILE_LAST,
  TILE_ROWS,
  TILE_SUMS,
  tileStride,
} from '../../../pipeline/enrich/tiles.ts'

const HEAD_SIZE = 8
const LEVEL_HEAD_SIZE = 4 + 8
const LINE_HEAD_SIZE = 3 * 4

export const viewOf = (bytes: Buffer): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.length)

const lineSize = (shape: RowShape): number =>
  LINE_HEAD_SIZE + (shape.keepsFirst ? 4 : 0) + 8 * (tileStride(shape) - TILE_SUMS)

export function encodeFoldedPart(
  { tiles, shape, timeMaxBefore }: EntityLog,
  { levels }: LogHistory,
): Buffer {
  // A log that was put back behind older events has no tiles yet.
  const tables = levels.map((_, i) => tiles[i] ?? createTileTable(shape, 0))
  const size = tables.reduce(
    (sum, { count }) => sum + LEVEL_HEAD_SIZE + count * lineSize(shape),
    HEAD_SIZE,
  )
  const bytes = Buffer.allocUnsafe(size)
  const view = viewOf(bytes)
  view.setFloat64(0, timeMaxBefore, true)
  let at = HEAD_SIZE
  for (const [i, table] of tables.entries()) {
    at = encodeLevel(view, at, table, shape, levels[i]!.tailMs)
  }
  return bytes
}

function encodeLevel(
  view: DataView,
  from: number,
  { lines, count }: TileTable,
  shape: RowShape,
  tailMs: number,
): number {
  const stride = tileStride(shape)
  const first = count > 0 ? lines[0]! : 0
  view.setUint32(from, count, true)
  view.setFloat64(from + 4, first, true)
  let at = from + LEVEL_HEAD_SIZE
  for (let line = 0; line < count * stride; line += stride) {
    const tile = lines[line]!
    view.setUint32(at, tile - first, true)
    view.setUint32(at + 4, lines[line + TILE_ROWS]!, true)
    view.setUint32(at + 8, lines[line + TILE_LAST]! - tile * tailMs, true)
    at += LINE_HEAD_SIZE
    if (shape.keepsFirst) {
      view.setUint32(at, lines[line + TILE_FIRST]! - tile * tailMs, true)
      at += 4
    }
    for (let column = TILE_SUMS; column < stride; column++, at += 8) {
      view.setFloat64(at, lines[line + column]!, true)
    }
  }
  return at
}

/** Gives a log whose rows are not there yet the tiles of those that are gone. */
export function decodeFoldedPart(bytes: Buffer, log: EntityLog, history: LogHistory): void {
  if (bytes.length === 0) return
  const view = viewOf(bytes)
  log.timeMaxBefore = view.getFloat64(0, true)
  let at = HEAD_SIZE
  log.tiles = history.levels.map(({ tailMs }) => {
    const table = createTileTable(log.shape, view.getUint32(at, true))
    at = decodeLevel(view, at, table, log.shape, tailMs)
    return table
  })
}

function decodeLevel(
  view: DataView,
  from: number,
  table: TileTable,
  shape: RowShape,
  tailMs: number,
): number {
  const stride = tileStride(shape)
  table.count = view.getUint32(from, true)
  const first = view.getFloat64(from + 4, true)
  const { lines } = table
  let at = from + LEVEL_HEAD_SIZE
  for (let line = 0; line < table.count * stride; line += stride) {
    const tile = first + view.getUint32(at, true)
    lines[line] = tile
    lines[line + TILE_ROWS] = view.getUint32(at + 4, true)
    lines[line + TILE_LAST] = tile * tailMs + view.getUint32(at + 8, true)
    at += LINE_HEAD_SIZE
    if (shape.keepsFirst) {
      lines[line + TILE_FIRST] = tile * tailMs + view.getUint32(at, true)
      at += 4
    }
    for (let column = TILE_SUMS; column < stride; column++, at += 8) {
      lines[line + column] = view.getFloat64(at, true)
    }
  }
  return at
}
