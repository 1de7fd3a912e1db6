// What people read of two models on the same events: flips, ratio, shift, ranks, time.
//
// In: counts. Out: figures; null where there is nothing to say. Descriptions, looked at as often as
// one likes; they decide nothing that sequential-tests.ts can decide, because a p-value or an
// interval that is looked at again and again is wrong more often than it says.

import { type PairedCounts, scoreBins } from './paired-counts.ts'
import { populationStability } from './population-stability.ts'

export type PairedFigures = {
  /** Events that one of the two flags and the other does not. */
  readonly flips: number
  /** McNemar's test, two-sided, mid-p: how odd the flips' imbalance is for a single look. */
  readonly mcnemarP: number | null
  /**
   * Challenger's share of flagged events over the champion's, with its interval of 95 % for a
   * single look.
   */
  readonly alertRateRatio: {
    readonly value: number
    readonly low: number
    readonly high: number
  } | null
  /** Population stability index of the challenger's scores against the champion's. */
  readonly scorePsi: number | null
  /** Spearman's, on the bins of the grid with midranks. */
  readonly rankCorrelation: number | null
  /** Time in runs, the challenger's over the champion's. */
  readonly latencyRatio: number | null
}

export function measurePair(counts: PairedCounts): PairedFigures {
  const { flaggedByChallenger: up, flaggedByChampion: down, events } = counts
  const { champion, challenger } = marginsOf(counts)
  return {
    flips: up + down,
    mcnemarP: up + down === 0 ? null : mcnemarMidP(up, down),
    alertRateRatio: measureRatio(counts),
    scorePsi: events === 0 ? null : populationStability(champion, challenger),
    rankCorrelation: correlateRanks(counts.grid, champion, challenger),
    latencyRatio: counts.championMs > 0 ? counts.challengerMs / counts.championMs : null,
  }
}

/** Exact up to this many flips; the normal approximation is closer than 1 % from here on. */
const EXACT_MAX = 2000

/** 2 * (P(X < k) + P(X = k) / 2) for X binomial(n, 1/2) and k the smaller side. */
export function mcnemarMidP(up: number, down: number): number {
  const n = up + down
  const k = Math.min(up, down)
  if (n > EXACT_MAX) return 2 * normalTail(Math.abs(up - down) / Math.sqrt(n))
  if (up === down) return 1
  let probability = 2 ** -Math.min(n, 1000)
  const scale = n > 1000 ? 2 ** -(n - 1000) : 1
  let below = 0
  for (let i = 0; i < k; i++) {
    below += probability
    probability = (probability * (n - i)) / (i + 1)
  }
  return Math.min(1, 2 * scale * (below + probability / 2))
}

/**
 * Of the standard normal distribution, right of z (Abramowitz and Stegun 7.1.26, error below 2e-7).
 */
function normalTail(z: number): number {
  const x = z / Math.SQRT2
  const t = 1 / (1 + 0.3275911 * x)
  const poly =
    ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
  return (poly * Math.exp(-x * x)) / 2
}

const Z95 = 1.959963984540054

/** Wald on the logarithm, for proportions of the same events: their common part has no variance. */
function measureRatio(counts: PairedCounts): PairedFigures['alertRateRatio'] {
  const { flaggedByBoth, flaggedByChallenger, flaggedByChampion } = counts
  const challenger = flaggedByBoth + flaggedByChallenger
  const champion = flaggedByBoth + flaggedByChampion
  if (challenger === 0 || champion === 0) return null
  const value = challenger / champion
  const spread = Math.sqrt((flaggedByChallenger + flaggedByChampion) / (challenger * champion))
  return { value, low: value * Math.exp(-Z95 * spread), high: value * Math.exp(Z95 * spread) }
}

function marginsOf({ grid }: PairedCounts) {
  const champion = new Float64Array(scoreBins)
  const challenger = new Float64Array(scoreBins)
  for (let row = 0; row < scoreBins; row++) {
    for (let column = 0; column < scoreBins; column++) {
      const count = grid[row * scoreBins + column]!
      champion[row] = champion[row]! + count
      challenger[column] = challenger[column]! + count
    }
  }
  return { champion, challenger }
}

/** Pearson's correlation of midranks; null where one side has a single bin. */
function correlateRanks(
  grid: Float64Array,
  champion: Float64Array,
  challenger: Float64Array,
): number | null {
  const a = midranks(champion)
  const b = midranks(challenger)
  const n = champion.reduce((sum, count) => sum + count, 0)
  const mean = (n + 1) / 2
  let covariance = 0
  for (const [cell, count] of grid.entries()) {
    const row = Math.floor(cell / scoreBins)
    covariance += count * (a[row]! - mean) * (b[cell % scoreBins]! - mean)
  }
  const varianceOf = (counts: Float64Array, ranks: Float64Array): number =>
    counts.reduce((sum, count, bin) => sum + count * (ranks[bin]! - mean) ** 2, 0)
  const variance = varianceOf(champion, a) * varianceOf(challenger, b)
  return variance > 0 ? covariance / Math.sqrt(variance) : null
}

/** Rank of the middle of each bin. */
function midranks(counts: Float64Array): Float64Array {
  let before = 0
  return counts.map((count) => {
    const rank = before + (count + 1) / 2
    before += count
    return rank
  })
}
