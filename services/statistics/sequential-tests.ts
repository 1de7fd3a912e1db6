// Tests that may be looked at after every event: betting against a hypothesis, from counts alone.
//
// Method: e-processes by betting (Waudby-Smith and Ramdas, "Estimating means of bounded random
// variables by betting", JRSS B 86, 2024; Ville's inequality). A gambler who does not believe the
// hypothesis bets a fixed share of the capital on each event at odds that are fair if it holds; the
// mean of gamblers with different shares is a bet too. If the hypothesis holds, the capital ever
// exceeds 1/alpha with a chance of at most alpha, however often somebody looks. The capital after n
// events depends on how many there were of each kind, not on their order: it follows from counts.
// Out: the logarithm of the capital.

import type { PairedCounts } from './paired-counts.ts'

/**
 * Shares of the largest bet that could not ruin: small ones find small effects, large ones fast.
 */
const shares = Array.from({ length: 12 }, (_, i) => 0.9 * 2 ** -i)

type Kind = {
  readonly count: number
  /** Gain per unit that was bet; under the hypothesis its mean is 0 or less. */
  readonly gain: number
}

/** Mean over the gamblers, as a logarithm. */
function capitalOf(kinds: readonly Kind[], betMax: number): number {
  const logs = shares.map((share) =>
    kinds.reduce((sum, { count, gain }) => sum + count * Math.log1p(share * betMax * gain), 0),
  )
  const largest = Math.max(...logs)
  const sum = logs.reduce((total, log) => total + Math.exp(log - largest), 0)
  return largest + Math.log(sum / logs.length)
}

type Flagged = Pick<PairedCounts, 'flaggedByBoth' | 'flaggedByChallenger' | 'flaggedByChampion'>

/** Against: the challenger flags at most `ratio` times as many events as the champion. */
export const capitalAbove = (flagged: Flagged, ratio: number): number =>
  capitalOf(
    [
      { count: flagged.flaggedByChallenger, gain: 1 },
      { count: flagged.flaggedByBoth, gain: 1 - ratio },
      { count: flagged.flaggedByChampion, gain: -ratio },
    ],
    1 / Math.max(1, ratio),
  )

/** Against: the challenger flags at least `ratio` times as many events as the champion. */
export const capitalBelow = (flagged: Flagged, ratio: number): number =>
  capitalOf(
    [
      { count: flagged.flaggedByChampion, gain: ratio },
      { count: flagged.flaggedByBoth, gain: ratio - 1 },
      { count: flagged.flaggedByChallenger, gain: -1 },
    ],
    1,
  )

/** Against: `wins` come at most as often as `losses`. Whatever the size of either: a sign test. */
export const capitalOfWins = (wins: number, losses: number): number =>
  capitalOf(
    [
      { count: wins, gain: 1 },
      { count: losses, gain: -1 },
    ],
    1,
  )

/** What the logarithm of the capital has to reach for a chance of error of at most alpha. */
export const capitalNeeded = (alpha: number): number => Math.log(1 / alpha)
