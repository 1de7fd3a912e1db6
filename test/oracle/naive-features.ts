// The naive oracle: every feature straight from its definition, by loops over all history.
//
// In: the batches that a store was given, in the same order. Out: per scored transaction its vector,
// ordinals and what was visible. It shares types with services/ and nothing else; it keeps every
// event for ever, is slow on purpose, and is believed where it differs from a store.
//
// The definitions (design section 5):
//   - an entity's log is the order in which its events were first applied; an event delivered again
//     (same lane and offset) stands at its first place
//   - an event that is later than allowed is scored, not counted: it looks at the log as if it had
//     been appended at its place in the batch, and leaves no trace. The same place shows it the
//     labels. Delivered again, it sees no more than lies before the log's next event in the batch
//   - a window is every row at or before the event's own whose time lies in
//     (t - delay - window, t - delay]; without the own row where `current` is false
//   - rows further back than the ceiling do not exist
//   - a label is known from its place in the label log on, and counts from its labelTime on

import { limits } from '../../services/core/limits.ts'
import type {
  EntityDefinition,
  FeatureDefinition,
  PipelineDefinition,
  WindowFeature,
} from '../../services/core/pipeline-definition.ts'
import type { Batch, Label, Transaction } from '../../services/pipeline/records.ts'

export type OracleRow = {
  readonly arrivalIndex: number
  readonly vector: readonly number[]
  readonly ordinals: readonly number[]
  readonly eventsSeen: readonly number[]
  /** For the entities that have a fraud_rate feature, in their order. */
  readonly labelsSeen: readonly number[]
  /** Whether a window would have held rows that the ceiling hides. */
  readonly isTruncated: boolean
}

export type Oracle = {
  readonly advance: (batch: Batch, options?: OracleOptions) => readonly OracleRow[]
}

type IsApplied = (entity: string, keys: readonly string[]) => boolean

export type OracleOptions = {
  /** Whether the store got this batch's records for a log; by default it got all of them. */
  readonly isApplied?: IsApplied
  /** Arrivals whose rows are wanted; by default all. */
  readonly isWanted?: (arrivalIndex: number) => boolean
}

/** A row, and where it came from: the place of its event among all batches and within its batch. */
type Placed<T> = {
  readonly laneId: number
  readonly offset: number
  readonly event: T
  readonly batch: number
  readonly index: number
}
type Log<T> = Placed<T>[]
type Fields = Readonly<Record<string, unknown>>

export function createOracle(definition: PipelineDefinition): Oracle {
  const { entities, features, late } = definition
  const transactionLogs = new Map<string, Log<Transaction>>()
  const labelLogs = new Map<string, Log<Label>>()
  const labelledEntities = entities.filter(({ name }) =>
    features.some((f) => f.kind === 'window' && f.entity === name && f.op === 'fraud_rate'),
  )

  /** All batches so far, the running one last. */
  const deliveries: { batch: Batch; isApplied: IsApplied }[] = []

  const isLate = (batch: Batch, index: number) => batch.latenessMs[index]! > late.allowedMs

  const identify = (batch: Batch, index: number) => ({
    laneId: batch.lanes[batch.laneIndexes[index]!]!.laneId,
    offset: batch.arrivals[index]!.raw.offset,
  })

  function applyArrival(batch: Batch, index: number, isApplied: IsApplied): void {
    const { transaction, label } = batch.arrivals[index]!
    const place = { ...identify(batch, index), batch: deliveries.length, index }
    if (transaction !== null && !isLate(batch, index)) {
      for (const entity of entities) {
        if (!isApplied(entity.name, keysOf(entity, transaction))) continue
        addOnce(logOf(transactionLogs, entity, transaction), { ...place, event: transaction })
      }
    }
    if (label?.isFraud) {
      for (const entity of labelledEntities) {
        if (!isApplied(entity.name, keysOf(entity, label))) continue
        addOnce(logOf(labelLogs, entity, label), { ...place, event: label })
      }
    }
  }

  function isDeliveredAgain(entity: EntityDefinition, batch: Batch, index: number): boolean {
    const { laneId, offset } = identify(batch, index)
    const keys = keysOf(entity, batch.arrivals[index]!.transaction!)
    return deliveries
      .slice(0, -1)
      .filter(({ isApplied }) => isApplied(entity.name, keys))
      .some(({ batch: { lanes } }) =>
        lanes.some((lane) => lane.laneId === laneId && lane.lastOffset >= offset),
      )
  }

  /** Rows before the event's own place, or before the place where it would stand. */
  function countVisible<T>(log: Log<T>, batch: Batch, index: number, isAgain: boolean): number {
    const own = placeOf(log, identify(batch, index))
    if (own >= 0) return own
    if (!isAgain) {
      const isBefore = (row: Placed<T>) => row.batch < deliveries.length || row.index < index
      return log.filter(isBefore).length
    }
    const followers = batch.arrivals.map((_, i) => placeOf(log, identify(batch, i)))
    return followers.find((place, i) => i > index && place >= 0) ?? log.length
  }

  function scoreArrival(batch: Batch, index: number): OracleRow {
    const transaction = batch.arrivals[index]!.transaction!
    const views = entities.map((entity) => {
      const log = logOf(transactionLogs, entity, transaction)
      const labelLog = logOf(labelLogs, entity, transaction)
      const isAgain = isDeliveredAgain(entity, batch, index)
      const seen = countVisible(log, batch, index, isAgain)
      const labelsSeen = countVisible(labelLog, batch, index, isAgain)
      return {
        entity,
        ordinal: placeOf(log, identify(batch, index)),
        before: log.slice(0, seen).map(({ event }) => event),
        labels: labelLog.slice(0, labelsSeen).map(({ event }) => event),
      }
    })
    const values = new Map<string, number>()
    let isTruncated = false
    for (const feature of features) {
      if (feature.kind !== 'window') {
        values.set(feature.name, plainFeature(feature, transaction, values))
        continue
      }
      const view = views.find(({ entity }) => entity.name === feature.entity)!
      const rows = feature.current ? [...view.before, transaction] : view.before
      const { inside, hidden } = windowOf(rows, feature, transaction.eventTime)
      if (hidden > 0) isTruncated = true
      values.set(feature.name, aggregate(feature, inside, transaction, view.labels))
    }
    return {
      arrivalIndex: index,
      vector: features.map((feature) => Math.fround(values.get(feature.name)!)),
      ordinals: views.map(({ ordinal }) => ordinal),
      eventsSeen: views.map(({ before }) => before.length),
      labelsSeen: views
        .filter(({ entity }) => labelledEntities.includes(entity))
        .map(({ labels }) => labels.length),
      isTruncated,
    }
  }

  const advance = (batch: Batch, options: OracleOptions = {}): readonly OracleRow[] => {
    const { isApplied = () => true, isWanted = () => true } = options
    deliveries.push({ batch, isApplied })
    const indexes = batch.arrivals.map((_, index) => index)
    for (const index of indexes) applyArrival(batch, index, isApplied)
    return indexes
      .filter(isWanted)
      .filter((index) => batch.arrivals[index]!.transaction !== null)
      .filter((index) => late.then === 'score_only' || !isLate(batch, index))
      .map((index) => scoreArrival(batch, index))
  }

  return { advance }
}

const keysOf = (entity: EntityDefinition, event: Transaction | Label): string[] =>
  entity.key.map((field) => (event as unknown as Fields)[field] as string)

function logOf<T>(
  logs: Map<string, Log<T>>,
  entity: EntityDefinition,
  event: Transaction | Label,
): Log<T> {
  const name = JSON.stringify([entity.name, ...keysOf(entity, event)])
  const log = logs.get(name) ?? []
  logs.set(name, log)
  return log
}

type Identity = { readonly laneId: number; readonly offset: number }

const placeOf = <T>(log: Log<T>, { laneId, offset }: Identity): number =>
  log.findIndex((row) => row.laneId === laneId && row.offset === offset)

function addOnce<T>(log: Log<T>, row: Placed<T>): void {
  if (placeOf(log, row) < 0) log.push(row)
}

function windowOf(rows: readonly Transaction[], feature: WindowFeature, time: number) {
  const until = time - feature.delayMs
  const after = until - feature.windowMs
  const isInside = ({ eventTime }: Transaction) => eventTime > after && eventTime <= until
  const shown = Math.max(0, rows.length - limits.entityRecordsMax)
  return {
    inside: rows.slice(shown).filter(isInside),
    hidden: rows.slice(0, shown).filter(isInside).length,
  }
}

function aggregate(
  feature: WindowFeature,
  rows: readonly Transaction[],
  transaction: Transaction,
  labels: readonly Label[],
): number {
  const { op, of, scale, absent } = feature
  const numbers = of === null ? [] : rows.map((row) => (row as unknown as Fields)[of] as number)
  const time = transaction.eventTime
  if (op === 'count') return rows.length * scale
  if (op === 'distinct') return new Set(numbers).size * scale
  if (rows.length === 0) return absent
  const sum = Number(numbers.reduce((total, n) => total + BigInt(of === null ? 0 : n), 0n))
  switch (op) {
    case 'sum':
      return sum * scale
    case 'mean':
      return (sum / rows.length) * scale
    case 'min':
      return Math.min(...numbers) * scale
    case 'max':
      return Math.max(...numbers) * scale
    case 'stddev':
      return deviationOf(numbers) * scale
    case 'last':
      return ((newestOf(rows) as unknown as Fields)[of!] as number) * scale
    case 'seconds_since_last':
      return ((time - newestOf(rows).eventTime) / 1000) * scale
    case 'seconds_since_first':
      return ((time - Math.min(...rows.map((row) => row.eventTime))) / 1000) * scale
    case 'fraud_rate':
      return (fraudsOf(feature, labels, time) / rows.length) * scale
  }
}

/** The population's: sqrt(n * sum(x^2) - sum(x)^2) / n, with an exact integer under the root. */
function deviationOf(numbers: readonly number[]): number {
  const exact = numbers.map(BigInt)
  const count = BigInt(numbers.length)
  const sum = exact.reduce((total, n) => total + n, 0n)
  const squares = exact.reduce((total, n) => total + n * n, 0n)
  return Math.sqrt(Number(count * squares - sum * sum)) / numbers.length
}

/** The highest event time; of equal ones the newest in the log. */
const newestOf = (rows: readonly Transaction[]): Transaction =>
  rows.reduce((newest, row) => (row.eventTime >= newest.eventTime ? row : newest))

function fraudsOf(feature: WindowFeature, labels: readonly Label[], time: number): number {
  const until = time - feature.delayMs
  const after = until - feature.windowMs
  const frauds = labels
    .slice(Math.max(0, labels.length - limits.entityRecordsMax))
    .filter(({ eventTime }) => eventTime > after && eventTime <= until)
    .filter(({ labelTime }) => labelTime <= time)
  return new Set(frauds.map(({ transactionId }) => transactionId)).size
}

function plainFeature(
  feature: Exclude<FeatureDefinition, WindowFeature>,
  transaction: Transaction,
  earlier: ReadonlyMap<string, number>,
): number {
  if (feature.kind === 'ratio') {
    const divisor = earlier.get(feature.denominator)!
    return divisor === 0 ? feature.absent : earlier.get(feature.numerator)! / divisor
  }
  if (feature.kind === 'field') {
    const value = (transaction as unknown as Fields)[feature.field]
    if (value === null) return feature.absent
    if (feature.equals !== null) return feature.equals.some((wanted) => wanted === value) ? 1 : 0
    return (value as number) * feature.scale
  }
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
