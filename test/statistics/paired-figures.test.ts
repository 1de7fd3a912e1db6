// Figures of a pair against numbers that scipy 1.17 gave, and counts that do not remember their
// order.

import { describe, expect, it } from 'vitest'
import {
  addCounts,
  countEvent,
  countFraud,
  countRun,
  createPairedCounts,
  type PairedCounts,
} from '../../services/statistics/paired-counts.ts'
import { mcnemarMidP, measurePair } from '../../services/statistics/paired-figures.ts'
import { createRandom } from '../support/random.ts'

const reviewFrom = 0.5

describe('paired figures', () => {
  // 2 * (binom.cdf(k - 1, n, 0.5) + binom.pmf(k, n, 0.5) / 2) with k the smaller of both.
  it.each([
    [10, 3, 0.05737304687499998],
    [3, 10, 0.05737304687499998],
    [7, 7, 1],
    [0, 5, 0.031249999999999976],
    [30, 12, 0.005401572654591293],
    [400, 460, 0.04081297592785198],
  ])('mcnemarMidP - %i flips up and %i down: %f', (up, down, p) => {
    expect(mcnemarMidP(up, down) / p).toBeCloseTo(1, 9)
  })

  it('mcnemarMidP - the approximation for many flips is close to the exact one', () => {
    expect(mcnemarMidP(1100, 1000)).toBeCloseTo(0.029110633685908677, 4)
  })

  it('measurePair - says nothing where nothing happened', () => {
    expect(measurePair(createPairedCounts())).toEqual({
      flips: 0,
      mcnemarP: null,
      alertRateRatio: null,
      scorePsi: null,
      rankCorrelation: null,
      latencyRatio: null,
    })
  })

  it('measurePair - the same scores: no flip, ratio 1, no shift, equal ranks', () => {
    const counts = createPairedCounts()
    const random = createRandom(3)
    for (let i = 0; i < 5000; i++) {
      const score = random.integer(0, 1000) / 1000
      countEvent(counts, { championScore: score, challengerScore: score }, reviewFrom)
    }
    const { flips, alertRateRatio, scorePsi, rankCorrelation } = measurePair(counts)
    expect(flips).toBe(0)
    expect(alertRateRatio).toEqual({ value: 1, low: 1, high: 1 })
    expect(scorePsi).toBe(0)
    expect(rankCorrelation).toBeCloseTo(1, 12)
  })

  it('measurePair - ratio and interval as by hand, opposite ranks are negative', () => {
    const counts: PairedCounts = {
      ...createPairedCounts(),
      flaggedByBoth: 90,
      flaggedByChallenger: 30,
      flaggedByChampion: 10,
      championMs: 50,
      challengerMs: 75,
    }
    const { alertRateRatio, latencyRatio } = measurePair(counts)
    // exp(log(1.2) -+ 1.96 * sqrt(40 / (120 * 100)))
    expect(alertRateRatio!.value).toBeCloseTo(1.2, 12)
    expect(alertRateRatio!.low).toBeCloseTo(1.0716, 4)
    expect(alertRateRatio!.high).toBeCloseTo(1.3438, 4)
    expect(latencyRatio).toBe(1.5)
    const opposite = createPairedCounts()
    for (const championScore of [0.0001, 0.03, 0.3, 0.55, 0.97]) {
      countEvent(opposite, { championScore, challengerScore: 1 - championScore }, reviewFrom)
    }
    expect(measurePair(opposite).rankCorrelation).toBeLessThan(-0.9)
  })

  it('addCounts - parts in any order add up to the whole', () => {
    const random = createRandom(5)
    const whole = createPairedCounts()
    const parts = [createPairedCounts(), createPairedCounts(), createPairedCounts()]
    for (let i = 0; i < 3000; i++) {
      const championScore = random.integer(0, 1000) / 1000
      const challengerScore = random.chance(0.01) ? null : random.integer(0, 1000) / 1000
      const run = { championMs: random.integer(1, 9), challengerMs: random.integer(1, 9) }
      for (const counts of [whole, random.pick(parts)]) {
        countEvent(counts, { championScore, challengerScore }, reviewFrom)
        countRun(counts, run, 2)
        countFraud(counts, i % 3 === 0 ? 'champion' : 'challenger')
      }
    }
    const [a, b, c] = parts as [PairedCounts, PairedCounts, PairedCounts]
    expect(addCounts(addCounts(a, b), c)).toEqual(whole)
    expect(addCounts(c, addCounts(b, a))).toEqual(whole)
    expect(whole.events + whole.failed).toBe(3000)
    expect(whole.grid.reduce((sum, cell) => sum + cell, 0)).toBe(whole.events)
    expect(whole.slowRuns).toBeGreaterThan(0)
  })
})
