// Random feature tables over all kinds and ops, as sound as the loader would leave them, and random
// ceilings small enough that a short stream passes them.
//
// An entity has every op once and some twice; or only what needs no old records one by one, so that
// everything but the newest may be folded; or only exact windows; or none at all. Some delay all of
// their windows. Each entity has a longest window of its own: with short ones, records soon are
// older than anything asked for.

import { opRules } from '../../services/adapters/pipeline-file/feature-table.ts'
import { windowTilesMax } from '../../services/adapters/pipeline-file/window-rules.ts'
import { hashToInteger } from '../../services/core/hash.ts'
import { limits } from '../../services/core/limits.ts'
import {
  type FeatureDefinition,
  type PipelineDefinition,
  type WindowFeature,
  type WindowOp,
  windowOps,
} from '../../services/core/pipeline-definition.ts'
import type { Ceilings } from '../../services/pipeline/enrich/fold-log.ts'
import {
  customer,
  DAY_MS,
  fieldFeature,
  HOUR_MS,
  pair,
  pipelineOf,
  terminal,
  windowFeature,
} from './pipelines.ts'
import { createRandom, type Random } from './random.ts'

const windowsMs = [1, 1000, 60_000, HOUR_MS, 6 * HOUR_MS, DAY_MS, 30 * DAY_MS]
const delaysMs = [0, 0, 0, 1000, HOUR_MS, DAY_MS]
/** Several of them divide windows and one another, some nothing. */
const tailsMs = [1000, 7000, 60_000, 100_000, HOUR_MS, 5 * HOUR_MS]
const scales = [1, 0.01, 0.1, -3]
const absents = [0, -1, 0.1]
const entitySets = [[customer], [terminal], [customer, terminal], [pair, customer, terminal]]
const calendars = ['weekend', 'hours', 'hour_of_day', 'day_of_week'] as const

export function randomPipeline(random: Random): PipelineDefinition {
  const entities = random.pick(entitySets)
  const features: FeatureDefinition[] = []
  const tables: EntityTable[] = []
  for (const { name: entity } of entities) {
    // One that only the lists of the policy look at has no windows.
    if (entities.length > 1 && random.chance(0.1)) continue
    const table = randomTable(random, entity)
    tables.push(table)
    features.push(...randomWindows(random, table))
  }
  for (let extra = random.integer(1, 3); extra > 0; extra--) {
    features.push(randomField(random), randomCalendar(random))
    features.push(randomRatio(random, named(features)))
  }
  // By a chance of their own: tests name worlds by their seeds, which then are what they were.
  const apart = createRandom(hashToInteger(JSON.stringify(features)))
  for (const table of tables) {
    features.push(...opsOfFrauds.map((op) => randomWindow(apart, table, op)))
  }
  return pipelineOf({
    entities,
    features: named(features),
    late: {
      allowedMs: random.pick([0, 1000, HOUR_MS]),
      then: random.pick(['score_only', 'score_only', 'divert']),
    },
    store: { buckets: random.pick([1, 2, 4]), retentionMs: 40 * DAY_MS },
  })
}

/** The real ceilings, or ones that some dozen events of an entity pass. */
export function randomCeilings(random: Random): Ceilings {
  if (random.chance(0.2)) return limits
  return {
    entityRecordsMax: random.integer(6, 20),
    entityRecordsNewest: random.integer(2, 6),
  }
}

const named = (features: readonly FeatureDefinition[]): FeatureDefinition[] =>
  features.map((feature, index) => ({ ...feature, name: `f${index}` }))

type EntityTable = {
  readonly entity: string
  readonly windowsMs: readonly number[]
  readonly delaysMs: readonly number[]
  /** Few, so that features meet in the same tiles. */
  readonly tailsMs: readonly number[]
  readonly kind: 'mixed' | 'foldable' | 'exact'
}

const opsOfFrauds: readonly WindowOp[] = [
  'fraud_count',
  'seconds_since_last_fraud',
  'seconds_since_first_fraud',
]

function randomTable(random: Random, entity: string): EntityTable {
  const longest = random.integer(3, windowsMs.length)
  const isDelayed = random.chance(0.3)
  return {
    entity,
    windowsMs: windowsMs.slice(0, longest),
    delaysMs: delaysMs
      .filter((delayMs) => delayMs <= windowsMs[longest - 1]!)
      .filter((delayMs) => delayMs > 0 || !isDelayed),
    tailsMs: Array.from({ length: random.integer(1, 3) }, () => random.pick(tailsMs)),
    kind: random.pick(['mixed', 'mixed', 'foldable', 'foldable', 'exact']),
  }
}

function randomWindows(random: Random, table: EntityTable): WindowFeature[] {
  const ops = windowOps
    .filter((op) => !opsOfFrauds.includes(op))
    .filter((op) => table.kind !== 'foldable' || isFoldable(op))
  const repeated = Array.from({ length: random.integer(0, 4) }, () => random.pick(ops))
  return [...ops, ...repeated].map((op) => randomWindow(random, table, op))
}

const isAlwaysBefore = (op: WindowOp): boolean => op === 'seconds_since_last' || op === 'last'

const takesCurrent = (op: WindowOp): boolean => opRules[op].current === 'chosen'

/** Ops that take a tail, or look at the newest records only. */
const isFoldable = (op: WindowOp): boolean => opRules[op].tail === 'chosen' || isAlwaysBefore(op)

function randomWindow(random: Random, table: EntityTable, op: WindowOp): WindowFeature {
  const takesNumber = ['sum', 'mean', 'min', 'max', 'stddev', 'last'].includes(op)
  const distinctFields = ['terminalId', 'customerId', 'mcc', 'country', 'amountMinor']
  return windowFeature({
    entity: table.entity,
    op,
    of: takesNumber ? 'amountMinor' : op === 'distinct' ? random.pick(distinctFields) : null,
    ...randomSpan(random, table, op),
    current: takesCurrent(op) && random.chance(0.7),
    scale: random.pick(scales),
    absent: random.pick(absents),
  })
}

type Span = Pick<WindowFeature, 'windowMs' | 'delayMs' | 'tailMs'>

function randomSpan(random: Random, table: EntityTable, op: WindowOp): Span {
  const windowMs = random.pick(table.windowsMs)
  const isNewestOnly = table.kind === 'foldable' && isAlwaysBefore(op)
  const delayMs = isNewestOnly ? 0 : random.pick(table.delaysMs)
  const tailShare = { mixed: 0.5, foldable: 1, exact: 0 }[table.kind]
  const takesTail = opRules[op].tail === 'chosen' && random.chance(tailShare)
  if (!takesTail) return { windowMs, delayMs, tailMs: 0 }
  const fits = (span: Span): boolean =>
    span.tailMs <= span.windowMs && span.windowMs + span.delayMs <= windowTilesMax * span.tailMs
  const sound = table.tailsMs.map((tailMs) => ({ windowMs, delayMs, tailMs })).filter(fits)
  if (sound.length > 0) return random.pick(sound)
  const tailMs = random.pick(table.tailsMs)
  return {
    windowMs: tailMs * random.pick([1, 2, 7]),
    delayMs: delayMs === 0 ? 0 : tailMs + 1,
    tailMs,
  }
}

function randomField(random: Random): FeatureDefinition {
  const absent = random.pick(absents)
  return random.chance(0.5)
    ? fieldFeature({ field: 'amountMinor', scale: random.pick(scales), absent })
    : fieldFeature({ field: 'mcc', equals: ['5411', '4829'], absent })
}

function randomCalendar(random: Random): FeatureDefinition {
  return {
    kind: 'calendar',
    name: 'calendar',
    calendar: random.pick(calendars),
    fromHour: random.integer(0, 23),
    toHour: random.integer(0, 23),
  }
}

function randomRatio(random: Random, earlier: readonly FeatureDefinition[]): FeatureDefinition {
  return {
    kind: 'ratio',
    name: 'ratio',
    numerator: random.pick(earlier).name,
    denominator: random.pick(earlier).name,
    absent: random.pick(absents),
  }
}
