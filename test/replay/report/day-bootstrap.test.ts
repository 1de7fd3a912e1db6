// Intervals by drawing days: the same for the same seed, narrow where days agree, paired over models.

import { describe, expect, test } from 'vitest'
import { drawIntervals } from '../../../services/replay/report/day-bootstrap.ts'
import { createDayTally } from '../../../services/replay/report/day-tally.ts'
import { createRandom } from '../../support/random.ts'

/** The first model ranks by chance, the second one well, the third as the first. */
function daysOf(count: number, seed = 1) {
  const random = createRandom(seed)
  const tally = createDayTally(3, 0.5)
  for (let day = 0; day < count; day++) {
    for (let i = 0; i < 60; i++) {
      const isFraud = i % 6 === 0
      const score = random.integer(1, 99) / 100
      tally.add(day, score, isFraud)
      tally.addScore(day, 0, score, isFraud)
      tally.addScore(day, 1, isFraud ? 0.9 : score * 0.5, isFraud)
      tally.addScore(day, 2, score, isFraud)
    }
  }
  return tally.counts()
}

const noCards = (days: number) => [0, 1, 2].map(() => new Array<null>(days).fill(null))

describe('day bootstrap', () => {
  test('intervals - are the same for the same seed and others for another', () => {
    const draw = { days: daysOf(12), cardPrecision: noCards(12), rounds: 60 }
    const first = drawIntervals({ ...draw, seed: 1 })
    expect(drawIntervals({ ...draw, seed: 1 })).toEqual(first)
    expect(drawIntervals({ ...draw, seed: 2 })).not.toEqual(first)
  })

  test('intervals - say that a better model is better, and that an equal one is not', () => {
    const drawn = drawIntervals({
      days: daysOf(12),
      cardPrecision: noCards(12),
      seed: 1,
      rounds: 60,
    })
    const [champion, better, equal] = drawn!
    expect(champion!.difference).toBeNull()
    expect(champion!.measures.rocAuc!.from).toBeLessThan(champion!.measures.rocAuc!.to)
    expect(better!.measures.rocAuc).toEqual({ from: 1, to: 1 })
    expect(better!.difference!.averagePrecision!.from).toBeGreaterThan(0.3)
    // The same days are drawn for all models.
    expect(equal!.difference!.rocAuc).toEqual({ from: 0, to: 0 })
    expect(equal!.measures.cardPrecisionAt100).toBeNull()
  })

  test('intervals - draw the mean of the days', () => {
    const cardPrecision = [[0.1, 0.1, 0.1, 0.1, 0.1, 0.6]]
    const [only] = drawIntervals({ days: daysOf(6), cardPrecision, seed: 1, rounds: 200 })!
    const { from, to } = only!.measures.cardPrecisionAt100!
    expect(from).toBeCloseTo(0.1, 12)
    expect(to).toBeGreaterThan(0.2)
    expect(to).toBeLessThan(0.6)
  })

  test('intervals - are null below five days', () => {
    expect(drawIntervals({ days: daysOf(4), cardPrecision: noCards(4), seed: 1 })).toBeNull()
  })
})
