// A pipeline's features as one SQL query over the same Parquet files: an engine that shares no line
// of code with Weir says what the features are, and how long that takes it.
//
// In: a definition, the files. Out: DuckDB's SQL, one row per transaction in the order of time.
// Refused: ops that are no aggregate over a frame, and tails. Of equal times an event sees those
// before it in the file, so what a RANGE frame counts of its later peers is taken off again.
// Invariant: counts and sums are integers; what follows is done in doubles and rounded to float32
// once, as Weir does it.

import type {
  FeatureDefinition,
  PipelineDefinition,
  WindowFeature,
} from '../../../services/core/pipeline-definition.ts'

export type HistoryFiles = { readonly transactions: string; readonly labels: string }

const framedOps: ReadonlySet<string> = new Set(['count', 'sum', 'mean', 'fraud_rate'])

/** Features that the query cannot say; empty where it can say all. */
export const findUnspeakable = ({
  features,
}: Pick<PipelineDefinition, 'features'>): readonly string[] =>
  features.filter((f) => !isSpeakable(f)).map(({ name }) => name)

const isSpeakable = (feature: FeatureDefinition): boolean =>
  feature.kind !== 'window' || (framedOps.has(feature.op) && feature.tailMs === 0)

export function composeFeatureSql(definition: PipelineDefinition, files: HistoryFiles): string {
  const unspeakable = findUnspeakable(definition)
  if (unspeakable.length > 0) {
    throw new Error(`found ${unspeakable.join(', ')}, expected count, sum, mean or fraud_rate`)
  }
  const { features } = definition
  const windows = features.filter((f) => f.kind === 'window')
  const rates = windows.filter(({ op }) => op === 'fraud_rate')
  const framed = windows.flatMap((feature) => frameColumns(feature, keysOf(definition, feature)))
  const joined = rates.map((rate, i) => joinFrauds(rate, keysOf(definition, rate), i))
  const values = features.map((feature) => `${doubleOf(feature, rates)} AS ${double(feature.name)}`)
  const floats = features.map(({ name }) => `CAST(${double(name)} AS FLOAT) AS ${quote(name)}`)
  return `
WITH events AS (
  SELECT *, epoch_ms(eventTime) AS ms, file_row_number AS place
  FROM read_parquet(${text(files.transactions)}, file_row_number = true)
), frauds AS (
  SELECT *, epoch_ms(eventTime) AS ms, epoch_ms(labelTime) AS known_ms
  FROM read_parquet(${text(files.labels)}) WHERE isFraud
), framed AS (
  SELECT ${['events.*', ...framed].join(',\n    ')} FROM events
), measured AS (
  SELECT ${['place', 'ms', 'transactionId', ...values].join(',\n    ')}
  FROM framed ${joined.join('\n  ')}
)
SELECT ${['transactionId', ...floats].join(', ')} FROM measured ORDER BY ms, place`
}

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`
/** A text literal. */
export const text = (value: string): string => `'${value.replaceAll("'", "''")}'`
const number = (value: number): string => `${text(String(value))}::DOUBLE`
const double = (name: string): string => quote(`double ${name}`)
const countOf = (name: string): string => quote(`count ${name}`)
const sumOf = (name: string): string => quote(`sum ${name}`)

const keysOf = (definition: PipelineDefinition, { entity }: WindowFeature): string[] =>
  definition.entities.find(({ name }) => name === entity)!.key.map(quote)

/** How many rows the window holds, and where it is asked for, what they add up to. */
function frameColumns(feature: WindowFeature, keys: readonly string[]): string[] {
  const { name, of } = feature
  const count = `${aggregate('count(*)', feature, keys)} AS ${countOf(name)}`
  if (of === null) return [count]
  return [count, `${aggregate(`sum(${quote(of)})`, feature, keys)} AS ${sumOf(name)}`]
}

/** The window is (ms - delay - window, ms - delay]; RANGE frames are closed on both ends. */
function aggregate(
  what: string,
  { windowMs, delayMs, current }: WindowFeature,
  keys: readonly string[],
): string {
  const from = `${windowMs + delayMs - 1} PRECEDING`
  const to = delayMs === 0 ? 'CURRENT ROW' : `${delayMs} PRECEDING`
  const by = keys.join(', ')
  const all = `${what} OVER (PARTITION BY ${by} ORDER BY ms RANGE BETWEEN ${from} AND ${to})`
  if (delayMs > 0) return `coalesce(${all}, 0)`
  const first = current ? '1 FOLLOWING' : 'CURRENT ROW'
  const peers =
    `${what} OVER (PARTITION BY ${by}, ms ORDER BY place ` +
    `ROWS BETWEEN ${first} AND UNBOUNDED FOLLOWING)`
  return `coalesce(${all}, 0) - coalesce(${peers}, 0)`
}

const fraudsOf = (rate: number): string => `rate_${rate}`

/** Frauds of the window as far as their labels are known at the event's time. */
function joinFrauds(
  { windowMs, delayMs }: WindowFeature,
  keys: readonly string[],
  rate: number,
): string {
  const same = keys.map((key) => `frauds.${key} = events.${key}`).join(' AND ')
  return `LEFT JOIN (
    SELECT events.place, count(DISTINCT frauds.transactionId) AS frauds
    FROM events JOIN frauds ON ${same}
      AND frauds.ms > events.ms - ${windowMs + delayMs} AND frauds.ms <= events.ms - ${delayMs}
      AND frauds.known_ms <= events.ms
    GROUP BY events.place
  ) AS ${fraudsOf(rate)} USING (place)`
}

/** The feature as a double; features before it are there under their names. */
function doubleOf(feature: FeatureDefinition, rates: readonly WindowFeature[]): string {
  if (feature.kind === 'ratio') {
    const { numerator, denominator, absent } = feature
    const divided = `${double(numerator)} / ${double(denominator)}`
    return `CASE WHEN ${double(denominator)} = 0 THEN ${number(absent)} ELSE ${divided} END`
  }
  if (feature.kind === 'window') return windowValueOf(feature, rates)
  if (feature.kind === 'calendar') {
    const hour = 'hour(make_timestamp(ms * 1000))'
    const day = 'isodow(make_timestamp(ms * 1000))'
    const { calendar, fromHour, toHour } = feature
    if (calendar === 'weekend') return `(${day} >= 6)::DOUBLE`
    if (calendar === 'hour_of_day') return `${hour}::DOUBLE`
    if (calendar === 'day_of_week') return `(${day} - 1)::DOUBLE`
    const link = fromHour <= toHour ? 'AND' : 'OR'
    return `(${hour} >= ${fromHour} ${link} ${hour} <= ${toHour})::DOUBLE`
  }
  const { field, scale, equals, absent } = feature
  const value =
    equals === null
      ? `${quote(field)}::DOUBLE * ${number(scale)}`
      : `(${quote(field)}::VARCHAR IN (${equals.map(text).join(', ')}))::DOUBLE`
  return `coalesce(${value}, ${number(absent)})`
}

function windowValueOf(feature: WindowFeature, rates: readonly WindowFeature[]): string {
  const { name, op, scale, absent } = feature
  const count = `${countOf(name)}::DOUBLE`
  if (op === 'count') return `${count} * ${number(scale)}`
  const sum = `${sumOf(name)}::DOUBLE`
  const frauds = `coalesce(${fraudsOf(rates.indexOf(feature))}.frauds, 0)::DOUBLE`
  const value = op === 'sum' ? sum : `(${op === 'mean' ? sum : frauds} / ${count})`
  return `CASE WHEN ${count} = 0 THEN ${number(absent)} ELSE ${value} * ${number(scale)} END`
}
