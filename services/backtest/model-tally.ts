// All models on the same events: their measures, and how sure those are.
//
// In: events in their order with one score per model, verdict (null: not known), day and customer.
// Out: per model its measures, their intervals by drawing days and by drawing customers, the same
// for its difference to the champion; the champion's days. Nothing is refused; what cannot be
// measured is null. Invariant: every model is measured on the same events and in the same draws.
// Memory: 8 bytes per measured event, 4 more per model, 5 per card, day and model, 40 per customer
// and model.

import type { ScoringModel } from '../pipeline/records.ts'
import {
  bootstrapSeed,
  customersMin,
  daysMin,
  drawIntervals,
  type Intervals,
  type Measures,
  type ModelIntervals,
  type Sample,
} from '../statistics/bootstrap.ts'
import { createColumn, type GrowingColumn } from '../statistics/growing-column.ts'
import { createRanking, type Ranking } from '../statistics/ranking-measures.ts'
import { type CardPrecision, rankCards } from './card-precision.ts'
import type { CostTable } from './cost-table.ts'
import { binOf, measureBins } from './score-bins.ts'
import { groupScores, type UnitScores } from './unit-scores.ts'
import { createUnitSums, type UnitSums } from './unit-sums.ts'
import type { Thresholds } from './value-tally.ts'

/** By what is drawn; null where there are too few of them. */
type IntervalsBy = {
  readonly days: Intervals | null
  readonly customers: Intervals | null
}

export type ModelMeasures = Measures & {
  readonly name: string
  readonly version: string
  readonly role: 'champion' | 'challenger'
  /** 95 %. */
  readonly intervals: IntervalsBy
  /** This model minus the champion; null for the champion. */
  readonly difference: IntervalsBy | null
}

type TalliedEvent = {
  readonly day: number
  readonly customerId: string
  readonly amountMinor: number
  readonly isFraud: boolean | null
}

type OneModel = {
  readonly model: ScoringModel
  readonly ranking: Ranking
  readonly byDay: UnitSums
  readonly byCustomer: UnitSums
}

export function createModelTally(thresholds: Thresholds, costs: CostTable) {
  const models: OneModel[] = []
  const days = createNumbering<number>()
  const customers = createNumbering<string>()
  /** Of the events with a verdict. */
  const dayColumn = createColumn()
  const customerColumn = createColumn()
  return {
    /** The models are known from the first batch on, and never change within a run. */
    meet: (found: readonly ScoringModel[]): void => {
      if (models.length > 0) return
      for (const model of found) {
        const byDay = createUnitSums(thresholds, costs)
        const byCustomer = createUnitSums(thresholds, costs)
        models.push({ model, ranking: createRanking(), byDay, byCustomer })
      }
    },
    /** @param scoreOf the score that a model gave, champion 0. */
    add: (event: TalliedEvent, scoreOf: (model: number) => number): void => {
      const { isFraud, amountMinor } = event
      const day = days.of(event.day)
      const customer = customers.of(event.customerId)
      for (let i = 0; i < models.length; i++) {
        const { byDay, byCustomer, ranking } = models[i]!
        const score = scoreOf(i)
        byDay.add(day, score, isFraud, amountMinor)
        byCustomer.add(customer, score, isFraud, amountMinor)
        if (isFraud !== null) ranking.add(score, isFraud)
      }
      if (isFraud === null) return
      dayColumn.push(day)
      customerColumn.push(customer)
    },
    champion: (): Ranking => models[0]?.ranking ?? createRanking(),
    measure: () => {
      const columns = { days, customers, dayColumn, customerColumn }
      const prepared = models.map((one) => prepare(one, columns))
      const drawn = {
        days: drawIntervals({
          units: days.all.length,
          unitsMin: daysMin,
          samples: prepared.map(({ ofDays }) => ofDays),
          seed: bootstrapSeed,
        }),
        customers: drawIntervals({
          units: customers.all.length,
          unitsMin: customersMin,
          samples: prepared.map(({ ofCustomers }) => ofCustomers),
          seed: bootstrapSeed,
        }),
      }
      return {
        models: models.map((one, i) => describe(one, i, prepared[i]!, drawn)),
        ...figuresOfDays(prepared[0], days.all),
        cardPrecisionBest: measureBestCards(models[0], columns),
      }
    },
  }
}

type Columns = {
  readonly days: Numbering<number>
  readonly customers: Numbering<string>
  readonly dayColumn: GrowingColumn
  readonly customerColumn: GrowingColumn
}

type Prepared = {
  readonly cards: CardPrecision
  readonly scoresByDay: UnitScores
  readonly ofDays: Sample
  readonly ofCustomers: Sample
}

function prepare({ ranking, byDay, byCustomer }: OneModel, columns: Columns): Prepared {
  const { days, dayColumn, customerColumn } = columns
  const events = {
    count: dayColumn.length(),
    isFraudAt: ranking.isFraudAt,
    binAt: (i: number) => binOf(ranking.scoreAt(i)),
  }
  const cards = rankCards({
    ...cardEvents(ranking.isFraudAt, columns),
    scoreAt: ranking.scoreAt,
  })
  const scoresByDay = groupScores({ ...events, unitAt: dayColumn.at })
  const scoresByCustomer = groupScores({ ...events, unitAt: customerColumn.at })
  const precisionByDay = new Map(cards.measure().days.map(({ day, precision }) => [day, precision]))
  const precisions = days.all.map((day) => precisionByDay.get(day) ?? null)
  return {
    cards,
    scoresByDay,
    ofDays: (weights) => ({
      ...measureBins(scoresByDay.weigh(weights)),
      cardPrecisionAt100: weighedMean(precisions, weights),
      ...byDay.measure(weights),
    }),
    ofCustomers: (weights) => ({
      ...measureBins(scoresByCustomer.weigh(weights)),
      cardPrecisionAt100: cards.measure(weights).mean,
      ...byCustomer.measure(weights),
    }),
  }
}

function weighedMean(values: readonly (number | null)[], weights: Uint32Array): number | null {
  let sum = 0
  let all = 0
  for (const [i, value] of values.entries()) {
    if (value === null) continue
    sum += weights[i]! * value
    all += weights[i]!
  }
  return all === 0 ? null : sum / all
}

/**
 * What a model would get that knows every fraud: few days have as many cards with one as are looked
 * at.
 */
function measureBestCards(model: OneModel | undefined, columns: Columns): number | null {
  if (model === undefined) return null
  const { isFraudAt } = model.ranking
  const events = cardEvents(isFraudAt, columns)
  return rankCards({ ...events, scoreAt: (i) => Number(isFraudAt(i)) }).measure().mean
}

const cardEvents = (isFraudAt: Ranking['isFraudAt'], columns: Columns) => ({
  count: columns.dayColumn.length(),
  isFraudAt,
  dayAt: (i: number) => columns.days.all[columns.dayColumn.at(i)]!,
  customerAt: columns.customerColumn.at,
  customerIds: columns.customers.all,
})

type DrawnBy = Readonly<Record<keyof IntervalsBy, readonly ModelIntervals[] | null>>

function describe(
  { model, ranking, byDay }: OneModel,
  index: number,
  { cards }: Prepared,
  { days, customers }: DrawnBy,
): ModelMeasures {
  const { rocAuc, averagePrecision, frauds } = ranking.measure()
  const by = (name: keyof ModelIntervals): IntervalsBy => ({
    days: days?.[index]?.[name] ?? null,
    customers: customers?.[index]?.[name] ?? null,
  })
  return {
    name: model.name,
    version: model.version,
    role: index === 0 ? 'champion' : 'challenger',
    averagePrecision,
    rocAuc,
    // Without a fraud a precision of 0 would say something about the cards, not about the model.
    cardPrecisionAt100: frauds === 0 ? null : cards.measure().mean,
    ...byDay.measure(),
    intervals: by('measures'),
    difference: index === 0 ? null : by('difference'),
  }
}

/** The champion's, for the table of days. */
function figuresOfDays(champion: Prepared | undefined, days: readonly number[]) {
  const cards = new Map(
    champion?.cards.measure().days.map(({ day, precision }) => [day, precision]),
  )
  const unitOf = new Map(days.map((day, unit) => [day, unit]))
  return {
    cardPrecisionOf: (day: number): number | null => cards.get(day) ?? null,
    rocAucOf: (day: number): number | null => {
      const weights = new Uint32Array(days.length)
      weights[unitOf.get(day)!] = 1
      return champion === undefined ? null : measureBins(champion.scoresByDay.weigh(weights)).rocAuc
    },
  }
}

type Numbering<T> = { readonly of: (value: T) => number; readonly all: readonly T[] }

/** Numbers from 0 on, in the order in which values are met. */
function createNumbering<T>(): Numbering<T> {
  const numbers = new Map<T, number>()
  const all: T[] = []
  return {
    all,
    of: (value) => {
      const known = numbers.get(value)
      if (known !== undefined) return known
      numbers.set(value, all.length)
      return all.push(value) - 1
    },
  }
}
