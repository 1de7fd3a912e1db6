// The backtest: decided batches in, every measure of the report out, in one pass.
//
// In: batches in the order of time with what is known of each transaction; thresholds, cost table, the
// champion's reference, the measured stretch of time. Out: plain objects for report.json. What cannot
// be measured is null, and `unmeasured` says why; never NaN. Invariants: the same rows give the same
// numbers whatever the batches; memory is 4 bytes per measured event and model, 10 kB per day and
// model, and a few numbers per customer.

import type { FeatureReference } from '../../pipeline/classify/manifest.ts'
import type { DecidedBatch, ScoringModel } from '../../pipeline/records.ts'
import { type CalibrationMeasures, createCalibration } from './calibration.ts'
import { createCardPrecision } from './card-precision.ts'
import { type CostTable, defaultCosts } from './cost-table.ts'
import { bootstrapSeed, drawIntervals, type Intervals, type MeasureName } from './day-bootstrap.ts'
import { createDayTally, type DayMeasures, dayMs } from './day-tally.ts'
import { createFeatureDrift, type FeatureDrift } from './feature-drift.ts'
import { createRanking, type OperatingPoint, type RankingMeasures } from './ranking-measures.ts'
import { createScoreTally, type ScoreHistogram, type SimulatedThreshold } from './score-tally.ts'
import { createSegmentTally, type SegmentKind, type SegmentMeasures } from './segment-tally.ts'
import {
  createValueTally,
  type PolicyCosts,
  type ThresholdPoint,
  type Thresholds,
} from './value-tally.ts'

export type BacktestSetup = {
  readonly thresholds: Thresholds
  /** The champion's features in the vector's order; null where its manifest has none. */
  readonly references: readonly FeatureReference[] | null
  /** What an event without a label counts as; null leaves it out of what needs a verdict. */
  readonly unlabelled: false | null
  readonly costs?: CostTable
  /** Event times in [fromMs, toMs) are measured; those before it only warm up. */
  readonly fromMs?: number
  readonly toMs?: number
}

export type ModelMeasures = Record<MeasureName, number | null> & {
  readonly name: string
  readonly version: string
  readonly role: 'champion' | 'challenger'
  /** 95 %, by drawing days; null below 5 days. */
  readonly intervals: Intervals | null
  readonly difference: Intervals | null
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
  /** Scored events in it, with and without a label. */
  readonly events: number
  readonly currencies: readonly string[]
  readonly thresholds: readonly ThresholdPoint[]
  readonly falsePositiveRates: readonly OperatingPoint[]
  readonly costs: PolicyCosts
  readonly simulation: readonly SimulatedThreshold[]
  readonly calibration: CalibrationMeasures
  readonly scores: ScoreHistogram
  readonly days: readonly DayMeasures[]
  readonly segments: Readonly<Record<SegmentKind, readonly SegmentMeasures[]>>
  readonly drift: readonly FeatureDrift[] | null
  readonly models: readonly ModelMeasures[]
}

/** Shares of the genuine events that may be flagged. */
export const falsePositiveRates = [0.001, 0.005, 0.01, 0.05]

export type BacktestTally = ReturnType<typeof createBacktest>

export function createBacktest(setup: BacktestSetup) {
  const tallies = createTallies(setup)
  const { fromMs = Number.NEGATIVE_INFINITY, toMs = Number.POSITIVE_INFINITY } = setup
  return {
    /** @param isFraud verdicts by row, null where none is known. */
    add: ({ scored }: DecidedBatch, isFraud: readonly (boolean | null)[]): void => {
      const { batch, count, arrivalIndexes } = scored.enriched
      tallies.meetModels([scored.champion, ...scored.challengers])
      for (let row = 0; row < count; row++) {
        const transaction = batch.arrivals[arrivalIndexes[row]!]!.transaction!
        const { eventTime, amountMinor, customerId, currency } = transaction
        tallies.segments.see(transaction)
        if (eventTime < fromMs || eventTime >= toMs) continue
        const verdict = isFraud[row] ?? setup.unlabelled
        const day = Math.floor(eventTime / dayMs)
        const score = scored.scores[row]!
        tallies.currencies.add(currency)
        tallies.values.add(score, verdict, amountMinor)
        tallies.scores.add(score, verdict, amountMinor)
        tallies.segments.add(transaction, score, verdict)
        tallies.days().add(day, score, verdict)
        tallies.drift?.add(scored.enriched.vectors, row)
        if (verdict === null) continue
        tallies.calibration.add(score, verdict)
        tallies.models.forEach((model, i) => {
          const own = i === 0 ? score : scored.challengerScores[i - 1]![row]!
          model.ranking.add(own, verdict)
          model.cards.add(day, customerId, own, verdict)
          tallies.days().addScore(day, i, own, verdict)
        })
      }
    },
    measure: (): Backtest => composeBacktest(setup, tallies),
  }
}

type ModelTally = {
  readonly model: ScoringModel
  readonly ranking: ReturnType<typeof createRanking>
  readonly cards: ReturnType<typeof createCardPrecision>
}

type Tallies = ReturnType<typeof createTallies>

function createTallies({ thresholds, references }: BacktestSetup) {
  const models: ModelTally[] = []
  let days: ReturnType<typeof createDayTally> | null = null
  return {
    models,
    values: createValueTally(thresholds),
    scores: createScoreTally(),
    segments: createSegmentTally(thresholds.review),
    calibration: createCalibration(),
    drift: references === null ? null : createFeatureDrift(references),
    currencies: new Set<string>(),
    /** The models are known from the first batch on, and never change within a run. */
    meetModels: (found: readonly ScoringModel[]): void => {
      if (models.length > 0) return
      for (const model of found) {
        models.push({ model, ranking: createRanking(), cards: createCardPrecision() })
      }
    },
    days: () => {
      days ??= createDayTally(Math.max(1, models.length), thresholds.review)
      return days
    },
  }
}

export type Backtest = { readonly headline: Headline; readonly detail: BacktestDetail }

function composeBacktest(setup: BacktestSetup, tallies: Tallies): Backtest {
  const { values, scores, calibration, segments, drift, currencies } = tallies
  const costs = setup.costs ?? defaultCosts
  const models = measureModels(tallies)
  const champion = tallies.models[0]
  const ranking = champion?.ranking ?? createRanking()
  const cards = new Map(models.cards[0]?.map(({ day, precision }) => [day, precision]))
  const days = tallies.days().measure((day) => cards.get(day) ?? null)
  const measures = ranking.measure()
  const blocked = values.blocked()
  const scored = values.all().alerts
  const headline = {
    ...measures,
    cardPrecisionAt100: models.measures[0]?.cardPrecisionAt100 ?? null,
    unmeasured: whyUnmeasured(scored, measures),
  }
  const detail = {
    from: toIso(setup.fromMs),
    to: toIso(setup.toMs),
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
    days,
    segments: segments.measure(),
    drift: drift?.measure() ?? null,
    models: models.measures,
  }
  return { headline, detail }
}

const toIso = (timeMs: number | undefined): string | null =>
  timeMs === undefined ? null : new Date(timeMs).toISOString()

function measureModels({ models, days }: Tallies) {
  const counts = days().counts()
  const measured = models.map(({ model, ranking, cards }) => ({
    model,
    ranking: ranking.measure(),
    cards: cards.measure(),
  }))
  const cards = measured.map((one) => one.cards.days)
  const cardPrecision = cards.map((own) => {
    const byDay = new Map(own.map(({ day, precision }) => [day, precision]))
    return counts.map(({ day }) => byDay.get(day) ?? null)
  })
  const intervals = drawIntervals({ days: counts, cardPrecision, seed: bootstrapSeed })
  const measures = measured.map(
    ({ model, ranking, cards: own }, i): ModelMeasures => ({
      name: model.name,
      version: model.version,
      role: i === 0 ? 'champion' : 'challenger',
      rocAuc: ranking.rocAuc,
      averagePrecision: ranking.averagePrecision,
      // Without a fraud a precision of 0 would say something about the cards, not about the model.
      cardPrecisionAt100: ranking.frauds === 0 ? null : own.mean,
      intervals: intervals?.[i]?.measures ?? null,
      difference: intervals?.[i]?.difference ?? null,
    }),
  )
  return { measures, cards }
}

function whyUnmeasured(scored: number, { events, frauds }: RankingMeasures): string | null {
  if (scored === 0) return 'no event was scored in the measured time'
  if (events === 0) return 'no scored event has a label'
  if (frauds === 0) return 'no labelled event is a fraud'
  if (frauds === events) return 'every labelled event is a fraud'
  return null
}
