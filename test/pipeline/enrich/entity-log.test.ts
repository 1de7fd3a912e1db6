// Rows of one log: appended, dropped, found, and one that only stands in.

import { describe, expect, test } from 'vitest'
import {
  appendRow,
  createEntityLog,
  dropOldestRows,
  type EntityLog,
  encodeSource,
  findRow,
  newestLate,
  offsetOfSource,
  TIME,
  TIME_MAX,
  VALUES,
  withVirtualRow,
} from '../../../services/pipeline/enrich/entity-log.ts'

const shape = { values: 2, summed: 1, extremes: [], keepsFirst: false }

function logOf(times: readonly number[]): EntityLog {
  const log = createEntityLog(shape)
  times.forEach((timeMs, i) => {
    appendRow(log, timeMs, encodeSource(3, i), Float64Array.from([i + 1, -i]), 0)
  })
  return log
}

const column = (log: EntityLog, index: number): number[] =>
  Array.from({ length: log.count }, (_, i) => log.rows[i * log.stride + index]!)

/** Indexes of the late rows, from the newest on, as windows find them. */
function lateRows(log: EntityLog, last = log.count - 1): number[] {
  const newest = newestLate(log, last)
  return newest < 0 ? [] : [newest, ...lateRows(log, newest - 1)]
}

const SUM = VALUES + shape.values

describe('entity log', () => {
  test('keeps rows, highest times and running sums while it grows', () => {
    const log = logOf([10, 30, 20, 30, 40, 35, 50])
    expect(column(log, TIME)).toEqual([10, 30, 20, 30, 40, 35, 50])
    expect(column(log, TIME_MAX)).toEqual([10, 30, 30, 30, 40, 40, 50])
    expect(column(log, VALUES)).toEqual([1, 2, 3, 4, 5, 6, 7])
    expect(column(log, VALUES + 1).map((v) => v + 0)).toEqual([0, -1, -2, -3, -4, -5, -6])
    expect(column(log, SUM)).toEqual([1, 3, 6, 10, 15, 21, 28])
    expect(log.latenessMaxMs).toBe(10)
  })

  test('each late row leads to the one before, in copies and in a log that is cut short as well', () => {
    const log = logOf([10, 30, 20, 30, 40, 35, 50])
    expect([4, 1, 0, -1].map((last) => lateRows(log, last))).toEqual([[2], [], [], []])
    const copy = { ...log, rows: log.rows.slice() }
    copy.count = 5
    for (const timeMs of [45, 44, 44, 60]) appendRow(copy, timeMs, -1, Float64Array.from([0, 0]), 0)
    expect(lateRows(copy)).toEqual([7, 6, 2])
    expect(lateRows(log)).toEqual([5, 2])
    dropOldestRows(log, 5)
    expect(column(log, TIME)).toEqual([20, 30, 40, 35, 50])
    // Row 0 is still late: what it came after is gone, but not forgotten.
    expect(lateRows(log)).toEqual([3, 0])
  })

  test('late rows are those of a stand-in while it is there', () => {
    const log = logOf([10, 30, 20, 30, 40, 35, 50])
    const values = Float64Array.from([9, 9])
    for (const [visible, timeMs, seen] of [
      [4, 25, [4, 2]],
      [4, 30, [2]],
      [7, 45, [7, 5, 2]],
    ] as const) {
      const row = { timeMs, values, from: 0 }
      expect(withVirtualRow(log, visible, row, () => lateRows(log, visible))).toEqual(seen)
      expect(lateRows(log)).toEqual([5, 2])
    }
  })

  test('drops the oldest rows as if they had never been, but for the ordinals', () => {
    const log = logOf([10, 50, 20, 30, 40, 60])
    dropOldestRows(log, 3)
    expect([log.base, log.count, log.timeMaxBefore]).toEqual([3, 3, 50])
    expect(log.latenessMaxMs).toBe(20)
    expect(column(log, TIME_MAX)).toEqual([50, 50, 60])
    expect(column(log, SUM)).toEqual([4, 9, 15])
    dropOldestRows(log, 3)
    expect([log.base, log.count]).toEqual([3, 3])
    appendRow(log, 70, encodeSource(3, 6), Float64Array.from([1, 0]), 0)
    expect(column(log, SUM)).toEqual([4, 9, 15, 16])
  })

  test('finds a row by its source only', () => {
    const log = logOf([1, 2, 3])
    expect(findRow(log, encodeSource(3, 1))).toBe(1)
    expect(findRow(log, encodeSource(2, 1))).toBe(-1)
    expect(findRow(log, encodeSource(3, 3))).toBe(-1)
  })

  test('a source holds lane and offset exactly', () => {
    for (const laneId of [0, 1, 511]) {
      for (const offset of [0, 1, 2 ** 43 + 1, 2 ** 44 - 1]) {
        const source = encodeSource(laneId, offset)
        expect(Number.isSafeInteger(source)).toBe(true)
        expect(offsetOfSource(source)).toBe(offset)
        expect((source - offset) / 2 ** 44).toBe(laneId)
      }
    }
  })

  test('a virtual row is there while it is looked at, and gone without a trace', () => {
    for (const visible of [0, 2, 4]) {
      const log = logOf([10, 20, 30, 40])
      const before = column(log, SUM)
      const row = { timeMs: 5, values: Float64Array.from([0, 100, 7]), from: 1 }
      const seen = withVirtualRow(log, visible, row, () => ({
        time: log.rows[visible * log.stride + TIME],
        sum: log.rows[visible * log.stride + SUM],
        latenessMaxMs: log.latenessMaxMs,
      }))
      const timeMaxBefore = visible * 10
      expect(seen).toEqual({
        time: 5,
        sum: (before[visible - 1] ?? 0) + 100,
        latenessMaxMs: visible === 0 ? 0 : timeMaxBefore - 5,
      })
      expect(column(log, TIME)).toEqual([10, 20, 30, 40])
      expect(column(log, SUM)).toEqual(before)
      expect([log.count, log.latenessMaxMs]).toEqual([4, 0])
    }
  })
})
