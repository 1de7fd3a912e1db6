// What two models said about the same events, as counts: all that a verdict needs, in 5 KB.
//
// In: events that both models were given. Out: plain data; two of them add up to the counts of
// both. Nothing is refused. Invariant: the order of events and the way they were split leave no
// trace, so that windows, partitions and restarts give the same figures. Score pairs are kept in a
// grid of bins, dense where scores of rare frauds are: near 0.

export type PairedCounts = {
  /** Events with a score of both. */
  events: number
  /** Events for which the challenger gave no score. */
  failed: number
  /** Flagged = the score reaches the review band. */
  flaggedByBoth: number
  flaggedByChallenger: number
  flaggedByChampion: number
  /** Known frauds that one model alone flagged. */
  fraudsByChallenger: number
  fraudsByChampion: number
  /** Runs of a batch; those in which the challenger took longer than the rules allow; ms in all. */
  runs: number
  slowRuns: number
  championMs: number
  challengerMs: number
  /** Cell champion's bin * scoreBins + challenger's bin. */
  readonly grid: Float64Array
}

type PairedEvent = {
  readonly championScore: number
  /** null: it failed. */
  readonly challengerScore: number | null
}

const scoreEdges = [
  0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6,
  0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999,
] as const
export const scoreBins = scoreEdges.length + 1

export const createPairedCounts = (): PairedCounts => ({
  events: 0,
  failed: 0,
  flaggedByBoth: 0,
  flaggedByChallenger: 0,
  flaggedByChampion: 0,
  fraudsByChallenger: 0,
  fraudsByChampion: 0,
  runs: 0,
  slowRuns: 0,
  championMs: 0,
  challengerMs: 0,
  grid: new Float64Array(scoreBins * scoreBins),
})

/** @param reviewFrom scores from here on are flagged. */
export function countEvent(
  counts: PairedCounts,
  { championScore, challengerScore }: PairedEvent,
  reviewFrom: number,
): void {
  if (challengerScore === null) {
    counts.failed++
    return
  }
  counts.events++
  const cell = binOf(championScore) * scoreBins + binOf(challengerScore)
  counts.grid[cell] = counts.grid[cell]! + 1
  const byChampion = championScore >= reviewFrom
  const byChallenger = challengerScore >= reviewFrom
  if (byChampion && byChallenger) counts.flaggedByBoth++
  else if (byChallenger) counts.flaggedByChallenger++
  else if (byChampion) counts.flaggedByChampion++
}

type PairedRun = { readonly championMs: number; readonly challengerMs: number }

export function countRun(
  counts: PairedCounts,
  { championMs, challengerMs }: PairedRun,
  latencyRatioMax: number,
): void {
  counts.runs++
  counts.championMs = addMicros(counts.championMs, championMs)
  counts.challengerMs = addMicros(counts.challengerMs, challengerMs)
  if (challengerMs > latencyRatioMax * championMs) counts.slowRuns++
}

/** In whole microseconds: sums of fractions would differ in their last digits with the order. */
const addMicros = (sumMs: number, ms: number): number =>
  (Math.round(sumMs * 1000) + Math.round(ms * 1000)) / 1000

/** A fraud that one of the models alone had flagged. */
export function countFraud(counts: PairedCounts, flaggedBy: 'champion' | 'challenger'): void {
  if (flaggedBy === 'champion') counts.fraudsByChampion++
  else counts.fraudsByChallenger++
}

export function addCounts(a: PairedCounts, b: PairedCounts): PairedCounts {
  const sum = { ...createPairedCounts() }
  for (const name of Object.keys(sum) as (keyof PairedCounts)[]) {
    if (name !== 'grid') sum[name] = a[name] + b[name]
  }
  return { ...sum, grid: a.grid.map((cell, i) => cell + b.grid[i]!) }
}

function binOf(score: number): number {
  let low = 0
  let high: number = scoreEdges.length
  while (low < high) {
    const half = (low + high) >> 1
    if (score < scoreEdges[half]!) high = half
    else low = half + 1
  }
  return low
}
