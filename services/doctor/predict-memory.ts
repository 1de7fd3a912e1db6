// How much memory Redis needs for a pipeline's state: the formula of docs/operating/redis.md.
//
// In: the pipeline, how many entities there are and how busy. Out: bytes by kind of log, and in
// all. All entities of a kind count as equally busy. That is the worst case: rows and tiles are
// bounded per entity, so a few busy ones with many quiet ones take less. Refused: a kind of entity
// without a count. Invariant: sizes and folds come from the code that writes and folds logs, so
// they cannot disagree.

import { encodeFoldedPart } from '../adapters/redis/logs/folded-part.ts'
import { recordSize } from '../adapters/redis/logs/log-layout.ts'
import { WeirError } from '../core/errors.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import { appendRow, createEntityLog } from '../pipeline/enrich/entity-log.ts'
import { planFeatures } from '../pipeline/enrich/feature-plan.ts'
import { foldLog, type LogHistory } from '../pipeline/enrich/fold-log.ts'
import type { LogKind } from '../pipeline/enrich/log-store.ts'
import { createTileTable } from '../pipeline/enrich/tiles.ts'
import { keyBytes, tableBytes, valueBytes } from './redis-memory.ts'

/** How much there is to remember. */
export type Load = {
  /** Distinct keys by entity. */
  readonly entities: ReadonlyMap<string, number>
  readonly eventsPerDay: number
  /** Labels that say fraud; others are not stored. */
  readonly fraudsPerDay: number
  /** How long the pipeline has been running. */
  readonly ageDays: number
  /** Letters of an entity's key. */
  readonly keyLength: number
  /** Letters before an entity's key in Redis: prefix, layout, bucket and kind. */
  readonly prefixLength: number
}

type KindForecast = {
  readonly kind: string
  readonly keys: number
  /** Of one log: how many rows and tiles it holds, and how long it is, on average. */
  readonly rows: number
  readonly tiles: number
  readonly length: number
  /** Of one key, as MEMORY USAGE counts it. */
  readonly bytesPerKey: number
  /** Of all keys, expiry and tables included. */
  readonly bytes: number
}

export type MemoryForecast = {
  readonly kinds: readonly KindForecast[]
  readonly bytes: number
}

const DAY_MS = 86_400_000
const HEADER = 16
/** Stands before the folded part. */
const LENGTH_SIZE = 4

export function predictMemory(definition: PipelineDefinition, load: Load): MemoryForecast {
  const plan = planFeatures(definition)
  const kinds = plan.entities.flatMap(({ name, kind, labelKind }) => {
    const entities = load.entities.get(name)
    if (entities === undefined) refuseMissing(name, load)
    const logs = [predictKind(plan.kinds[kind]!, entities, load.eventsPerDay, load)]
    if (labelKind >= 0) {
      logs.push(predictKind(plan.kinds[labelKind]!, entities, load.fraudsPerDay, load))
    }
    return logs
  })
  return { kinds, bytes: kinds.reduce((sum, { bytes }) => sum + bytes, 0) }
}

function predictKind(
  kind: LogKind,
  entities: number,
  recordsPerDay: number,
  load: Load,
): KindForecast {
  const perEntity = (recordsPerDay * load.ageDays) / entities
  // Where records are rarer than entities, most entities have no log: 1 - e^-mean have one
  // (Poisson).
  const keys = Math.round(entities * -Math.expm1(-perEntity))
  const log = predictLog(kind, perEntity, recordsPerDay / entities / DAY_MS)
  const bytesPerKey = keyBytes(load.prefixLength + load.keyLength) + log.valueBytes
  const bytes = keys === 0 ? 0 : keys * bytesPerKey + tableBytes(keys)
  return { kind: kind.name, keys, ...log, bytesPerKey, bytes }
}

type LogForecast = {
  readonly rows: number
  readonly tiles: number
  readonly length: number
  readonly valueBytes: number
}

/**
 * The average log that has seen so many records, at a steady rate per ms. Records come by chance,
 * so that logs of the same rate have more or fewer of them; sizes of memory come in steps, so that
 * the average log does not take the average memory.
 */
function predictLog(
  kind: Pick<LogKind, 'shape' | 'history'>,
  records: number,
  ratePerMs: number,
): LogForecast {
  const { shape, history } = kind
  const size = recordSize(shape)
  const rhythm = findRhythm(kind, ratePerMs)
  const { firstFoldAt, kept } = rhythm
  const young = valueBytes(HEADER + size, size, firstFoldAt)
  const part = sizeFoldedPart(kind)
  // The newest rows are always as many; how many an exact window sees is chance.
  const rowSpread = kept > history.newest ? Math.sqrt(kept) : 0
  const folded = new Map<number, LogForecast>()

  const forecastOf = (count: number): LogForecast => {
    if (count < firstFoldAt) {
      return { rows: count, tiles: 0, length: HEADER + count * size, valueBytes: young[count - 1]! }
    }
    const { tiles, tileSpread } = countTiles(history, ratePerMs, count - kept)
    const known = folded.get(tiles)
    if (known !== undefined) return known
    const start = HEADER + part.head + tiles * part.tile + kept * size
    const starts = deviations.map(
      (by) => start + Math.round(by * rowSpread) * size + Math.round(by * tileSpread) * part.tile,
    )
    const forecast = { tiles, ...predictCycle({ ...rhythm, starts, size }) }
    folded.set(tiles, forecast)
    return forecast
  }
  return meanOf(poisson(records).map(([count, share]) => [forecastOf(count), share]))
}

type Rhythm = {
  readonly firstFoldAt: number
  /** Rows after a fold, and when the next one comes, once folds have become regular. */
  readonly kept: number
  readonly foldedAt: number
}

const FOLDS_UNTIL_REGULAR = 3

/**
 * Folds a log of evenly spaced records as the scorer does. Which tiles that makes is no matter
 * here.
 */
function findRhythm(
  { shape, history }: Pick<LogKind, 'shape' | 'history'>,
  ratePerMs: number,
): Rhythm {
  const log = createEntityLog(shape)
  const rowsOnly = { ...history, levels: [] }
  const values = new Float64Array(shape.values)
  const counts: number[] = []
  let kept = 0
  for (let i = 0; counts.length <= FOLDS_UNTIL_REGULAR; i++) {
    const count = log.count
    if (foldLog(log, rowsOnly, () => true)) {
      counts.push(count)
      if (counts.length === FOLDS_UNTIL_REGULAR) kept = log.count
    }
    appendRow(log, i / ratePerMs, i, values, 0)
  }
  return { firstFoldAt: counts[0]!, kept, foldedAt: counts.at(-1)! }
}

/** Bytes of the folded part, told by the code that writes it: without tiles, and of each tile. */
function sizeFoldedPart({ shape, history }: Pick<LogKind, 'shape' | 'history'>) {
  const sizeWith = (count: number): number => {
    const tiles = history.levels.map(() => ({ ...createTileTable(shape, count), count }))
    return LENGTH_SIZE + encodeFoldedPart({ ...createEntityLog(shape), tiles }, history).length
  }
  const head = sizeWith(0)
  return { head, tile: (sizeWith(1) - head) / Math.max(1, history.levels.length) }
}

/** Of a normal distribution, in its standard deviations: nine parts that are equally likely. */
const deviations = [-1.59, -0.97, -0.59, -0.28, 0, 0.28, 0.59, 0.97, 1.59]

type Cycle = Pick<Rhythm, 'kept' | 'foldedAt'> & {
  /** Bytes of different logs after a fold. */
  readonly starts: readonly number[]
  /** Of a row. */
  readonly size: number
}

/** Between two folds a log grows from `kept` rows to `foldedAt`; it is met anywhere on its way. */
function predictCycle({ starts, size, kept, foldedAt }: Cycle) {
  const bytes = starts.flatMap((length) => valueBytes(length, size, foldedAt - kept - 1))
  const rows = (kept + foldedAt - 1) / 2
  return { rows, length: mean(starts) + (rows - kept) * size, valueBytes: mean(bytes) }
}

/**
 * Tiles of all levels that hold anything: the span behind the newest folded row, and its own tile.
 */
function countTiles({ levels }: LogHistory, ratePerMs: number, gone: number) {
  let tiles = 0
  let variance = 0
  for (const { tailMs, spanMs } of levels) {
    const filled = -Math.expm1(-ratePerMs * tailMs)
    const count = (spanMs / tailMs + 1) * filled
    tiles += Math.min(gone, count)
    if (count < gone) variance += count * (1 - filled)
  }
  return { tiles: Math.round(tiles), tileSpread: Math.sqrt(variance) }
}

/** Counts from 1 on with their shares, where `average` are expected. */
function poisson(average: number): readonly (readonly [count: number, share: number])[] {
  const reach = 4 * Math.sqrt(average) + 1
  const least = Math.max(1, Math.floor(average - reach))
  const most = Math.ceil(average + reach)
  const weights = [1]
  for (let count = least + 1; count <= most; count++) {
    weights.push((weights.at(-1)! * average) / count)
  }
  const whole = weights.reduce((sum, weight) => sum + weight, 0)
  return weights.map((weight, i) => [least + i, weight / whole] as const)
}

function meanOf(parts: readonly (readonly [LogForecast, number])[]): LogForecast {
  const sum = (field: keyof LogForecast): number =>
    parts.reduce((total, [forecast, share]) => total + forecast[field] * share, 0)
  return {
    rows: sum('rows'),
    tiles: sum('tiles'),
    length: sum('length'),
    valueBytes: sum('valueBytes'),
  }
}

const mean = (numbers: readonly number[]): number =>
  numbers.reduce((sum, number) => sum + number, 0) / numbers.length

function refuseMissing(entity: string, { entities }: Load): never {
  const given = [...entities.keys()].join(', ') || 'none'
  const detail = `Found counts of ${given}, expected one of ${entity} too: --entities ${entity}=N.`
  throw new WeirError('WEIR_SETTINGS_INVALID', detail)
}
