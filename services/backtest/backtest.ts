// The backtest: decided batches in, every measure of the report out, in one pass.
//
// In: batches in the order of time with what is known of each transaction; thresholds, cost table,
// the champion's reference, the measured stretch of time. Out: plain objects for report.json. What
// cannot be measured is null, and `unmeasured` says why; never NaN. Invariants: the same rows give
// the same numbers whatever the batches; memory grows with measured events, customers and models
// alone, by a few numbers each (model-tally.ts).

import type { FeatureReference } from '../models/manifest.ts'
import type { EventRoles } from '../pipeline/event-roles.ts'
import type { DecidedBatch } from '../pipeline/records.ts'
import { type CalibrationMeasures, createCalibration } from '../statistics/calibration.ts'
import type { OperatingPoint, RankingMeasures } from '../statistics/ranking-measures.ts'
import { type CostTable, defaultCosts } from './cost-table.ts'
import { createDayTally, type DayMeasures, dayMs } from './day-tally.ts'
import { createFeatureDrift, type FeatureDrift } from './feature-drift.ts'
import { createModelTally, type ModelMeasures } from './model-tally.ts'
import { createScoreTally, type ScoreHistogram, type SimulatedThreshold } from './score-tally.ts'
import { createSegmentTally, type SegmentMeasures } from './segment-tally.ts'
import {
  createValueTally,
  type PolicyCosts,
  type ThresholdPoint,
  type Thresholds,
} from './value-tally.ts'

type BacktestSetup = {
  readonly roles: EventRoles
  readonly thresholds: Thresholds
  /** The champion's features in the vector's order; null where its manifest has none. */
  readonly references: readonly FeatureReference[] | null
  /** What an event without a label counts as; null leaves it out of what needs a verdict. */
  readonly unlabelled: false | null
  readonly costs?: CostTable
  /** Event times in [fromMs, toMs) are measured; those before it only warm up. */
  readonly fromMs?: number
  readonly toMs?: number
  /** Given where customers that are known to be defrauded are left out. */
  readonly knownFrauds?: KnownFrauds
}

export type KnownFrauds = {
  readonly sinceMs: number
  /** Whether a fraud of the customer since then was known before that moment. */
  readonly isKnown: (customerId: string, beforeMs: number) => boolean
}

/** The figures that a run is judged by first. */
export type Headline = RankingMeasures & {
  readonly cardPrecisionAt100: number | null
  /** Why measures are null; null where nothing stood in the way. */
  readonly unmeasured: string | null
}

export type BacktestDetail = {
  /** The measured stretch of event times, ISO 8601; null where it is open. */
  readonly from: string | null
  readonly to: string | null
  /** Customers with a fraud since then that was known before the day are left out; null: nobody. */
  readonly knownSince: string | null
  /** Events in the stretch that were left out for it. */
  readonly leftOut: number
  /** Scored events that are measured, with and without a label. */
  readonly events: number
  readonly currencies: readonly string[]
  readonly thresholds: readonly ThresholdPoint[]
  readonly falsePositiveRates: readonly OperatingPoint[]
  readonly costs: PolicyCosts
  readonly simulation: readonly SimulatedThreshold[]
  readonly calibration: CalibrationMeasures
  readonly scores: ScoreHistogram
  /** Card precision@100 of a model that knows every fraud. */
  readonly cardPrecisionBest: number | null
  readonly days: readonly DayMeasures[]
  readonly segments: Readonly<Record<string, readonly SegmentMeasures[]>>
  readonly drift: readonly FeatureDrift[] | null
  readonly models: readonly ModelMeasures[]
}

/** Shares of the genuine events that may be flagged. */
const falsePositiveRates = [0.001, 0.005, 0.01, 0.05]

export type BacktestTally = ReturnType<typeof createBacktest>

export function createBacktest(setup: BacktestSetup) {
  const tallies = createTallies(setup)
  const { roles, fromMs = Number.NEGATIVE_INFINITY, toMs = Number.POSITIVE_INFINITY } = setup
  return {
    /** @param isFraud verdicts by row, null where none is known. */
    add: ({ scored }: DecidedBatch, isFraud: readonly (boolean | null)[]): void => {
      const { batch, count, arrivalIndexes } = scored.enriched
      tallies.models.meet([scored.champion, ...scored.challengers])
      for (let row = 0; row < count; row++) {
        const transaction = batch.arrivals[arrivalIndexes[row]!]!.transaction!
        const { eventTime } = transaction
        const customerId = roles.subjectOf(transaction)
        const amountMinor = roles.amountOf(transaction)
        const currency = roles.currencyOf(transaction)
        tallies.segments.see(transaction)
        if (eventTime < fromMs || eventTime >= toMs) continue
        const day = Math.floor(eventTime / dayMs)
        if (setup.knownFrauds?.isKnown(customerId, day * dayMs)) {
          tallies.leftOut++
          continue
        }
        const verdict = isFraud[row] ?? setup.unlabelled
        const score = scored.scores[row]!
        if (currency !== null) tallies.currencies.add(currency)
        tallies.values.add(score, verdict, amountMinor)
        tallies.scores.add(score, verdict, amountMinor)
        tallies.segments.add(transaction, score, verdict)
        tallies.days.add(day, score, verdict)
        tallies.drift?.add(scored.enriched.vectors, row)
        tallies.models.add({ day, customerId, amountMinor, isFraud: verdict }, (model) =>
          model === 0 ? score : scored.challengerScores[model - 1]![row]!,
        )
        if (verdict !== null) tallies.calibration.add(score, verdict)
      }
    },
    measure: (): Backtest => composeBacktest(setup, tallies),
  }
}

type Tallies = ReturnType<typeof createTallies>

const createTallies = ({ roles, thresholds, references, costs = defaultCosts }: BacktestSetup) => ({
  models: createModelTally(thresholds, costs),
  values: createValueTally(thresholds),
  scores: createScoreTally(),
  segments: createSegmentTally(thresholds.review, roles),
  calibration: createCalibration(),
  drift: references === null ? null : createFeatureDrift(references),
  days: createDayTally(thresholds.review),
  currencies: new Set<string>(),
  /** Events of customers that were known to be defrauded. */
  leftOut: 0,
})

type Backtest = { readonly headline: Headline; readonly detail: BacktestDetail }

function composeBacktest(setup: BacktestSetup, tallies: Tallies): Backtest {
  const { values, scores, calibration, segments, drift, currencies } = tallies
  const costs = setup.costs ?? defaultCosts
  const { models, cardPrecisionBest, ...figuresOfDays } = tallies.models.measure()
  const ranking = tallies.models.champion()
  const days = tallies.days.measure(figuresOfDays)
  const measures = ranking.measure()
  const blocked = values.blocked()
  const scored = values.all().alerts
  const headline = {
    ...measures,
    cardPrecisionAt100: models[0]?.cardPrecisionAt100 ?? null,
    unmeasured: whyUnmeasured(scored, measures),
  }
  const detail = {
    from: toIso(setup.fromMs),
    to: toIso(setup.toMs),
    knownSince: toIso(setup.knownFrauds?.sinceMs),
    leftOut: tallies.leftOut,
    events: scored,
    currencies: [...currencies].sort(),
    thresholds: values.points(),
    falsePositiveRates: ranking.atFalsePositiveRates(falsePositiveRates),
    costs: values.costs(costs),
    simulation: scores.simulate({
      blockFrom: setup.thresholds.block,
      blocked,
      costs,
      days: days.length,
    }),
    calibration: calibration.measure(),
    scores: scores.histogram(),
    cardPrecisionBest: measures.frauds === 0 ? null : cardPrecisionBest,
    days,
    segments: segments.measure(),
    drift: drift?.measure() ?? null,
    models,
  }
  return { headline, detail }
}

const toIso = (timeMs: number | undefined): string | null =>
  timeMs === undefined ? null : new Date(timeMs).toISOString()

function whyUnmeasured(scored: number, { events, frauds }: RankingMeasures): string | null {
  if (scored === 0) return 'no event was scored in the measured time'
  if (events === 0) return 'no scored event has a label'
  if (frauds === 0) return 'no labelled event is a fraud'
  if (frauds === events) return 'every labelled event is a fraud'
  return null
}
