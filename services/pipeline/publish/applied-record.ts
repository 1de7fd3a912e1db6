// A rejected event that is counted in the logs, as if it had been scored: without a score.
//
// In: the rejected record with its `applied`, and the transaction in its message. Out: what a
// scored record would say of its place and vector. For whoever reads outputs back to follow the
// logs' order (parity, runs that are collected); never published.

import type { PipelineDefinition } from '../../core/pipeline-definition.ts'
import type { Transaction } from '../records.ts'
import { composeCarried, composeKeys, planKeys } from './compose-records.ts'
import type { AppliedRecord, RejectedRecord, ScoredTransactionRecord } from './output-records.ts'

export type AppliedRejection = RejectedRecord & { readonly applied: AppliedRecord }

export const isApplied = (record: RejectedRecord): record is AppliedRejection =>
  record.applied !== null

export function asScoredRecord(
  { applied, sourcePartition, sourceOffset, brokerTime, rejectedTime, pipeline }: AppliedRejection,
  transaction: Transaction,
  latenessMs: number,
  definition: PipelineDefinition,
): ScoredTransactionRecord {
  const { transactionId, eventTime } = transaction
  return {
    ...{ transactionId, eventTime },
    keys: composeKeys(transaction, planKeys(definition)),
    carried: composeCarried(transaction, definition.output),
    ...applied,
    score: Number.NaN,
    decision: 'review',
    decidedBy: 'policy',
    reasons: [],
    modelName: '',
    modelVersion: '',
    modelSha256: '',
    modelProvider: '',
    modelRole: 'champion',
    modelMs: 0,
    challengers: [],
    sourcePartition,
    sourceOffset,
    latenessMs,
    brokerTime,
    scoredTime: rejectedTime,
    degraded: false,
    pipeline,
    pipelineHash: '',
    controlEpoch: 0,
  }
}
