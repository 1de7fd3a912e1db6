// The bins of scores: no order turned round, edges that fit, measures of counts against plain
// loops.

import { describe, expect, test } from 'vitest'
import {
  barEdges,
  barOf,
  binOf,
  measureBins,
  scoreBars,
  scoreBins,
} from '../../services/backtest/score-bins.ts'
import { createRanking } from '../../services/statistics/ranking-measures.ts'
import { createRandom } from '../support/random.ts'

const awkward = [
  0,
  1e-30,
  2 ** -21,
  2 ** -20,
  0.001,
  0.17,
  0.4999,
  0.5,
  0.5001,
  0.94,
  1 - 2 ** -20,
  1,
]

describe('score bins', () => {
  test.each([1, 2, 3])('binOf - never puts a higher score into a lower bin, seed %i', (seed) => {
    const random = createRandom(seed)
    const any = Array.from({ length: 5000 }, () => random.integer(0, 2 ** 24) / 2 ** 24)
    const scores = [...any, ...awkward].map(Math.fround).sort((a, b) => a - b)
    for (let i = 1; i < scores.length; i++) {
      expect(binOf(scores[i]!)).toBeGreaterThanOrEqual(binOf(scores[i - 1]!))
    }
    expect(binOf(0)).toBe(0)
    expect(binOf(1)).toBe(scoreBins - 1)
  })

  test('barOf - each score lies between the edges of its bar', () => {
    const edges = barEdges()
    expect(edges).toHaveLength(scoreBars + 1)
    const random = createRandom(7)
    const any = Array.from({ length: 3000 }, () => random.integer(0, 1_000_000) / 1_000_000)
    for (const score of [...any, ...awkward].map(Math.fround)) {
      const bar = barOf(binOf(score))
      expect(score).toBeGreaterThanOrEqual(edges[bar]!)
      expect(score).toBeLessThanOrEqual(edges[bar + 1]!)
    }
  })

  test.each([4, 5])(
    'measureBins - is the exact measure where each score has its bin, seed %i',
    (seed) => {
      const random = createRandom(seed)
      const levels = [0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999].map(Math.fround)
      const ranking = createRanking()
      const counts = { genuine: new Float64Array(scoreBins), fraud: new Float64Array(scoreBins) }
      for (let i = 0; i < 500; i++) {
        const score = random.pick(levels)
        const isFraud = random.integer(0, 4) === 0
        ranking.add(score, isFraud)
        counts[isFraud ? 'fraud' : 'genuine'][binOf(score)]!++
      }
      const { rocAuc, averagePrecision } = ranking.measure()
      const binned = measureBins(counts)
      expect(binned.rocAuc).toBeCloseTo(rocAuc!, 12)
      expect(binned.averagePrecision).toBeCloseTo(averagePrecision!, 12)
    },
  )

  test('measureBins - has no measure where a class is missing', () => {
    const none = new Float64Array(scoreBins)
    const one = new Float64Array(scoreBins).fill(1)
    const missing = { rocAuc: null, averagePrecision: null }
    expect(measureBins({ genuine: one, fraud: none })).toEqual(missing)
    expect(measureBins({ genuine: none, fraud: one })).toEqual(missing)
  })
})
