// Pipeline definitions as the loader would make them, with everything that a test does not name.

import type {
  EntityDefinition,
  FeatureDefinition,
  FieldFeature,
  PipelineDefinition,
  WindowFeature,
} from '../../services/core/pipeline-definition.ts'
import type { RolloutRules } from '../../services/core/rollout-rules.ts'
import { shippedInput } from './shipped-input.ts'

export const HOUR_MS = 3_600_000
export const DAY_MS = 86_400_000

export const customer: EntityDefinition = { name: 'customer', key: ['customerId'] }
export const terminal: EntityDefinition = { name: 'terminal', key: ['terminalId'] }
export const pair: EntityDefinition = { name: 'pair', key: ['customerId', 'terminalId'] }

export type PipelineParts = Pick<PipelineDefinition, 'entities' | 'features'> &
  Partial<Pick<PipelineDefinition, 'late' | 'store'>>

export const rolloutRules = (rules: Partial<RolloutRules> = {}): RolloutRules => ({
  alpha: 0.05,
  eventsMin: 1000,
  stepMsMin: 60_000,
  stepMsMax: 3_600_000,
  alertRateMin: 0.8,
  alertRateMax: 1.25,
  scorePsiMax: 0.25,
  rankCorrelationMin: 0.7,
  latencyRatioMax: 3,
  failedShareMax: 0,
  noDataMs: 300_000,
  ...rules,
})

export function pipelineOf(parts: PipelineParts): PipelineDefinition {
  return {
    pipeline: 'test',
    hash: 'hash',
    layoutHash: 'layout',
    featureSet: 'features',
    topics: {
      transactions: 'transactions',
      labels: 'labels',
      scored: 'transactions.scored',
      alerts: 'fraud.alerts',
      driftSamples: 'drift.samples',
      rejected: 'transactions.rejected',
      late: 'transactions.late',
      driftReports: 'drift.reports',
      modelControl: 'model.control',
      modelAudit: 'model.audit',
      modelComparisons: 'model.comparisons',
    },
    input: shippedInput,
    output: { carry: ['amountMinor', 'currency'] },
    validate: { ageMaxMs: 365 * DAY_MS, futureMaxMs: 60_000 },
    late: { allowedMs: 600_000, then: 'score_only' },
    align: { driftMsMax: 1000, waitMsMax: 1000 },
    model: { champion: { name: 'test', version: '1', source: '/' }, challengers: [] },
    execution: { providers: ['cpu'], isRequired: false, workers: 1 },
    policy: {
      review: 0.5,
      block: 0.9,
      flaggedShareMax: 0.05,
      brakeWindowEvents: 1000,
      deny: [],
      allow: [],
    },
    drift: { sampleShare: 0 },
    rollout: rolloutRules(),
    store: { buckets: 4, retentionMs: 40 * DAY_MS },
    ...parts,
  }
}

type Wanted<T, K extends keyof T> = Pick<T, K> & Partial<T>

export function windowFeature(
  wanted: Wanted<WindowFeature, 'entity' | 'op' | 'windowMs'>,
): WindowFeature {
  const { entity, op, windowMs } = wanted
  return {
    kind: 'window',
    name: `${entity}_${op}_${windowMs}`,
    of: null,
    delayMs: 0,
    tailMs: 0,
    current: op !== 'seconds_since_last' && op !== 'last',
    scale: 1,
    absent: 0,
    ...wanted,
  }
}

export function fieldFeature(wanted: Wanted<FieldFeature, 'field'>): FieldFeature {
  return { kind: 'field', name: wanted.field, scale: 1, equals: null, absent: 0, ...wanted }
}

/**
 * The bench's table: amount, calendar, count and mean amount over 1, 7, 30 days for two entities.
 */
export function benchFeatures(): FeatureDefinition[] {
  const calendar = { kind: 'calendar', fromHour: 0, toHour: 6 } as const
  const windows = [customer, terminal].flatMap(({ name: entity }) =>
    (['count', 'mean'] as const).flatMap((op) =>
      [1, 7, 30].map((days) => {
        const windowMs = days * DAY_MS
        const name = `${entity}_${op}_${days}d`
        return op === 'count'
          ? windowFeature({ entity, op, windowMs, name })
          : windowFeature({ entity, op, windowMs, name, of: 'amountMinor', scale: 0.01 })
      }),
    ),
  )
  return [
    fieldFeature({ name: 'amount', field: 'amountMinor', scale: 0.01 }),
    { ...calendar, name: 'is_weekend', calendar: 'weekend' },
    { ...calendar, name: 'is_night', calendar: 'hours' },
    ...windows,
  ]
}
