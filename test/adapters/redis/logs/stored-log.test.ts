// Whole logs to bytes and back: rows, tiles, ordinals; and the same bytes that the functions write.

import { describe, expect, test } from 'vitest'
import {
  decodeStoredLog,
  encodeStoredLog,
} from '../../../../services/adapters/redis/logs/stored-log.ts'
import {
  appendRow,
  createEntityLog,
  type EntityLog,
  encodeSource,
} from '../../../../services/pipeline/enrich/entity-log.ts'
import { foldLog, type LogHistory } from '../../../../services/pipeline/enrich/fold-log.ts'
import { tileStride } from '../../../../services/pipeline/enrich/tiles.ts'
import { createRandom } from '../../../support/random.ts'

const shape = { values: 2, summed: 1, extremes: [1], keepsFirst: true }
const ceilings = { entityRecordsMax: 20, entityRecordsNewest: 3 }
const atOnce = { isDue: () => true, isWorthIt: () => true }
const withTails: LogHistory = {
  exactMs: 0,
  newest: 3,
  levels: [
    { tailMs: 1000, spanMs: 60_000 },
    { tailMs: 30 * 86_400_000, spanMs: 400 * 86_400_000 },
  ],
  ceilings,
}

function randomLog(seed: number, base: number, rows: number): EntityLog {
  const random = createRandom(seed)
  const log = createEntityLog(shape, base)
  let timeMs = 1_700_000_000_000
  for (let i = 0; i < rows; i++) {
    timeMs += random.integer(0, 3000)
    const values = Float64Array.from([random.integer(0, 1e9), random.integer(-5, 5)])
    appendRow(log, timeMs - random.pick([0, 0, 2500]), encodeSource(2, i), values, 0)
  }
  return log
}

const rowsOf = ({ rows, stride, count }: EntityLog) => [...rows.subarray(0, stride * count)]
const linesOf = ({ tiles }: EntityLog) =>
  tiles.map(({ lines, count }) => [...lines.subarray(0, count * tileStride(shape))])

function again(log: EntityLog, history: LogHistory): EntityLog {
  const decoded = createEntityLog(shape)
  decodeStoredLog(encodeStoredLog(log, history, 7), decoded, history)
  return decoded
}

describe('stored log', () => {
  test.each([1, 2, 3, 4])('comes back as it was, folded or not: seed %i', (seed) => {
    const log = randomLog(seed, 0, 40)
    expect(rowsOf(again(log, withTails))).toEqual(rowsOf(log))
    foldLog(log, withTails, () => true, atOnce)
    expect(log.base).toBe(37)
    expect(log.tiles[0]!.count).toBeGreaterThan(3)
    const decoded = again(log, withTails)
    expect([decoded.base, decoded.count]).toEqual([37, 3])
    expect(rowsOf(decoded)).toEqual(rowsOf(log))
    expect(linesOf(decoded)).toEqual(linesOf(log))
    expect(decoded.timeMaxBefore).toBe(log.timeMaxBefore)
  })

  test('begins behind its first ordinals without tiles, and can be folded from there', () => {
    const log = randomLog(9, 500, 10)
    const decoded = again(log, withTails)
    expect([decoded.base, decoded.count]).toEqual([500, 10])
    foldLog(decoded, withTails, () => true, atOnce)
    expect([decoded.base, decoded.count]).toEqual([507, 3])
  })
})
