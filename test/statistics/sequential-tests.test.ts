// Tests that may be looked at again and again: how often they are wrong, and that a usual one is
// not fit for it.

import { describe, expect, it } from 'vitest'
import { simulateVerdicts } from '../../load/bench/cases/verdicts.ts'
import {
  capitalAbove,
  capitalBelow,
  capitalNeeded,
  capitalOfWins,
} from '../../services/statistics/sequential-tests.ts'

const alpha = 0.05

describe('sequential tests', () => {
  it('wrongly convict a challenger at most alpha times, however often somebody looks', () => {
    const rollouts = 600
    const { sameRate, atTheLimit } = simulateVerdicts({ rollouts, looks: 200, alpha, seed: 11 })
    const noise = 3 * Math.sqrt((alpha * (1 - alpha)) / rollouts)
    expect(sameRate.convicted).toBeLessThanOrEqual(alpha + noise)
    expect(atTheLimit.convicted).toBeLessThanOrEqual(alpha + noise)
    // McNemar's test at the same alpha, looked at as often.
    expect(sameRate.convictedByRepeatedMcnemar).toBeGreaterThan(0.3)
    // Worst for the other verdict: as many alerts as the band just does not allow.
    expect(atTheLimit.passed).toBeLessThanOrEqual(alpha + noise)
  })

  it('convict what is out of the band, and let pass what is as good', () => {
    const { sameRate, effects } = simulateVerdicts({ rollouts: 100, looks: 200, alpha, seed: 12 })
    expect(sameRate.passed).toBeGreaterThan(0.95)
    const double = effects.find(({ ratio }) => ratio === 2)!
    expect(double.convicted).toBe(1)
    expect(double.medianLooks).toBeLessThan(20)
  })

  it('start from a capital of one, and lose it where the hypothesis holds', () => {
    const nothing = { flaggedByBoth: 0, flaggedByChallenger: 0, flaggedByChampion: 0 }
    expect(capitalAbove(nothing, 1.25)).toBeCloseTo(0, 12)
    expect(capitalBelow(nothing, 1.25)).toBeCloseTo(0, 12)
    expect(capitalOfWins(0, 0)).toBeCloseTo(0, 12)
    const same = { flaggedByBoth: 500, flaggedByChallenger: 0, flaggedByChampion: 0 }
    expect(capitalAbove(same, 1.25)).toBeLessThan(0)
    expect(capitalBelow(same, 1.25)).toBeGreaterThan(capitalNeeded(alpha))
    expect(capitalAbove(same, 0.8)).toBeGreaterThan(capitalNeeded(alpha))
  })

  it('one step of the bet is fair: the mean gain under the hypothesis is nothing', () => {
    // Champion flags 4 events in 100, the challenger 5, of which 3 are the champion's: exactly 1.25
    // times.
    const chances = { both: 0.03, challenger: 0.02, champion: 0.01, neither: 0.94 }
    const none = { flaggedByBoth: 0, flaggedByChallenger: 0, flaggedByChampion: 0 }
    const mean = (capital: typeof capitalAbove): number =>
      chances.both * Math.exp(capital({ ...none, flaggedByBoth: 1 }, 1.25)) +
      chances.challenger * Math.exp(capital({ ...none, flaggedByChallenger: 1 }, 1.25)) +
      chances.champion * Math.exp(capital({ ...none, flaggedByChampion: 1 }, 1.25)) +
      chances.neither
    expect(mean(capitalAbove)).toBeCloseTo(1, 12)
    expect(mean(capitalBelow)).toBeCloseTo(1, 12)
  })

  it('a sign test needs some wins without a loss, and is not moved by equal numbers', () => {
    expect(capitalOfWins(6, 0)).toBeLessThan(capitalNeeded(0.0125))
    expect(capitalOfWins(20, 0)).toBeGreaterThan(capitalNeeded(0.0125))
    expect(capitalOfWins(1000, 1000)).toBeLessThan(0)
  })
})
