// What a pipeline file says, after reading: checked, expanded, frozen.
//
// The loader (adapters/pipeline-file/pipeline-file.ts) makes it and reports every fault with its
// line; stages only read it. All durations are milliseconds, all windows are expanded to one
// feature each, and the order of `features` is the order of the vector.

import type { InputMapping, LabelMapping } from './input-mapping.ts'
import type { RolloutRules } from './rollout-rules.ts'

/** sum, mean, min, max, stddev and last take a field of whole numbers; distinct takes any field. */
export const windowOps = [
  'count',
  'sum',
  'mean',
  'min',
  'max',
  'stddev',
  'distinct',
  'seconds_since_last',
  'seconds_since_first',
  'last',
  'fraud_rate',
  'fraud_count',
  'seconds_since_last_fraud',
  'seconds_since_first_fraud',
] as const
export type WindowOp = (typeof windowOps)[number]

const labelOps: ReadonlySet<WindowOp> = new Set([
  'fraud_rate',
  'fraud_count',
  'seconds_since_last_fraud',
  'seconds_since_first_fraud',
])

export type EntityDefinition = {
  readonly name: string
  /** Fields of the transaction that make the key, in order. */
  readonly key: readonly string[]
}

/** A plain number of the transaction itself, or 1/0 for a field that equals one of some values. */
export type FieldFeature = {
  readonly kind: 'field'
  readonly name: string
  readonly field: string
  readonly scale: number
  readonly equals: readonly string[] | null
  /** The feature where the optional field is absent. */
  readonly absent: number
}

/** A number read off the event time in UTC. Hours are inclusive on both ends. */
export type CalendarFeature = {
  readonly kind: 'calendar'
  readonly name: string
  readonly calendar: 'weekend' | 'hours' | 'hour_of_day' | 'day_of_week'
  readonly fromHour: number
  readonly toHour: number
}

/** An op over the entity's log in (t - delay - window, t - delay]; see design section 5. */
export type WindowFeature = {
  readonly kind: 'window'
  readonly name: string
  readonly entity: string
  readonly op: WindowOp
  /** The field aggregated; null for count, seconds_since_* and ops over labels. */
  readonly of: string | null
  readonly windowMs: number
  readonly delayMs: number
  /** Width of the steps in which the window's older edge moves, ms; 0 = an exact edge. */
  readonly tailMs: number
  /**
   * Whether the transaction itself is in its window; always false for ops that never look at it.
   */
  readonly current: boolean
  readonly scale: number
  /** The feature where the window is empty. */
  readonly absent: number
}

/** Two earlier features divided, before rounding to float32; `absent` where the divisor is 0. */
export type RatioFeature = {
  readonly kind: 'ratio'
  readonly name: string
  readonly numerator: string
  readonly denominator: string
  readonly absent: number
}

export type FeatureDefinition = FieldFeature | CalendarFeature | WindowFeature | RatioFeature

/** Whether a feature is computed from the labels of an entity. A ratio of one is not itself one. */
export const looksAtLabels = (feature: FeatureDefinition): boolean =>
  feature.kind === 'window' && labelOps.has(feature.op)

export type ExecutionProvider = 'cuda' | 'webgpu' | 'cpu'

/** As `model.source`: an MLflow server, whose address is a setting; anything else is a folder. */
export const mlflowSource = 'mlflow'

export type ModelReference = {
  readonly name: string
  /** Of the manifest; or `@champion`, an alias that only a registry can resolve. */
  readonly version: string
  /** Folder that holds <name>/<version>/manifest.json, absolute after loading; or mlflowSource. */
  readonly source: string
}

export type ExecutionPolicy = {
  readonly providers: readonly ExecutionProvider[]
  readonly isRequired: boolean
  readonly workers: number
  /** The champion runs at the inference server of the place; absent = it runs here. */
  readonly remote?: RemoteExecution
}

export type RemoteExecution = {
  /** Name of the model at the server; null = the champion's. */
  readonly model: string | null
  /** Version at the server; null = the one that the server chooses. */
  readonly version: string | null
  /** Longest wait for the answer to one request. */
  readonly timeoutMs: number
  /** Rows in one request, the golden row behind them included. */
  readonly requestRowsMax: number
}

export type ListRule = {
  readonly entity: string
  readonly keys: readonly string[]
}

export type PolicyDefinition = {
  /**
   * Scores at or above are flagged: review, and from `block` on blocked. Probabilities in [0, 1].
   */
  readonly review: number
  readonly block: number
  /** Largest share of flagged events over the brake's window before decisions turn observe-only. */
  readonly flaggedShareMax: number
  /** Events of a lane over which the share is taken. */
  readonly brakeWindowEvents: number
  readonly deny: readonly ListRule[]
  readonly allow: readonly ListRule[]
}

export type TopicNames = {
  readonly transactions: string
  readonly labels: string | null
  readonly scored: string
  readonly alerts: string
  readonly driftSamples: string
  readonly rejected: string
  readonly late: string
  readonly driftReports: string
  readonly modelControl: string
  readonly modelAudit: string
  readonly modelComparisons: string
}

export type PipelineDefinition = {
  readonly pipeline: string
  /** sha-256 of the canonical definition without topics: what makes a score, not where it runs. */
  readonly hash: string
  /** sha-256 of entities and feature table (names, order, definitions): the state's layout. */
  readonly layoutHash: string
  /** sha-256 of the feature names in order, joined by newline; equals the manifest's featureSet. */
  readonly featureSet: string
  readonly topics: TopicNames
  readonly input: { readonly transactions: InputMapping; readonly labels: LabelMapping }
  readonly entities: readonly EntityDefinition[]
  readonly features: readonly FeatureDefinition[]
  readonly validate: { readonly ageMaxMs: number; readonly futureMaxMs: number }
  readonly late: { readonly allowedMs: number; readonly then: 'score_only' | 'divert' }
  readonly align: { readonly driftMsMax: number; readonly waitMsMax: number }
  readonly model: {
    readonly champion: ModelReference
    readonly challengers: readonly ModelReference[]
  }
  readonly execution: ExecutionPolicy
  readonly policy: PolicyDefinition
  readonly drift: { readonly sampleShare: number }
  readonly output: {
    /** Fields of the transaction that scored events and alerts repeat. */
    readonly carry: readonly string[]
  }
  readonly rollout: RolloutRules
  readonly store: { readonly buckets: number; readonly retentionMs: number }
}
