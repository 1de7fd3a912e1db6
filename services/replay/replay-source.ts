// Where a replay's history comes from: files, or topics.
//
// In: what the run claims and how large its batches are. Out: batches of both streams in the order
// of time, each event once; what was refused, with its place; what was read, for the manifest.
// Implemented by file-source.ts and topic-source.ts. Invariant: a source reads. It has nothing to
// write with, and commits nowhere.

import type {
  Batch,
  EnrichedBatch,
  Label,
  Rejection,
  ScoredBatch,
  Stream,
} from '../pipeline/records.ts'

/** An event that gets no row, and where the original is. */
export type Refused = {
  readonly stream: Stream
  readonly place: Readonly<Record<string, string | number>>
  readonly rejection: Rejection
}

export type BatchFeed = {
  /** Takes a lane of the run's store and gives its epoch. */
  readonly claim: (laneId: number) => Promise<number>
  readonly batchEvents: number
  /** Gets what never enters a batch. */
  readonly reject: (refused: Refused) => void
}

/** Of a label, what is measured by. */
type Verdict = Pick<Label, 'transactionId' | 'isFraud' | 'labelTime'>

export type ReplaySource = {
  /** As far as that is known before they are read. */
  readonly transactionsExpected: number
  /** All labels that the stages accept, in any order: for verdicts, which no feature sees. */
  readonly readLabels: () => AsyncGenerator<readonly Verdict[], void, undefined>
  /** Once. */
  readonly readBatches: (feed: BatchFeed) => AsyncGenerator<Batch, void, undefined>
  /** What stands in a batch and gets no row, in the batch's order. */
  readonly refusedIn: (
    enriched: EnrichedBatch,
    setAside?: ScoredBatch['setAside'],
  ) => readonly Refused[]
  /** How many events of each stream were read, when all batches were. */
  readonly received: () => Readonly<Record<Stream, number>>
  /** What was read, by name, extent and hash. */
  readonly describe: () => Promise<Readonly<Record<Stream, unknown>>>
  readonly close: () => Promise<void>
}
