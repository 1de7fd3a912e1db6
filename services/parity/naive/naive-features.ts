// The naive oracle: a vector straight from the definitions of its features, by loops over history.
//
// In: the pipeline, a transaction, and for each entity the rows of its log before the transaction's
// own place and the labels that are visible there. Out: the vector, rounded to float32 once, and
// whether it is saturated. It shares types with the stages and nothing else; tests hold the stores
// to it, and `weir parity` asks it for a second opinion. naive-windows.ts says what a window holds.

import { limits } from '../../core/limits.ts'
import type {
  CalendarFeature,
  FeatureDefinition,
  FieldFeature,
  PipelineDefinition,
  WindowFeature,
} from '../../core/pipeline-definition.ts'
import type { Ceilings } from '../../pipeline/enrich/fold-log.ts'
import type { Label, Transaction } from '../../pipeline/records.ts'
import {
  fraudsOf,
  highestOf,
  highestTime,
  isSaturated,
  type NaiveView,
  type Row,
  rowsOf,
} from './naive-windows.ts'

/** One entity's logs as far as the transaction may look. */
type EntityHistory = {
  readonly entity: string
  /** Its log before the transaction's own place, from the beginning: row i has the ordinal i. */
  readonly before: readonly Transaction[]
  /**
   * Its label log (labels that say fraud) as far as it is visible; empty where no feature looks at
   * them.
   */
  readonly labels: readonly Label[]
}

type NaivePlace = {
  readonly transaction: Transaction
  /** One for each entity of the pipeline. */
  readonly histories: readonly EntityHistory[]
}

type NaiveVector = {
  readonly vector: readonly number[]
  readonly isSaturated: boolean
}

/** @param ceilings those of limits.ts, but for tests, which reach small ones sooner. */
export function computeNaiveFeatures(
  definition: PipelineDefinition,
  place: NaivePlace,
  ceilings: Ceilings = limits,
): NaiveVector {
  const { transaction, histories } = place
  const views = new Map(
    histories.map((history) => [
      history.entity,
      viewOf(definition, transaction, history, ceilings),
    ]),
  )
  const values = new Map<string, number>()
  for (const feature of definition.features) {
    const value =
      feature.kind === 'window'
        ? windowFeature(feature, views.get(feature.entity)!)
        : plainFeature(feature, transaction, values)
    values.set(feature.name, value)
  }
  return {
    vector: definition.features.map(({ name }) => Math.fround(values.get(name)!)),
    isSaturated: [...views.values()].some(isSaturated),
  }
}

function viewOf(
  { features, late }: PipelineDefinition,
  transaction: Transaction,
  { entity, before, labels }: EntityHistory,
  ceilings: Ceilings,
): NaiveView {
  const toRow = (event: Transaction, position: number): Row => ({
    position,
    timeMs: event.eventTime,
    transaction: event,
  })
  const own = toRow(transaction, before.length)
  const rows = [...before.map(toRow), own]
  return {
    features: features.filter((f) => f.kind === 'window').filter((f) => f.entity === entity),
    rows,
    own,
    highestMs: highestTime(rows),
    labels: labels.map((label, position) => ({ position, timeMs: label.eventTime, label })),
    allowedMs: late.allowedMs,
    ceilings,
  }
}

type Fields = Readonly<Record<string, unknown>>

const readField = (transaction: Transaction, field: string): unknown =>
  (transaction as unknown as Fields)[field]

function windowFeature(feature: WindowFeature, view: NaiveView): number {
  const { op, of, scale, absent } = feature
  const rows = rowsOf(feature, view)
  const numbers = of === null ? [] : rows.map((row) => readField(row.transaction, of) as number)
  const times = rows.map(({ timeMs }) => timeMs)
  if (op === 'count') return rows.length * scale
  if (op === 'distinct') return new Set(numbers).size * scale
  const frauds = fraudsOf(feature, view).map(({ timeMs }) => timeMs)
  if (op === 'fraud_count') return frauds.length * scale
  if (op === 'seconds_since_last_fraud' || op === 'seconds_since_first_fraud') {
    if (frauds.length === 0) return absent
    const fraudMs = op === 'seconds_since_last_fraud' ? highestOf(frauds) : lowestOf(frauds)
    return ((view.own.timeMs - fraudMs) / 1000) * scale
  }
  if (rows.length === 0) return absent
  switch (op) {
    case 'sum':
      return sumOf(numbers) * scale
    case 'mean':
      return (sumOf(numbers) / rows.length) * scale
    case 'min':
      return lowestOf(numbers) * scale
    case 'max':
      return highestOf(numbers) * scale
    case 'stddev':
      return deviationOf(numbers) * scale
    case 'last':
      return (readField(newestOf(rows).transaction, of!) as number) * scale
    case 'seconds_since_last':
      return ((view.own.timeMs - newestOf(rows).timeMs) / 1000) * scale
    case 'seconds_since_first':
      return ((view.own.timeMs - lowestOf(times)) / 1000) * scale
    case 'fraud_rate':
      return (frauds.length / rows.length) * scale
  }
}

const sumOf = (numbers: readonly number[]): number =>
  Number(numbers.reduce((total, n) => total + BigInt(n), 0n))

const lowestOf = (numbers: readonly number[]): number =>
  numbers.reduce((lowest, n) => Math.min(lowest, n), Number.POSITIVE_INFINITY)

/** The population's: sqrt(n * sum(x^2) - sum(x)^2) / n, with an exact integer under the root. */
function deviationOf(numbers: readonly number[]): number {
  const exact = numbers.map(BigInt)
  const count = BigInt(numbers.length)
  const sum = exact.reduce((total, n) => total + n, 0n)
  const squares = exact.reduce((total, n) => total + n * n, 0n)
  return Math.sqrt(Number(count * squares - sum * sum)) / numbers.length
}

/** The highest event time; of equal ones the newest in the log. */
const newestOf = (rows: readonly Row[]): Row =>
  rows.reduce((newest, row) => (row.timeMs >= newest.timeMs ? row : newest))

function plainFeature(
  feature: Exclude<FeatureDefinition, WindowFeature>,
  transaction: Transaction,
  earlier: ReadonlyMap<string, number>,
): number {
  if (feature.kind === 'field') return fieldFeature(feature, transaction)
  if (feature.kind === 'calendar') return calendarFeature(feature, transaction)
  const divisor = earlier.get(feature.denominator)!
  return divisor === 0 ? feature.absent : earlier.get(feature.numerator)! / divisor
}

function fieldFeature(feature: FieldFeature, transaction: Transaction): number {
  const value = readField(transaction, feature.field)
  if (value === null) return feature.absent
  if (feature.equals !== null) return feature.equals.some((wanted) => wanted === value) ? 1 : 0
  return (value as number) * feature.scale
}

function calendarFeature(feature: CalendarFeature, transaction: Transaction): number {
  const date = new Date(transaction.eventTime)
  const hour = date.getUTCHours()
  const { fromHour, toHour } = feature
  switch (feature.calendar) {
    case 'weekend':
      return date.getUTCDay() === 0 || date.getUTCDay() === 6 ? 1 : 0
    case 'hour_of_day':
      return hour
    case 'day_of_week': // Monday = 0
      return date.getUTCDay() === 0 ? 6 : date.getUTCDay() - 1
    case 'hours': // inclusive on both ends; 22 to 5 goes over midnight
      for (let h = fromHour; ; h = (h + 1) % 24) {
        if (h === hour) return 1
        if (h === toHour) return 0
      }
  }
}
