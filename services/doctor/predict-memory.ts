// How much memory Redis needs for a pipeline's state: the formula of docs/operating/redis.md.
//
//   log = 16 header | 4 + folded part, once rows were folded | rows x (16 + 8 x values)
//   folded part = 8 + per tail: 12 + tiles x (16 + 8 x sums + 16 x extremes)
//
// In: the pipeline, how many entities there are and how busy. Out: bytes by kind of log, and in all.
// All entities of a kind count as equally busy. That is the worst case: rows and tiles are bounded per
// entity, so a few busy ones with many quiet ones take less. Refused: a kind of entity without a count.
// Invariant: rows, tiles and sizes come from the plan that the scorer computes with.

import { recordSize } from '../adapters/redis/log-layout.ts'
import { WeirError } from '../core/errors.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import { planFeatures } from '../pipeline/enrich/feature-plan.ts'
import type { LogHistory } from '../pipeline/enrich/fold-log.ts'
import type { LogKind } from '../pipeline/enrich/log-store.ts'
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

export type KindForecast = {
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
const FOLDED_HEAD = 4 + 8
const LEVEL_HEAD = 12
const TILE_HEAD = 16
/** As entity-log.ts and fold-log.ts have them; a test compares with what a real store holds. */
const FIRST_FOLD_AT = 96
const FOLD_ROWS_MIN = 32

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
  // Where records are rarer than entities, most entities have no log: 1 - e^-mean have one (Poisson).
  const keys = Math.round(entities * -Math.expm1(-perEntity))
  const log = predictLog(kind, perEntity, recordsPerDay / entities / DAY_MS)
  const bytesPerKey = keyBytes(load.prefixLength + load.keyLength) + log.valueBytes
  const bytes = keys === 0 ? 0 : keys * bytesPerKey + tableBytes(keys)
  return { kind: kind.name, keys, ...log, bytesPerKey, bytes }
}

export type LogForecast = {
  readonly rows: number
  readonly tiles: number
  readonly length: number
  readonly valueBytes: number
}

/**
 * The average log that has seen so many records, at a steady rate per ms. Records come by chance, so
 * that logs of the same rate have more or fewer of them; sizes of memory come in steps, so that the
 * average log does not take the average memory.
 */
export function predictLog(
  { shape, history }: Pick<LogKind, 'shape' | 'history'>,
  records: number,
  ratePerMs: number,
): LogForecast {
  const size = recordSize(shape)
  const kept = rowsKept(history, ratePerMs)
  const foldedAt = foldsAt(kept)
  const young = valueBytes(HEADER + size, size, foldedAt)
  const tileSize = TILE_HEAD + 8 * shape.summed + 16 * shape.extremes.length
  const folded = new Map<number, LogForecast>()

  const forecastOf = (count: number): LogForecast => {
    if (count < foldedAt) {
      return { rows: count, tiles: 0, length: HEADER + count * size, valueBytes: young[count - 1]! }
    }
    const tiles = countTiles(history, ratePerMs, count - kept)
    const known = folded.get(tiles)
    if (known !== undefined) return known
    const heads = FOLDED_HEAD + history.levels.length * LEVEL_HEAD
    const start = HEADER + heads + tiles * tileSize + kept * size
    // The newest rows are always as many; how many an exact window sees is chance.
    const spread = kept > history.ceilings.entityRecordsNewest ? Math.sqrt(kept) : 0
    const forecast = { tiles, ...predictCycle({ start, spread, size, kept, foldedAt }) }
    folded.set(tiles, forecast)
    return forecast
  }
  return meanOf(poisson(records).map(([count, share]) => [forecastOf(count), share]))
}

type Cycle = {
  /** Bytes after a fold, and how many rows logs have more or fewer then. */
  readonly start: number
  readonly spread: number
  readonly size: number
  readonly kept: number
  readonly foldedAt: number
}

/** Between two folds a log grows from `kept` rows to `foldedAt`; it is met anywhere on its way. */
function predictCycle({ start, spread, size, kept, foldedAt }: Cycle) {
  const starts = [-1.4, -0.7, 0, 0.7, 1.4].map((step) => start + Math.round(step * spread) * size)
  const bytes = starts.flatMap((length) => valueBytes(length, size, foldedAt - kept - 1))
  const rows = (kept + foldedAt - 1) / 2
  return { rows, length: start + (rows - kept) * size, valueBytes: mean(bytes) }
}

/** Tiles of all levels that hold anything: the span behind the newest folded row, and its own tile. */
function countTiles({ levels }: LogHistory, ratePerMs: number, gone: number): number {
  const counts = levels.map(({ tailMs, spanMs }) => {
    const filled = -Math.expm1(-ratePerMs * tailMs)
    return Math.min(gone, (spanMs / tailMs + 1) * filled)
  })
  return Math.round(counts.reduce((sum, count) => sum + count, 0))
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

/** Rows that a fold leaves: the newest, and those that exact windows still see. */
function rowsKept({ exactMs, ceilings }: LogHistory, ratePerMs: number): number {
  const seen = Math.min(ceilings.entityRecordsMax, Math.ceil(ratePerMs * exactMs))
  return Math.max(ceilings.entityRecordsNewest, seen)
}

/** Rows of a log when it is folded: it is looked at now and then, and a quarter has to be worth it. */
function foldsAt(kept: number): number {
  let rows = Math.max(FIRST_FOLD_AT, kept + FOLD_ROWS_MIN)
  while (rows - kept < Math.max(FOLD_ROWS_MIN, rows / 4)) {
    rows += Math.max(FOLD_ROWS_MIN / 2, rows >> 3)
  }
  return rows
}

const mean = (numbers: readonly number[]): number =>
  numbers.reduce((sum, number) => sum + number, 0) / numbers.length

function refuseMissing(entity: string, { entities }: Load): never {
  const given = [...entities.keys()].join(', ') || 'none'
  const detail = `Found counts of ${given}, expected one of ${entity} too: --entities ${entity}=N.`
  throw new WeirError('WEIR_SETTINGS_INVALID', detail)
}
