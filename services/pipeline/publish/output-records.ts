// What Weir publishes, field by field, as in schemas/*.avsc: the shapes that the encoders take.
//
// Times in ms since the epoch, amounts in minor units, scores as probabilities in [0, 1]. Types
// only; a value that does not fit its schema is refused by the encoder as our own mistake.

import type { FieldValue } from '../../core/input-mapping.ts'
import type { Decision, DecisionSource, Reason } from '../records.ts'

/** By entity; an entity that the event does not name is not in it. */
export type EntityKeys = Readonly<Record<string, string>>
/** By field, as chosen by `output.carry`; null = absent. */
export type CarriedFields = Readonly<Record<string, FieldValue>>

type ModelRole = 'champion' | 'canary'

export type ChallengerScore = {
  readonly name: string
  readonly version: string
  readonly score: number
  readonly modelMs: number
}

export type ScoredTransactionRecord = {
  readonly transactionId: string
  readonly eventTime: number
  readonly keys: EntityKeys
  readonly carried: CarriedFields
  readonly score: number
  readonly decision: Decision
  readonly decidedBy: DecisionSource
  readonly reasons: readonly string[]
  readonly modelName: string
  readonly modelVersion: string
  readonly modelSha256: string
  readonly modelProvider: string
  readonly modelRole: ModelRole
  readonly modelMs: number
  readonly challengers: readonly ChallengerScore[]
  readonly features: readonly number[]
  readonly featureSet: string
  readonly ordinals: readonly number[]
  readonly eventsSeen: readonly number[]
  readonly labelsSeen: readonly number[]
  readonly saturated: boolean
  readonly sourcePartition: number
  readonly sourceOffset: number
  readonly latenessMs: number
  readonly brokerTime: number
  readonly scoredTime: number
  readonly degraded: boolean
  readonly pipeline: string
  readonly pipelineHash: string
  readonly controlEpoch: number
}

export type FraudAlertRecord = {
  readonly alertId: string
  readonly transactionId: string
  readonly keys: EntityKeys
  readonly carried: CarriedFields
  readonly eventTime: number
  readonly decision: Decision
  readonly decidedBy: DecisionSource
  readonly score: number
  readonly reasons: readonly Reason[]
  readonly modelName: string
  readonly modelVersion: string
  readonly modelSha256: string
  readonly modelProvider: string
  readonly pipeline: string
  readonly brokerTime: number
  readonly scoredTime: number
  readonly sourcePartition: number
  readonly sourceOffset: number
}

export type DriftSampleRecord = {
  readonly transactionId: string
  readonly eventTime: number
  readonly features: readonly number[]
  readonly featureSet: string
  readonly score: number
  readonly decision: Decision
  readonly samplingRate: number
  readonly alert: boolean
  readonly sampled: boolean
  readonly modelName: string
  readonly modelVersion: string
  readonly challengers: readonly ChallengerScore[]
  readonly pipeline: string
  readonly controlEpoch: number
}

/** Where a rejected event stands in the logs that count it, and the vector it had there. */
export type AppliedRecord = Pick<
  ScoredTransactionRecord,
  'ordinals' | 'eventsSeen' | 'labelsSeen' | 'features' | 'featureSet' | 'saturated'
>

/** Also the shape of a late transaction, whose latenessMs is set. */
export type RejectedRecord = {
  /** The first limits.originalBytesMax bytes. */
  readonly original: Buffer | null
  /** Length and sha-256 (hex) of all of it; null where there is none. */
  readonly originalBytes: number | null
  readonly originalSha256: string | null
  readonly originalKey: Buffer | null
  readonly code: string
  readonly stage: string
  readonly detail: string
  readonly sourceTopic: string
  readonly sourcePartition: number
  readonly sourceOffset: number
  readonly brokerTime: number
  readonly rejectedTime: number
  readonly pipeline: string
  readonly latenessMs: number | null
  /** First offset of a record batch that cannot be read, whose last is sourceOffset; else null. */
  readonly sourceOffsetFirst: number | null
  /** Null where the event is in no log, as nearly always. */
  readonly applied: AppliedRecord | null
}

export type OutputEncoders = {
  readonly scored: (record: ScoredTransactionRecord) => Buffer
  readonly alerts: (record: FraudAlertRecord) => Buffer
  readonly driftSamples: (record: DriftSampleRecord) => Buffer
  readonly rejected: (record: RejectedRecord) => Buffer
  readonly late: (record: RejectedRecord) => Buffer
}
