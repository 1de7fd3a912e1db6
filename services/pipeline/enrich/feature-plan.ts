// The feature table, planned once at start: which logs there are, which numbers a record stores,
// which windows each entity is asked for, and one function per feature.
//
// In: the pipeline definition. Out: a FeaturePlan that the enrich stage runs per transaction. All
// branching on schema, op or feature kind happens here; what is left for the hot path is a list of
// functions over numbers. Nothing is refused: the loader has already checked the definition.

import { hashToInteger } from '../../core/hash.ts'
import { limits } from '../../core/limits.ts'
import {
  type EntityDefinition,
  type FeatureDefinition,
  looksAtLabels,
  type PipelineDefinition,
  type WindowFeature,
  type WindowOp,
} from '../../core/pipeline-definition.ts'
import { planKey, type ReadKey } from '../entity-key.ts'
import type { Transaction } from '../records.ts'
import type { RowShape } from './entity-log.ts'
import { LABEL_TIME_VALUE } from './find-frauds.ts'
import type { Ceilings } from './fold-log.ts'
import { type FeatureReach, historyOf, isExact, isOfNewest, labelHistoryOf } from './log-history.ts'
import type { LogKind } from './log-store.ts'
import { planTransactionFeature, type TransactionFeature } from './transaction-features.ts'
import { planWindowFeature, type WindowFunction } from './window-features.ts'

/** A number that a record stores of its transaction; text is stored as a hash. */
type StoredValue = {
  readonly field: string
  readonly read: (transaction: Transaction) => number
}

export type PlannedWindow = {
  readonly windowMs: number
  readonly delayMs: number
  /** 0 = both edges are exact. */
  readonly tailMs: number
  /** Looks only at the newest rows before the event, whatever else is there. */
  readonly ofNewest: boolean
  readonly current: boolean
}

type EntityPlan = {
  readonly name: string
  readonly readKey: ReadKey
  /** Index of the log kind of its transactions, and of its labels (-1 without label features). */
  readonly kind: number
  readonly labelKind: number
  /** Index among the entities with labels; -1 without. */
  readonly labelColumn: number
  readonly storedValues: readonly StoredValue[]
  readonly windows: readonly PlannedWindow[]
  /** Longest look back of exact windows, for `saturated`: ms; 0 = there are none. */
  readonly exactSpanMs: number
  /** Some window tells the newest rows from older ones. */
  readonly hasNewest: boolean
}

type PlannedFeature =
  | { readonly source: 'transaction'; readonly compute: TransactionFeature }
  | {
      readonly source: 'log'
      readonly entity: number
      readonly window: number
      readonly compute: WindowFunction
    }
  | {
      readonly source: 'ratio'
      readonly numerator: number
      readonly denominator: number
      readonly absent: number
    }

export type FeaturePlan = {
  readonly entities: readonly EntityPlan[]
  readonly kinds: readonly LogKind[]
  readonly features: readonly PlannedFeature[]
  readonly labelEntityCount: number
  /** Doubles per record entry: the widest kind's values. */
  readonly valueStride: number
  /**
   * late.allowed: how far behind its entity's newest an event still finds all of its windows, ms.
   */
  readonly allowedMs: number
  readonly ceilings: Ceilings
}

/** Of the label times in a tile the largest is asked for. */
const labelShape = (features: readonly WindowFeature[]): RowShape => ({
  values: 2,
  summed: 0,
  extremes: [LABEL_TIME_VALUE],
  keepsFirst: asksForFirst(features, 'seconds_since_first_fraud'),
})

/** Whether the lowest time of folded rows has to survive. */
const asksForFirst = (features: readonly WindowFeature[], op: WindowOp): boolean =>
  features.some((f) => f.tailMs > 0 && f.op === op)

const summedOps = new Set(['sum', 'mean'])
const extremeOps = new Set(['min', 'max'])

const usualCeilings: Ceilings = {
  entityRecordsMax: limits.entityRecordsMax,
  entityRecordsNewest: limits.entityRecordsNewest,
}

/** @param ceilings for tests, which reach small ones sooner. */
export function planFeatures(
  definition: PipelineDefinition,
  ceilings: Ceilings = usualCeilings,
): FeaturePlan {
  const windowFeatures = definition.features.filter((f) => f.kind === 'window')
  const reach: FeatureReach = { allowedMs: definition.late.allowedMs, ceilings }
  const kinds: LogKind[] = []
  const addKind = (kind: LogKind): number => {
    kinds.push(kind)
    return kinds.length - 1
  }
  const entities = definition.entities.map((entity) =>
    planEntity(
      entity,
      windowFeatures.filter((f) => f.entity === entity.name),
      reach,
      addKind,
    ),
  )
  let labelEntityCount = 0
  const numbered = entities.map((entity) => ({
    ...entity,
    labelColumn: entity.labelKind < 0 ? -1 : labelEntityCount++,
  }))
  return {
    entities: numbered,
    kinds,
    features: definition.features.map((f) => planFeature(f, definition, numbered)),
    labelEntityCount,
    valueStride: Math.max(1, ...kinds.map((kind) => kind.shape.values)),
    ...reach,
  }
}

function planEntity(
  entity: EntityDefinition,
  features: readonly WindowFeature[],
  reach: FeatureReach,
  addKind: (kind: LogKind) => number,
): EntityPlan {
  // Summed fields come first, so that their running sums need no map from value to sum.
  const summed = fieldsOf(features.filter((f) => summedOps.has(f.op)))
  const others = fieldsOf(features).filter((field) => !summed.includes(field))
  const fields = [...summed, ...others]
  const folded = features.filter((f) => f.tailMs > 0 && extremeOps.has(f.op))
  const extremes = fieldsOf(folded).map((field) => fields.indexOf(field))
  const keepsFirst = asksForFirst(features, 'seconds_since_first')
  const history = historyOf(features, reach)
  const kind = addKind({
    name: entity.name,
    shape: { values: fields.length, summed: summed.length, extremes, keepsFirst },
    history,
  })
  const ofLabels = features.filter(looksAtLabels)
  const labelKind =
    ofLabels.length > 0
      ? addKind({
          name: `${entity.name}.labels`,
          shape: labelShape(ofLabels),
          history: labelHistoryOf(ofLabels, reach),
        })
      : -1
  return {
    name: entity.name,
    readKey: planKey(entity.key),
    kind,
    labelKind,
    labelColumn: -1,
    storedValues: fields.map((field) => ({ field, read: planStoredValue(field) })),
    windows: distinctWindows(features),
    exactSpanMs: Math.max(0, ...features.filter(isExact).map((f) => f.windowMs + f.delayMs)),
    hasNewest: history.newest > 0,
  }
}

const fieldsOf = (features: readonly WindowFeature[]): string[] => [
  ...new Set(features.flatMap((f) => (f.of === null ? [] : [f.of]))),
]

const isSameWindow = (a: PlannedWindow, b: PlannedWindow): boolean =>
  a.windowMs === b.windowMs &&
  a.delayMs === b.delayMs &&
  a.tailMs === b.tailMs &&
  a.ofNewest === b.ofNewest &&
  a.current === b.current

function toPlannedWindow(feature: WindowFeature): PlannedWindow {
  const { windowMs, delayMs, tailMs, current } = feature
  return { windowMs, delayMs, tailMs, ofNewest: isOfNewest(feature), current }
}

function distinctWindows(features: readonly WindowFeature[]): PlannedWindow[] {
  const windows: PlannedWindow[] = []
  for (const feature of features) {
    const window = toPlannedWindow(feature)
    if (!windows.some((known) => isSameWindow(known, window))) windows.push(window)
  }
  return windows
}

/**
 * Numbers are stored as they are, flags as 1 and 0; text as a 52-bit hash; what is absent as -1.
 */
function planStoredValue(field: string): (transaction: Transaction) => number {
  return (transaction) => {
    const value = transaction[field]
    if (typeof value === 'number') return value
    if (typeof value === 'boolean') return value ? 1 : 0
    return value === null || value === undefined ? -1 : hashToInteger(String(value))
  }
}

function planFeature(
  feature: FeatureDefinition,
  definition: PipelineDefinition,
  entities: readonly EntityPlan[],
): PlannedFeature {
  if (feature.kind === 'ratio') {
    const indexOf = (name: string) => definition.features.findIndex((f) => f.name === name)
    return {
      source: 'ratio',
      numerator: indexOf(feature.numerator),
      denominator: indexOf(feature.denominator),
      absent: feature.absent,
    }
  }
  if (feature.kind !== 'window') {
    return { source: 'transaction', compute: planTransactionFeature(feature) }
  }
  const entity = entities.findIndex(({ name }) => name === feature.entity)
  const plan = entities[entity]!
  const valueIndex = plan.storedValues.findIndex(({ field }) => field === feature.of)
  return {
    source: 'log',
    entity,
    window: plan.windows.findIndex((window) => isSameWindow(window, toPlannedWindow(feature))),
    compute: planWindowFeature(feature, valueIndex),
  }
}
