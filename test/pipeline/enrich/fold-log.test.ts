// What leaves a log when it is folded, and what stays; that nobody can tell is stores-equal's to
// prove.

import { describe, expect, test } from 'vitest'
import { limits } from '../../../services/core/limits.ts'
import {
  appendRow,
  createEntityLog,
  type EntityLog,
  encodeSource,
  offsetOfSource,
  SOURCE,
  TIME_MAX,
} from '../../../services/pipeline/enrich/entity-log.ts'
import {
  foldLog,
  foldWhenWorthwhile,
  type LogHistory,
} from '../../../services/pipeline/enrich/fold-log.ts'
import { TILE, TILE_LAST, TILE_ROWS, TILE_SUMS } from '../../../services/pipeline/enrich/tiles.ts'

const shape = { values: 1, summed: 1, extremes: [], keepsFirst: false }
const atOnce = { isDue: () => true, isWorthIt: () => true }
const ceilings = { entityRecordsMax: 10, entityRecordsNewest: 3 }
const tails: LogHistory = {
  exactMs: 0,
  newest: 3,
  levels: [{ tailMs: 100, spanMs: 1000 }],
  ceilings,
}
const exact = (exactMs: number): LogHistory => ({ exactMs, newest: 0, levels: [], ceilings })

function logOf(times: readonly number[]): EntityLog {
  const log = createEntityLog(shape)
  times.forEach((timeMs, i) => {
    appendRow(log, timeMs, encodeSource(1, i), Float64Array.from([i + 1]), 0)
  })
  return log
}

const committedUntil = (offset: number) => (source: number) => offsetOfSource(source) < offset
const offsetsOf = ({ rows, stride, count }: EntityLog): number[] =>
  Array.from({ length: count }, (_, i) => offsetOfSource(rows[i * stride + SOURCE]!))

describe('fold', () => {
  test('what is not committed stays, and the newest rows before it', () => {
    const log = logOf([0, 50, 120, 130, 240, 250, 300, 310])
    expect(foldLog(log, tails, committedUntil(6), atOnce)).toBe(true)
    expect([log.base, ...offsetsOf(log)]).toEqual([3, 3, 4, 5, 6, 7])
    expect(foldLog(log, tails, committedUntil(6), atOnce)).toBe(false)
  })

  test('rows become lines of their tiles: how many, the latest, the sum', () => {
    const log = logOf([0, 50, 120, 130, 90, 250, 300, 310])
    foldLog(log, tails, committedUntil(8), atOnce)
    const [table] = log.tiles
    const lines = [0, 1].map((line) =>
      [TILE, TILE_ROWS, TILE_LAST, TILE_SUMS].map((column) => table!.lines[line * 5 + column]),
    )
    expect(table!.count).toBe(2)
    expect(lines).toEqual([
      [0, 3, 90, 1 + 2 + 5],
      [1, 2, 130, 3 + 4],
    ])
  })

  test('the highest time so far survives its row', () => {
    const log = logOf([0, 900, 10, 20, 30, 40])
    foldLog(log, tails, committedUntil(6), atOnce)
    expect(offsetsOf(log)).toEqual([3, 4, 5])
    expect(log.rows[TIME_MAX]).toBe(900)
  })

  test('tiles that no window can ask for any more are dropped', () => {
    const log = logOf([0, 100, 5000, 5100, 5200, 5300, 5400])
    foldLog(log, tails, committedUntil(7), atOnce)
    expect(log.tiles[0]!.count).toBe(2)
    expect(log.tiles[0]!.lines[TILE]).toBe(50)
  })

  test('without tails rows go for good, once no exact window can see them', () => {
    const log = logOf([0, 100, 200, 300, 400])
    foldLog(log, exact(250), committedUntil(5), atOnce)
    expect([log.base, ...offsetsOf(log)]).toEqual([2, 2, 3, 4])
    expect(log.tiles).toEqual([])
    expect(foldLog(logOf([0, 100, 200]), exact(250), committedUntil(3), atOnce)).toBe(false)
  })

  test('beyond the ceiling of exact windows rows go however young they are', () => {
    const log = logOf(Array.from({ length: 25 }, (_, i) => i))
    foldLog(log, exact(1e9), committedUntil(20), atOnce)
    expect([log.base, log.count]).toEqual([10, 15])
  })

  test('a lane that cannot commit does not let logs grow without end', () => {
    const log = logOf(Array.from({ length: limits.entityRecordsKeptMax + 1 }, (_, i) => i))
    foldLog(log, tails, () => false, atOnce)
    expect(log.count).toBe(limits.entityRecordsKeptAfterTrim + 3)
  })

  test('is put off until it is worth it', () => {
    const log = logOf(Array.from({ length: 40 }, (_, i) => i))
    const all = committedUntil(40)
    expect(foldLog(log, { ...tails, newest: 39 }, all, foldWhenWorthwhile)).toBe(false)
    expect(log.foldAt).toBeGreaterThan(40)
    expect(foldLog(log, { ...tails, newest: 0 }, all, foldWhenWorthwhile)).toBe(false)
    log.foldAt = 0
    expect(foldLog(log, { ...tails, newest: 0 }, all, foldWhenWorthwhile)).toBe(true)
  })
})
