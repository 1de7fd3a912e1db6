// One event's records: a scored event, an alert where it is flagged, a drift sample where it is
// due.
//
// In: a row of a decided batch. Out: records in the shape of the schemas. Synchronous and pure: the
// same row gives the same records, and a drift sample is chosen by the transaction's id alone, so a
// redelivered event is sampled again or not at all, like the first time.

import { createHash } from 'node:crypto'
import type { FieldValue } from '../../core/input-mapping.ts'
import { limits } from '../../core/limits.ts'
import type { PipelineDefinition } from '../../core/pipeline-definition.ts'
import { NO_KEY, planKey, type ReadKey } from '../entity-key.ts'
import {
  type Arrival,
  type DecidedBatch,
  decidingModel,
  type LaneSlice,
  type RawMessage,
  type Reason,
  type Rejection,
  type ScoredBatch,
  scoreOf,
  type Transaction,
} from '../records.ts'
import { alertIdOf } from './alert-id.ts'
import type {
  AppliedRecord,
  CarriedFields,
  ChallengerScore,
  DriftSampleRecord,
  EntityKeys,
  FraudAlertRecord,
  RejectedRecord,
  ScoredTransactionRecord,
} from './output-records.ts'

export type PublishContext = {
  readonly definition: PipelineDefinition
  /** The definition's hashes as events carry them: see shortHash. */
  readonly featureSet: string
  readonly pipelineHash: string
  readonly featureCount: number
  readonly entityCount: number
  readonly labelEntityCount: number
  readonly entities: readonly { readonly name: string; readonly readKey: ReadKey }[]
  readonly blankKeys: EntityKeys
  /** Identity of a replay that publishes into topics of its own; null = live. */
  readonly run: string | null
}

/** 64 bits tell two pipelines apart; whole hashes were half of a scored event's bytes. */
const shortHash = (sha256: string): string => sha256.slice(0, 16)

type EntityReaders = Pick<PublishContext, 'entities' | 'blankKeys'>

export const planKeys = ({ entities }: Pick<PipelineDefinition, 'entities'>): EntityReaders => ({
  entities: entities.map(({ name, key }) => ({ name, readKey: planKey(key) })),
  blankKeys: Object.fromEntries(entities.map(({ name }) => [name, NO_KEY])),
})

export const planPublish = (
  definition: PipelineDefinition,
  labelEntityCount: number,
  run: string | null = null,
): PublishContext => ({
  definition,
  featureSet: shortHash(definition.featureSet),
  pipelineHash: shortHash(definition.hash),
  featureCount: definition.features.length,
  entityCount: definition.entities.length,
  labelEntityCount,
  ...planKeys(definition),
  run,
})

const NO_REASONS: readonly Reason[] = []
const NOTHING: readonly number[] = []
/** Words are ours, but some quote what was found. */
const DETAIL_LENGTH_MAX = 300

/** One row of a column as a plain array, which is what the Avro encoder takes. */
function takeRow(column: Float32Array | Float64Array, row: number, width: number): number[] {
  const values: number[] = new Array(width)
  for (let i = 0, at = row * width; i < width; i++, at++) values[i] = column[at]!
  return values
}

export function composeScored(
  decided: DecidedBatch,
  row: number,
  scoredTimeMs: number,
  context: PublishContext,
): ScoredTransactionRecord {
  const { scored } = decided
  const { enriched } = scored
  const decider = decidingModel(scored, row)
  const model = modelAt(scored, decider)
  const { batch } = enriched
  const index = enriched.arrivalIndexes[row]!
  const { transaction, raw } = batch.arrivals[index]!
  const { definition, entityCount } = context
  const isCounted = enriched.ordinals[row * entityCount]! >= 0
  return {
    transactionId: transaction!.transactionId,
    eventTime: transaction!.eventTime,
    keys: composeKeys(transaction!, context),
    carried: composeCarried(transaction!, context.definition.output),
    score: scoreOf(scored, decider, row),
    decision: decided.decisions[row]!,
    decidedBy: decided.decidedBy[row]!,
    reasons: (scored.reasons.get(row) ?? NO_REASONS).map(({ feature }) => feature),
    modelName: model.name,
    modelVersion: model.version,
    modelSha256: model.sha256,
    modelProvider: model.provider,
    modelRole: decider === 0 ? 'champion' : 'canary',
    modelMs: scored.modelMs?.[decider] ?? 0,
    challengers: composeOthers(scored, decider, row),
    features: takeRow(enriched.vectors, row, context.featureCount),
    featureSet: context.featureSet,
    ordinals: takeRow(enriched.ordinals, row, entityCount),
    eventsSeen: isCounted ? NOTHING : takeRow(enriched.eventsSeen, row, entityCount),
    labelsSeen: takeRow(enriched.labelsSeen, row, context.labelEntityCount),
    saturated: enriched.saturated[row] === 1,
    sourcePartition: batch.lanes[batch.laneIndexes[index]!]!.partition,
    sourceOffset: raw.offset,
    latenessMs: batch.latenessMs[index]!,
    brokerTime: raw.brokerTimeMs,
    scoredTime: scoredTimeMs,
    degraded: scored.isDegraded ?? false,
    pipeline: definition.pipeline,
    pipelineHash: context.pipelineHash,
    controlEpoch: scored.controlEpoch ?? 0,
  }
}

/** Copies of one shape: nearly all events name all entities. */
export function composeKeys(
  transaction: Transaction,
  { entities, blankKeys }: EntityReaders,
): EntityKeys {
  const keys: Record<string, string> = { ...blankKeys }
  for (let e = 0; e < entities.length; e++) {
    const { name, readKey } = entities[e]!
    const key = readKey(transaction)
    if (key === NO_KEY) delete keys[name]
    else keys[name] = key
  }
  return keys
}

export function composeCarried(
  transaction: Transaction,
  { carry }: PipelineDefinition['output'],
): CarriedFields {
  const [first, second] = carry
  // What nearly all pipelines carry, the money and its currency, in one step.
  if (carry.length === 2) {
    return { [first!]: transaction[first!] ?? null, [second!]: transaction[second!] ?? null }
  }
  const carried: Record<string, FieldValue> = {}
  for (const field of carry) carried[field] = transaction[field] ?? null
  return carried
}

const modelAt = ({ champion, challengers }: ScoredBatch, model: number) =>
  model === 0 ? champion : challengers[model - 1]!

/** Who scored without a say: challengers, and the champion where the canary decides. */
function composeOthers(scored: ScoredBatch, decider: number, row: number): ChallengerScore[] {
  const others: ChallengerScore[] = []
  for (let model = 0; model <= scored.challengers.length; model++) {
    const score = scoreOf(scored, model, row)
    // A challenger that failed has no score; who counts it knows by the roster's epoch that it is
    // missing.
    if (model === decider || Number.isNaN(score)) continue
    const { name, version } = modelAt(scored, model)
    others.push({ name, version, score, modelMs: scored.modelMs?.[model] ?? 0 })
  }
  return others
}

type AlertParts = Pick<PublishContext, 'definition' | 'run'> & {
  readonly reasons?: readonly Reason[] | undefined
}

export function composeAlert(
  event: ScoredTransactionRecord,
  raw: RawMessage,
  { definition, run, reasons = NO_REASONS }: AlertParts,
): FraudAlertRecord {
  const { pipeline, sourcePartition: partition } = event
  return {
    alertId: alertIdOf({ pipeline, run, topic: definition.topics.transactions, partition, raw }),
    transactionId: event.transactionId,
    keys: event.keys,
    carried: event.carried,
    eventTime: event.eventTime,
    decision: event.decision,
    decidedBy: event.decidedBy,
    score: event.score,
    reasons,
    modelName: event.modelName,
    modelVersion: event.modelVersion,
    modelSha256: event.modelSha256,
    modelProvider: event.modelProvider,
    pipeline: event.pipeline,
    brokerTime: event.brokerTime,
    scoredTime: event.scoredTime,
    sourcePartition: event.sourcePartition,
    sourceOffset: event.sourceOffset,
  }
}

export function composeDriftSample(
  event: ScoredTransactionRecord,
  sampling: { samplingRate: number; sampled: boolean; alert: boolean },
): DriftSampleRecord {
  return {
    transactionId: event.transactionId,
    eventTime: event.eventTime,
    features: event.features,
    featureSet: event.featureSet,
    score: event.score,
    decision: event.decision,
    samplingRate: sampling.samplingRate,
    alert: sampling.alert,
    sampled: sampling.sampled,
    modelName: event.modelName,
    modelVersion: event.modelVersion,
    challengers: event.challengers,
    pipeline: event.pipeline,
    controlEpoch: event.controlEpoch,
  }
}

type RefusedEvent = {
  readonly arrival: Arrival
  readonly lane: LaneSlice
  readonly rejection: Rejection
  readonly rejectedTimeMs: number
  readonly latenessMs: number | null
  readonly applied?: AppliedRecord
}

/** What stands in a log although it was set aside: how it is found there again. */
export function composeApplied(
  { enriched }: ScoredBatch,
  row: number,
  { featureCount, entityCount, labelEntityCount, featureSet }: PublishContext,
): AppliedRecord {
  const isCounted = enriched.ordinals[row * entityCount]! >= 0
  return {
    ordinals: takeRow(enriched.ordinals, row, entityCount),
    eventsSeen: isCounted ? NOTHING : takeRow(enriched.eventsSeen, row, entityCount),
    labelsSeen: takeRow(enriched.labelsSeen, row, labelEntityCount),
    features: takeRow(enriched.vectors, row, featureCount),
    featureSet,
    saturated: enriched.saturated[row] === 1,
  }
}

/** What was refused for its size is not sent as it is a second time. */
const originalBytesMax = ({ code }: Rejection): number =>
  code === 'WEIR_PUBLISH_TOO_LARGE' ? limits.refusedOriginalBytesMax : limits.originalBytesMax

export function composeRejected(
  { arrival, lane, rejection, rejectedTimeMs, latenessMs, applied }: RefusedEvent,
  { definition }: PublishContext,
): RejectedRecord {
  const { raw } = arrival
  return {
    original: cut(raw.value, originalBytesMax(rejection)),
    originalBytes: raw.value?.length ?? null,
    originalSha256: raw.value === null ? null : sha256Of(raw.value),
    originalKey: cut(raw.key, limits.originalKeyBytesMax),
    code: rejection.code,
    stage: rejection.stage,
    detail: rejection.detail.slice(0, DETAIL_LENGTH_MAX),
    sourceTopic: definition.topics[lane.stream] ?? lane.stream,
    sourcePartition: lane.partition,
    sourceOffset: raw.offset,
    brokerTime: raw.brokerTimeMs,
    rejectedTime: rejectedTimeMs,
    pipeline: definition.pipeline,
    latenessMs,
    sourceOffsetFirst: raw.unreadable?.firstOffset ?? null,
    applied: applied ?? null,
  }
}

/**
 * The key of all that an event becomes: its own. The partition is chosen by the lane, not by it.
 */
export const keyOf = ({ raw }: Arrival): Buffer | null => cut(raw.key, limits.originalKeyBytesMax)

function cut(bytes: Buffer | null, bytesMax: number): Buffer | null {
  return bytes === null || bytes.length <= bytesMax ? bytes : bytes.subarray(0, bytesMax)
}

const sha256Of = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
