// How often the rollout's sequential tests are wrong, and how soon they are right: by simulation.
//
// In: how many rollouts, looks at each, alpha, a seed. Out: shares of rollouts that were convicted
// or passed, and the median number of looks. A look comes after every 1,000 events; counts of an
// interval are drawn from Poisson distributions, which is what many events with small chances give.
// The champion flags 1 % of the events; the challenger agrees with it on four of five. Nothing is
// refused. Invariant: the same seed gives the same figures.

import { mcnemarMidP } from '../../../services/statistics/paired-figures.ts'
import {
  capitalAbove,
  capitalBelow,
  capitalNeeded,
} from '../../../services/statistics/sequential-tests.ts'
import { RandomStream } from '../../generator/random.ts'

export type VerdictsOptions = {
  readonly rollouts: number
  readonly looks: number
  readonly alpha: number
  readonly seed: number
}

export type Verdicts = {
  readonly ratio: number
  /** Share of the rollouts in which a guard was ever broken. */
  readonly convicted: number
  /** Share in which both conditions on the alert rate were ever met before that. */
  readonly passed: number
  /** Until either; null where most came to none. */
  readonly medianLooks: number | null
  /** Share in which McNemar's p ever fell below alpha. */
  readonly convictedByRepeatedMcnemar: number
}

export type VerdictsCase = {
  readonly case: 'verdicts'
  readonly rollouts: number
  readonly looks: number
  readonly eventsPerLook: number
  readonly alpha: number
  readonly seed: number
  /** As many alerts as the champion: convicting it is a false alarm. */
  readonly sameRate: Verdicts
  /** As many as the band just allows: convicting is false, and so is passing. */
  readonly atTheLimit: Verdicts
  readonly effects: readonly Verdicts[]
}

const eventsPerLook = 1000
const flagsPerLook = 0.01 * eventsPerLook
const agreement = 0.8
/** As the pipeline file has them by default. */
const band = { min: 0.8, max: 1.25 }
/** As judge.ts shares alpha among its tests. */
const TESTS = 4

export function simulateVerdicts(options: VerdictsOptions): VerdictsCase {
  const random = new RandomStream(options.seed, 'verdict')
  const run = (ratio: number): Verdicts => simulateRatio(ratio, options, random)
  return {
    case: 'verdicts',
    ...options,
    eventsPerLook,
    sameRate: run(1),
    atTheLimit: run(band.max),
    effects: [0.5, 1.5, 2, 4].map(run),
  }
}

function simulateRatio(
  ratio: number,
  { rollouts, looks, alpha }: VerdictsOptions,
  random: RandomStream,
): Verdicts {
  const ends: number[] = []
  const sums = { convicted: 0, passed: 0, mcnemar: 0 }
  for (let rollout = 0; rollout < rollouts; rollout++) {
    const found = simulateRollout(ratio, { looks, alpha }, random)
    if (found.isConvicted) sums.convicted++
    if (found.isPassed) sums.passed++
    if (found.isOddOnce) sums.mcnemar++
    ends.push(found.looks)
  }
  const median = ends.sort((a, b) => a - b)[Math.floor(rollouts / 2)]!
  return {
    ratio,
    convicted: sums.convicted / rollouts,
    passed: sums.passed / rollouts,
    medianLooks: median > looks ? null : median,
    convictedByRepeatedMcnemar: sums.mcnemar / rollouts,
  }
}

function simulateRollout(
  ratio: number,
  { looks, alpha }: Pick<VerdictsOptions, 'looks' | 'alpha'>,
  random: RandomStream,
) {
  const both = flagsPerLook * agreement * Math.min(1, ratio)
  const counts = { flaggedByBoth: 0, flaggedByChallenger: 0, flaggedByChampion: 0 }
  const guard = capitalNeeded(alpha / TESTS)
  const condition = capitalNeeded(alpha)
  const found = { isConvicted: false, isPassed: false, isOddOnce: false, looks: looks + 1 }
  for (let look = 1; look <= looks; look++) {
    counts.flaggedByBoth += random.poisson(both)
    counts.flaggedByChallenger += random.poisson(flagsPerLook * ratio - both)
    counts.flaggedByChampion += random.poisson(flagsPerLook - both)
    const { flaggedByChallenger: up, flaggedByChampion: down } = counts
    if (!found.isOddOnce && up + down > 0) found.isOddOnce = mcnemarMidP(up, down) < alpha
    const isBroken =
      capitalAbove(counts, band.max) >= guard || capitalBelow(counts, band.min) >= guard
    const isInside =
      capitalBelow(counts, band.max) >= condition && capitalAbove(counts, band.min) >= condition
    // A challenger that passed is judged on: a guard may still be broken.
    if (isInside && !found.isConvicted) found.isPassed = true
    if (isBroken) found.isConvicted = true
    if (isBroken || isInside) found.looks = Math.min(found.looks, look)
    if (found.isConvicted && found.isOddOnce) break
  }
  return found
}
