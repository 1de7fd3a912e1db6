// One minute of a trial as the record of model.comparisons.
//
// In: the trial, the minute's counts, the verdict of the moment. Out: the value that
// schemas/model-comparison.avsc describes. Nothing is refused. Invariant: figures are of the minute
// alone, the verdict is of all evidence.

import { measurePair } from '../statistics/paired-figures.ts'
import type { Minute } from './evidence-book.ts'
import type { Verdict } from './judge.ts'
import type { Trial } from './trial.ts'

const MINUTE_MS = 60_000

export type ComparisonRecord = ReturnType<typeof composeComparison>

export function composeComparison(
  pipeline: string,
  { champion, challenger, share, stepEpoch }: Trial,
  { startMs, counts }: Minute,
  { action, reasons }: Verdict,
) {
  const { mcnemarP, alertRateRatio, scorePsi, rankCorrelation, latencyRatio } = measurePair(counts)
  return {
    pipeline,
    championName: champion.name,
    championVersion: champion.version,
    challengerName: challenger.name,
    challengerVersion: challenger.version,
    share,
    controlEpoch: stepEpoch,
    windowStart: startMs,
    windowEnd: startMs + MINUTE_MS,
    events: counts.events,
    failed: counts.failed,
    flaggedByBoth: counts.flaggedByBoth,
    flaggedByChallenger: counts.flaggedByChallenger,
    flaggedByChampion: counts.flaggedByChampion,
    mcnemarP,
    alertRateRatio: alertRateRatio?.value ?? null,
    alertRateRatioLow: alertRateRatio?.low ?? null,
    alertRateRatioHigh: alertRateRatio?.high ?? null,
    scorePsi,
    rankCorrelation,
    latencyRatio,
    fraudsByChallenger: counts.fraudsByChallenger,
    fraudsByChampion: counts.fraudsByChampion,
    verdict: action,
    reasons,
  }
}
