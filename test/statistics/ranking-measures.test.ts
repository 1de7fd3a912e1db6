// ROC AUC and average precision against their definitions by plain loops, with many ties.

import { describe, expect, test } from 'vitest'
import { createRanking } from '../../services/statistics/ranking-measures.ts'
import { createRandom } from '../support/random.ts'

type Scored = readonly (readonly [score: number, isFraud: boolean])[]

function measure(scored: Scored) {
  const ranking = createRanking()
  for (const [score, isFraud] of scored) ranking.add(score, isFraud)
  return ranking.measure()
}

function rocAucByPairs(scored: Scored): number {
  let won = 0
  let pairs = 0
  for (const [fraudScore, isFraud] of scored) {
    for (const [score, isOtherFraud] of scored) {
      if (!isFraud || isOtherFraud) continue
      pairs++
      won += fraudScore > score ? 1 : fraudScore === score ? 0.5 : 0
    }
  }
  return won / pairs
}

function averagePrecisionBySteps(scored: Scored): number {
  const frauds = scored.filter(([, isFraud]) => isFraud).length
  const steps = [...new Set(scored.map(([score]) => score))].sort((a, b) => b - a)
  let recallBefore = 0
  let sum = 0
  for (const step of steps) {
    const flagged = scored.filter(([score]) => score >= step)
    const hits = flagged.filter(([, isFraud]) => isFraud).length
    sum += (hits / frauds - recallBefore) * (hits / flagged.length)
    recallBefore = hits / frauds
  }
  return sum
}

describe('ranking measures', () => {
  test.each([1, 2, 3, 4, 5, 6])('ranking - follows the definitions, seed %i', (seed) => {
    const random = createRandom(seed)
    const levels = seed % 2 === 0 ? 7 : 1_000_000
    const scored: Scored = Array.from({ length: 300 }, () => [
      Math.fround(random.integer(0, levels) / levels),
      random.integer(0, 9) === 0,
    ])
    const { rocAuc, averagePrecision } = measure(scored)
    expect(rocAuc).toBeCloseTo(rocAucByPairs(scored), 12)
    expect(averagePrecision).toBeCloseTo(averagePrecisionBySteps(scored), 12)
  })

  test('ranking - is 1 for a perfect order and half the pairs for one score', () => {
    expect(
      measure([
        [1, true],
        [0.5, false],
        [0, false],
      ]),
    ).toMatchObject({
      rocAuc: 1,
      averagePrecision: 1,
    })
    expect(
      measure([
        [0.5, true],
        [0.5, false],
        [0.5, false],
      ]),
    ).toMatchObject({
      rocAuc: 0.5,
      averagePrecision: 1 / 3,
    })
  })

  test('ranking - has no measure where a class is missing', () => {
    expect(measure([[0.1, false]])).toEqual({
      events: 1,
      frauds: 0,
      rocAuc: null,
      averagePrecision: null,
    })
  })
})
