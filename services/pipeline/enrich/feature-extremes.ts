// The ends of what each feature can be, from its definition and the limits: what a model must have
// a score for.
//
// In: the feature table. Out: by feature a few numbers as they stand in a vector: the least and the
// largest, the smallest above 0 where one divides by it, and what stands for nothing. Refused:
// nothing. Invariant: every number can come out of an accepted event and a log that the limits
// allow; where a log has no ceiling (tail windows), a million events a day stand for it.

import { limits } from '../../core/limits.ts'
import type {
  FeatureDefinition,
  FieldFeature,
  PipelineDefinition,
  RatioFeature,
  WindowFeature,
} from '../../core/pipeline-definition.ts'

export type FeatureExtremes = {
  readonly name: string
  /** Distinct, float32, rising. */
  readonly values: readonly number[]
}

const dayMs = 86_400_000
const eventsADayMost = 1_000_000

export function findExtremes({
  features,
}: Pick<PipelineDefinition, 'features'>): readonly FeatureExtremes[] {
  const known = new Map<string, readonly number[]>()
  for (const feature of features) known.set(feature.name, extremesOf(feature, known))
  return features.map(({ name }) => ({ name, values: roundAll(known.get(name)!) }))
}

const roundAll = (values: readonly number[]): readonly number[] =>
  [...new Set(values.map((value) => Math.fround(value) + 0))].sort((a, b) => a - b)

function extremesOf(
  feature: FeatureDefinition,
  known: ReadonlyMap<string, readonly number[]>,
): readonly number[] {
  switch (feature.kind) {
    case 'field':
      return extremesOfField(feature)
    case 'calendar':
      return [0, { weekend: 1, hours: 1, hour_of_day: 23, day_of_week: 6 }[feature.calendar]]
    case 'window':
      return [...scaled(endsOfWindow(feature), feature.scale), feature.absent]
    case 'ratio':
      return extremesOfRatio(feature, known)
  }
}

function extremesOfField({ field, scale, equals, absent }: FieldFeature): readonly number[] {
  return equals === null ? [...scaled(endsOfField(field), scale), absent] : [0, 1, absent]
}

const endsOfField = (field: string | null): readonly number[] =>
  field === 'amountMinor' ? [0, 1, limits.amountMinorMax] : [0, 1, Number.MAX_SAFE_INTEGER]

const scaled = (values: readonly number[], scale: number): readonly number[] =>
  values.map((value) => value * scale)

function endsOfWindow(feature: WindowFeature): readonly number[] {
  const countMost = mostRows(feature)
  const most = endsOfField(feature.of).at(-1)!
  switch (feature.op) {
    case 'count':
    case 'distinct':
    case 'fraud_count':
      return [0, 1, countMost]
    case 'sum':
      return [0, 1, Math.min(most * countMost, Number.MAX_SAFE_INTEGER)]
    case 'mean':
      return [0, 1 / countMost, most]
    case 'min':
    case 'max':
    case 'last':
      return [0, 1, most]
    case 'stddev':
      return [0, 1 / countMost, most / 2]
    case 'fraud_rate':
      return [0, 1 / countMost, 1]
    case 'seconds_since_last':
    case 'seconds_since_first':
    case 'seconds_since_last_fraud':
    case 'seconds_since_first_fraud':
      return [0, 0.001, (feature.windowMs + feature.delayMs + feature.tailMs) / 1000]
  }
}

const mostRows = ({ windowMs, tailMs }: WindowFeature): number =>
  tailMs === 0 ? limits.entityRecordsMax : Math.ceil(((windowMs + tailMs) / dayMs) * eventsADayMost)

function extremesOfRatio(
  { numerator, denominator, absent }: RatioFeature,
  known: ReadonlyMap<string, readonly number[]>,
): readonly number[] {
  const divisors = known.get(denominator)!.filter((value) => value !== 0)
  const quotients = known.get(numerator)!.flatMap((value) => divisors.map((by) => value / by))
  if (quotients.length === 0) return [absent]
  return [0, Math.min(...quotients), Math.max(...quotients), absent]
}
