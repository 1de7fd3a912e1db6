// The verdict on a challenger: advance, wait, pause or roll back, with the reason for each.
//
//   a guard is broken            ─► roll back, at once
//   the step lasts too long      ─► pause: inconclusive, a person decides
//   every condition is met       ─► advance
//   else                         ─► wait
//
// In: the rules, evidence since it came into the shadow. Out: a verdict. Pure. Invariants: however
// often it is judged, a challenger within the band, as fast as allowed and as good with frauds goes
// back for one of these with a chance of at most alpha; one outside advances with as small a one.
// While history is read only plain facts count: a bet on half of it is another look.

import type { RolloutRules } from '../core/rollout-rules.ts'
import type { PairedCounts } from '../statistics/paired-counts.ts'
import { measurePair, type PairedFigures } from '../statistics/paired-figures.ts'
import {
  capitalAbove,
  capitalBelow,
  capitalNeeded,
  capitalOfWins,
} from '../statistics/sequential-tests.ts'

export type Evidence = {
  /** Since the challenger came into the shadow. */
  readonly counts: PairedCounts
  /** Since the last change of its share. */
  readonly step: { readonly events: number; readonly ageMs: number }
  /** For how long no event was scored; 0 in the shadow, where nobody waits for it. */
  readonly silentMs: number
  /** Whether all that was written when the reading began is in it. */
  readonly isWhole: boolean
}

export type Verdict = {
  readonly action: 'advance' | 'wait' | 'pause' | 'roll_back'
  /** Why; for `wait`, what is missing. */
  readonly reasons: readonly string[]
}

export function judge(rules: RolloutRules, evidence: Evidence): Verdict {
  const sight: Sight = { rules, evidence, figures: measurePair(evidence.counts) }
  const { isWhole } = evidence
  const broken = (isWhole ? guards : [failures]).flatMap((guard) => guard(sight) ?? [])
  if (broken.length > 0) return { action: 'roll_back', reasons: broken }
  if (!isWhole) return { action: 'wait', reasons: ['the events of the trial are still read'] }
  const missing = conditions.flatMap((condition) => condition(sight) ?? [])
  if (missing.length === 0) return { action: 'advance', reasons: praise(sight) }
  const { ageMs } = evidence.step
  if (ageMs <= rules.stepMsMax) return { action: 'wait', reasons: missing }
  const lasted = `the step lasts ${lasting(ageMs)}, allowed ${lasting(rules.stepMsMax)} (rollout.maxTime)`
  return { action: 'pause', reasons: [lasted, ...missing] }
}

type Sight = {
  readonly rules: RolloutRules
  readonly evidence: Evidence
  readonly figures: PairedFigures
}

/** null: all is well. */
type Rule = (sight: Sight) => string | null

/** Tests that share alpha: alert rate above and below, slower, frauds missed. */
const TESTS = 4

const isProven = (capital: number, { alpha }: RolloutRules): boolean =>
  capital >= capitalNeeded(alpha / TESTS)

const failures: Rule = ({ rules, evidence: { counts, isWhole } }) => {
  const { failedShareMax } = rules
  const share = counts.failed / Math.max(1, counts.events + counts.failed)
  if (share <= failedShareMax) return null
  // One failure is a fact; a share of what was read so far is not the share of all.
  if (!isWhole && failedShareMax > 0) return null
  const found = `${counts.failed} events of ${counts.events + counts.failed} without a score`
  return `${found}, allowed a share of ${failedShareMax} (rollout.failedShareMax)`
}

const guards: readonly Rule[] = [
  failures,
  ({ rules, evidence: { counts }, figures }) => {
    if (!isProven(capitalOfWins(counts.slowRuns, counts.runs - counts.slowRuns), rules)) return null
    const found = `takes ${show(figures.latencyRatio)} times the champion's time`
    return `${found}, allowed ${rules.latencyRatioMax} in most runs (rollout.latencyRatioMax)`
  },
  ({ rules, evidence: { counts }, figures }) => {
    if (!isProven(capitalAbove(counts, rules.alertRateMax), rules)) return null
    return `${flagsOf(figures, counts)}, allowed ${rules.alertRateMax} (rollout.alertRateMax)`
  },
  ({ rules, evidence: { counts }, figures }) => {
    if (!isProven(capitalBelow(counts, rules.alertRateMin), rules)) return null
    return `${flagsOf(figures, counts)}, expected ${rules.alertRateMin} (rollout.alertRateMin)`
  },
  ({ rules, evidence: { counts } }) => {
    const { fraudsByChampion, fraudsByChallenger } = counts
    if (!isProven(capitalOfWins(fraudsByChampion, fraudsByChallenger), rules)) return null
    return `misses ${fraudsByChampion} frauds that the champion flags, and flags ${fraudsByChallenger} that it misses`
  },
  ({ rules, evidence: { counts }, figures: { scorePsi } }) => {
    if (counts.events < rules.eventsMin || scorePsi === null || scorePsi <= rules.scorePsiMax) {
      return null
    }
    return `its scores drift from the champion's by a PSI of ${show(scorePsi)}, allowed ${rules.scorePsiMax} (rollout.scorePsiMax)`
  },
  ({ rules, evidence: { silentMs } }) =>
    silentMs <= rules.noDataMs
      ? null
      : `no event was scored for ${lasting(silentMs)}, allowed ${lasting(rules.noDataMs)} (rollout.noDataMax)`,
]

const conditions: readonly Rule[] = [
  ({ rules, evidence: { step } }) =>
    step.events >= rules.eventsMin
      ? null
      : `${step.events} events in this step, expected ${rules.eventsMin} (rollout.minEvents)`,
  ({ rules, evidence: { step } }) =>
    step.ageMs >= rules.stepMsMin
      ? null
      : `the step lasts ${lasting(step.ageMs)}, expected ${lasting(rules.stepMsMin)} (rollout.minTime)`,
  ({ rules, evidence: { counts } }) =>
    capitalBelow(counts, rules.alertRateMax) >= capitalNeeded(rules.alpha)
      ? null
      : `not proven that it flags less than ${rules.alertRateMax} times as many events (rollout.alertRateMax)`,
  ({ rules, evidence: { counts } }) =>
    capitalAbove(counts, rules.alertRateMin) >= capitalNeeded(rules.alpha)
      ? null
      : `not proven that it flags more than ${rules.alertRateMin} times as many events (rollout.alertRateMin)`,
  ({ rules, figures: { rankCorrelation } }) =>
    rankCorrelation !== null && rankCorrelation >= rules.rankCorrelationMin
      ? null
      : `its rank correlation with the champion is ${show(rankCorrelation)}, expected ${rules.rankCorrelationMin} (rollout.rankCorrelationMin)`,
]

const praise = ({ evidence: { counts, step }, figures }: Sight): string[] => [
  `${step.events} events in this step`,
  flagsOf(figures, counts),
  `its rank correlation with the champion is ${show(figures.rankCorrelation)}`,
]

function flagsOf({ alertRateRatio }: PairedFigures, counts: PairedCounts): string {
  const { flaggedByBoth: both, flaggedByChallenger: up, flaggedByChampion: down } = counts
  const times = alertRateRatio === null ? '' : `, ${show(alertRateRatio.value)} times as many`
  return `flags ${both + up} events, the champion ${both + down}${times}`
}

const show = (value: number | null): string =>
  value === null ? 'unknown yet' : String(Number(value.toPrecision(3)))

const units = [
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
] as const

/** In the largest unit that has at least two of it. */
function lasting(ms: number): string {
  const [unit, size] = units.find(([, unitMs]) => ms >= 2 * unitMs) ?? ['s', 1000]
  return `${Number((ms / size).toPrecision(3))} ${unit}`
}
