// A rejected event that is counted in the logs, as if it had been scored: without a score.
//
// In: the rejected record with its `applied`, and the transaction in its message. Out: what a
// scored record would say of its place and vector. For whoever reads outputs back to follow the
// logs' order (parity, runs that are collected); never published.

import type { Transaction } from '../records.ts'
import { composeCarried, composeKeys, type PublishContext } from './compose-records.ts'
import type { AppliedRecord, RejectedRecord, ScoredTransactionRecord } from './output-records.ts'

type Context = Pick<PublishContext, 'entities' | 'definition'>

export type AppliedRejection = RejectedRecord & { readonly applied: AppliedRecord }

export const isApplied = (record: RejectedRecord): record is AppliedRejection =>
  record.applied !== null

export function asScoredRecord(
  { applied, sourcePartition, sourceOffset, brokerTime, rejectedTime, pipeline }: AppliedRejection,
  transaction: Transaction,
  { latenessMs, context }: { readonly latenessMs: number; readonly context: Context },
): ScoredTransactionRecord {
  const { transactionId, eventTime } = transaction
  return {
    ...{ transactionId, eventTime },
    keys: composeKeys(transaction, context),
    carried: composeCarried(transaction, context),
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
