// Scored events of a trial, as the rollout meets them.
//
// In: what is different about an event. Out: the record of the scored topic; champion 1 decides,
// challenger 2 has no say. Fields that no evidence looks at are plain.

import type { ScoredTransactionRecord } from '../../services/pipeline/publish/output-records.ts'

export type EventWish = {
  readonly id: string
  readonly atMs: number
  readonly epoch: number
  readonly champion?: number
  /** null: it failed. */
  readonly challenger?: number | null
  readonly times?: readonly [champion: number, challenger: number]
  readonly isCanary?: boolean
}

export function eventOf(wish: EventWish): ScoredTransactionRecord {
  const { champion = 0.1, challenger = 0.1, times = [1, 1], isCanary = false } = wish
  const sides = [
    { name: 'test', version: '1', score: champion, modelMs: times[0] },
    ...(challenger === null
      ? []
      : [{ name: 'test', version: '2', score: challenger, modelMs: times[1] }]),
  ]
  const [decider, ...others] = isCanary ? sides.reverse() : sides
  return {
    transactionId: wish.id,
    eventTime: wish.atMs,
    keys: { customer: 'C1', terminal: 'T1' },
    carried: {},
    score: decider!.score,
    decision: 'approve',
    decidedBy: 'policy',
    reasons: [],
    modelName: decider!.name,
    modelVersion: decider!.version,
    modelSha256: '0',
    modelProvider: 'cpu',
    modelRole: isCanary ? 'canary' : 'champion',
    modelMs: decider!.modelMs,
    challengers: others,
    features: [],
    featureSet: 'features',
    ordinals: [],
    eventsSeen: [],
    labelsSeen: [],
    saturated: false,
    sourcePartition: 0,
    sourceOffset: 0,
    latenessMs: 0,
    brokerTime: wish.atMs,
    scoredTime: wish.atMs,
    degraded: false,
    pipeline: 'test',
    pipelineHash: 'hash',
    controlEpoch: wish.epoch,
  }
}
