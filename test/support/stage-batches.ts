// Batches as a stage gets them from the stage before it, with everything that a test does not name.

import type {
  Arrival,
  Batch,
  Brake,
  DecidedBatch,
  EnrichedBatch,
  LaneSlice,
  ScoredBatch,
  Transaction,
} from '../../services/pipeline/records.ts'
import { transactionOf } from './batches.ts'

export const rawOf = (offset: number, value: Buffer | null = null): Arrival['raw'] => ({
  offset,
  brokerTimeMs: 1_000_000 + offset,
  key: null,
  value,
})

export const arrivalOf = (offset: number, transaction: Partial<Transaction> = {}): Arrival => ({
  raw: rawOf(offset),
  transaction: transactionOf({ transactionId: `t-${offset}`, ...transaction }),
  label: null,
  rejection: null,
})

export const sliceOf = (laneId: number, wanted: Partial<LaneSlice> = {}): LaneSlice => ({
  laneId,
  stream: 'transactions',
  partition: laneId / 2,
  epoch: 1,
  fromOffset: 0,
  firstOffset: 0,
  lastOffset: 0,
  watermarkMs: 0,
  frontierMs: 0,
  committedOffset: 0,
  isIdle: false,
  ...wanted,
})

export const freshBrake = (): Brake => ({
  events: 0,
  flagged: 0,
  eventsBefore: 0,
  flaggedBefore: 0,
})

export type BatchParts = {
  readonly arrivals: readonly Arrival[]
  readonly lanes?: readonly LaneSlice[]
  /** Lane of each arrival; all of the first one where it is left out. */
  readonly laneIndexes?: readonly number[]
  readonly latenessMs?: readonly number[]
  readonly brakes?: readonly Brake[]
}

export function batchOfParts(parts: BatchParts): Batch {
  const lanes = parts.lanes ?? [sliceOf(0, { lastOffset: parts.arrivals.length - 1 })]
  return {
    lanes,
    arrivals: parts.arrivals,
    laneIndexes: Uint16Array.from(parts.laneIndexes ?? parts.arrivals.map(() => 0)),
    latenessMs: Float64Array.from(parts.latenessMs ?? parts.arrivals.map(() => 0)),
    brakes: parts.brakes ?? lanes.map(freshBrake),
  }
}

/** One feature, the amount; one entity, each event its first; `diverted` go no further. */
export function enrichedOf(batch: Batch, diverted: readonly number[] = []): EnrichedBatch {
  const indexes = batch.arrivals.flatMap(({ transaction }, i) =>
    transaction === null || diverted.includes(i) ? [] : [i],
  )
  const count = indexes.length
  return {
    batch,
    count,
    arrivalIndexes: Uint32Array.from(indexes),
    vectors: Float32Array.from(
      indexes,
      (i) => batch.arrivals[i]!.transaction!.amountMinor as number,
    ),
    ordinals: new Float64Array(count),
    eventsSeen: new Float64Array(count),
    labelsSeen: new Float64Array(0),
    saturated: new Uint8Array(count),
    diverted,
  }
}

export function scoredOf(
  enriched: EnrichedBatch,
  scores: readonly number[],
  wanted: Partial<ScoredBatch> = {},
): ScoredBatch {
  return {
    enriched,
    champion: { name: 'champion', version: '1', sha256: 'abc', provider: 'cpu' },
    challengers: [],
    scores: Float32Array.from(scores),
    challengerScores: [],
    reasons: new Map(),
    ...wanted,
  }
}

export function decidedOf(scored: ScoredBatch, wanted: Partial<DecidedBatch> = {}): DecidedBatch {
  const { count, batch } = scored.enriched
  return {
    scored,
    decisions: new Array(count).fill('approve'),
    decidedBy: new Array(count).fill('policy'),
    brakesAfter: batch.brakes,
    ...wanted,
  }
}
