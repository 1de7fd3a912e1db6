// Intervals by drawing: the same for the same seed, narrow where units agree, paired over models.

import { describe, expect, test } from 'vitest'
import { drawIntervals, type Measures } from '../../services/statistics/bootstrap.ts'
import { createRandom } from '../support/random.ts'

const measures = (value: number | null): Measures => ({
  averagePrecision: value,
  rocAuc: value,
  cardPrecisionAt100: null,
  recallAtReview: value,
  recallAtBlock: value,
  costMinor: value,
})

/** A model whose measure is the mean of its units' values. */
const meanOf = (values: readonly number[]) => (weights: Uint32Array) => {
  const sum = values.reduce((total, value, i) => total + weights[i]! * value, 0)
  return measures(sum / weights.reduce((a, b) => a + b, 0))
}

const random = createRandom(1)
const values = Array.from({ length: 40 }, () => random.integer(0, 100))
const draw = { units: 40, unitsMin: 5, samples: [meanOf(values)], seed: 1 }

describe('bootstrap', () => {
  test('intervals - are the same for the same seed and others for another', () => {
    expect(drawIntervals(draw)).toEqual(drawIntervals(draw))
    expect(drawIntervals({ ...draw, seed: 2 })).not.toEqual(drawIntervals(draw))
  })

  test('intervals - of a mean are near those of the textbook', () => {
    const mean = values.reduce((a, b) => a + b) / values.length
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length
    const half = 1.96 * Math.sqrt(variance / values.length)
    const { from, to } = drawIntervals({ ...draw, rounds: 3000 })![0]!.measures.rocAuc!
    expect(Math.abs(from - (mean - half))).toBeLessThan(half * 0.15)
    expect(Math.abs(to - (mean + half))).toBeLessThan(half * 0.15)
  })

  test('intervals - of a difference are of pairs: the same units are drawn for all models', () => {
    const better = values.map((value) => value + 3)
    const samples = [meanOf(values), meanOf(better), meanOf(values)]
    const [champion, second, equal] = drawIntervals({ ...draw, samples })!
    expect(champion!.difference).toBeNull()
    // Alone each of them swings by far more than the difference of 3.
    expect(champion!.measures.rocAuc!.to - champion!.measures.rocAuc!.from).toBeGreaterThan(10)
    expect(second!.difference!.costMinor!.from).toBeCloseTo(3, 9)
    expect(second!.difference!.costMinor!.to).toBeCloseTo(3, 9)
    expect(equal!.difference!.rocAuc).toEqual({ from: 0, to: 0 })
  })

  test('intervals - are null for too few units, and where most draws have no measure', () => {
    expect(drawIntervals({ ...draw, units: 4 })).toBeNull()
    expect(drawIntervals(draw)![0]!.measures.cardPrecisionAt100).toBeNull()
    // A draw of 40 misses one of them with a chance of 36 %.
    const often = (weights: Uint32Array) => measures(weights[0] === 0 ? null : 1)
    const seldom = (weights: Uint32Array) => measures(weights[0] === 0 ? 1 : null)
    const [first, second] = drawIntervals({ ...draw, samples: [often, seldom] })!
    expect(first!.measures.rocAuc).toEqual({ from: 1, to: 1 })
    expect(second!.measures.rocAuc).toBeNull()
  })
})
