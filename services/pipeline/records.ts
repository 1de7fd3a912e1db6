// The batch at each stage. A batch is columns beside one list of events: each stage adds columns
// and never rewrites those of a stage before it.
//
//   RawMessage ─decode─► Decoded ─validate─► Arrival ─(merge)─► Batch ─enrich─► EnrichedBatch
//     ─classify─► ScoredBatch ─decide─► DecidedBatch ─publish─► records for Kafka, one list per lane
//
// Invariant: an event keeps its (lane, offset) through the whole pipeline; that pair is its
// identity for fencing, rejection and redelivery.

import type { RejectionCode } from '../core/errors.ts'
import type { FieldValue, MessageHeaders } from '../core/input-mapping.ts'

export const streams = ['transactions', 'labels'] as const
export type Stream = (typeof streams)[number]

/** Bytes as Kafka or a file delivered them. */
export type RawMessage = {
  readonly offset: number
  /** The broker's append time, ms since the epoch; replay from files takes the event time. */
  readonly brokerTimeMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly partition?: number
  /** There where the message has some. */
  readonly headers?: MessageHeaders
  /** Set where the message stands for a whole record batch, whose bytes are its value. */
  readonly unreadable?: UnreadableBatch
}

/** A record batch that cannot be unpacked or taken apart. */
export type UnreadableBatch = {
  readonly firstOffset: number
  /** What was met, in lengths and positions. */
  readonly detail: string
}

/** Fields by the names that the pipeline file gives them (core/input-mapping.ts). */
type Fields = Readonly<Record<string, FieldValue>>

/** The two fields that every pipeline has, and the user's own. Times in ms since the epoch. */
export type Transaction = Fields & {
  readonly transactionId: string
  readonly eventTime: number
}

/** A verdict, and what entities of the labelled transaction are known by; eventTime is its own. */
export type Label = Fields & {
  readonly transactionId: string
  readonly eventTime: number
  readonly isFraud: boolean
  readonly labelTime: number
}

export type Rejection = {
  readonly code: RejectionCode
  readonly stage: 'decode' | 'validate' | 'enrich' | 'classify' | 'publish'
  readonly detail: string
}

/**
 * One message after decode and validate: exactly one of transaction, label and rejection is set.
 */
export type Arrival = {
  readonly raw: RawMessage
  readonly transaction: Transaction | null
  readonly label: Label | null
  readonly rejection: Rejection | null
}

/** One lane's share of a batch; a lane is one input partition. */
export type LaneSlice = {
  /** Number of the lane in the stores and fences: stable for a topic's partition. */
  readonly laneId: number
  readonly stream: Stream
  readonly partition: number
  /** Proof of ownership given by the store's claim; an older one is refused. */
  readonly epoch: number
  /** Offset that the batch before this one committed, or will: nothing lies between the two. */
  readonly fromOffset: number
  /** Offset of the next event to commit when the batch set out; the store keeps it in its fence. */
  readonly committedOffset: number
  readonly firstOffset: number
  readonly lastOffset: number
  /** Highest event time of the lane after this batch, ms. */
  readonly watermarkMs: number
  /** Event time of the lane's next event where it is known, else the watermark; ms. */
  readonly frontierMs: number
  /** Caught up with the topic's end: others need not wait for it. */
  readonly isIdle: boolean
}

/** What the lanes hand to the pipeline: all lanes' events merged by event time. */
export type Batch = {
  readonly lanes: readonly LaneSlice[]
  /** Merged order; a lane's own order never changes. */
  readonly arrivals: readonly Arrival[]
  /** Index into `lanes` for each arrival. */
  readonly laneIndexes: Uint16Array
  /** The lane's highest event time before the event, minus the event's, at least 0; ms. */
  readonly latenessMs: Float64Array
  /** The lanes' own brakes, parallel to `lanes`; decide moves them on in the order of batches. */
  readonly brakes: readonly Brake[]
}

/** Running counts of a lane for `policy.flaggedShareMax`; travels in the committed offset. */
export type Brake = {
  /** Events and flagged events of the running window and of the one before it. */
  events: number
  flagged: number
  eventsBefore: number
  flaggedBefore: number
}

/**
 * `count` transactions of a batch in merged order with their vectors; labels are already applied.
 */
export type EnrichedBatch = {
  readonly batch: Batch
  readonly count: number
  /** Index into batch.arrivals of each transaction that goes on to be scored. */
  readonly arrivalIndexes: Uint32Array
  /** count x features, row after row, in the pipeline's order. */
  readonly vectors: Float32Array
  /** count x entities: position in the entity's log since its beginning; -1 = not counted. */
  readonly ordinals: Float64Array
  /** count x entities: events of the entity's log that were visible, the current one excluded. */
  readonly eventsSeen: Float64Array
  /** count x entities with labels: labels of the entity's label log that were visible. */
  readonly labelsSeen: Float64Array
  /** 1 where a window looked back further than the records that are kept. */
  readonly saturated: Uint8Array
  /**
   * Arrivals that are later than allowed and go to the late topic (indexes into batch.arrivals).
   */
  readonly diverted: readonly number[]
}

export type ScoringModel = {
  readonly name: string
  readonly version: string
  readonly sha256: string
  /** What really executed the graph, from the attestation: cpu, webgpu, cuda or a mix of them. */
  readonly provider: string
}

/** A reason for a flagged event: how much the score falls when the feature is at its median. */
export type Reason = {
  readonly feature: string
  readonly value: number
  readonly contribution: number
}

export type ScoredBatch = {
  readonly enriched: EnrichedBatch
  readonly champion: ScoringModel
  readonly challengers: readonly ScoringModel[]
  /**
   * Champion's scores, count long, probabilities in [0, 1]; anything in rows that are set aside.
   */
  readonly scores: Float32Array
  /** By row: counted in its entities' logs, and yet without an outcome but this; absent = none. */
  readonly setAside?: ReadonlyMap<number, Rejection>
  /** One array of count scores per challenger, in their order; NaN where it failed. */
  readonly challengerScores: readonly Float32Array[]
  /**
   * By row, the model that decides: 0 = the champion, n = the n-th challenger; absent = the
   * champion.
   */
  readonly deciders?: Uint8Array
  /**
   * What each model took for the run that the rows were in, ms; the champion first; absent = not
   * measured.
   */
  readonly modelMs?: readonly number[]
  /** Reasons by row for rows whose score reached the review band. */
  readonly reasons: ReadonlyMap<number, readonly Reason[]>
  /** Scored by a stand-in, because the place where the champion runs was away; absent = no. */
  readonly isDegraded?: boolean
  /** Epoch of the roster whose models scored; absent = 0, the models of the pipeline file. */
  readonly controlEpoch?: number
}

/** Why the row gets no score and no decision; undefined for nearly every row. */
export const setAsideFor = (
  { setAside }: Pick<ScoredBatch, 'setAside'>,
  row: number,
): Rejection | undefined => setAside?.get(row)

/** 0 = the champion decides for the row, n = the n-th challenger, which is the canary. */
export const decidingModel = ({ deciders }: Pick<ScoredBatch, 'deciders'>, row: number): number =>
  deciders === undefined ? 0 : deciders[row]!

/** Of the champion (0) or a challenger; NaN where a challenger failed. */
export const scoreOf = (
  { scores, challengerScores }: Pick<ScoredBatch, 'scores' | 'challengerScores'>,
  model: number,
  row: number,
): number => (model === 0 ? scores[row]! : challengerScores[model - 1]![row]!)

export const decisions = ['approve', 'review', 'block'] as const
export type Decision = (typeof decisions)[number]

const decisionSources = ['policy', 'deny_list', 'allow_list', 'brake'] as const
export type DecisionSource = (typeof decisionSources)[number]

export type DecidedBatch = {
  readonly scored: ScoredBatch
  readonly decisions: readonly Decision[]
  readonly decidedBy: readonly DecisionSource[]
  /** The lanes' brakes after this batch, parallel to batch.lanes. */
  readonly brakesAfter: readonly Brake[]
}
