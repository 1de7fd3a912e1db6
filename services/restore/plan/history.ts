// The port of what Kafka still knows: the input messages of each lane, and the journal of the
// order.
//
// The topic of scored events is that journal: each event says by which message it was made and
// which ordinals it has. Implemented by kafka-history.ts; by memory in tests. In: lanes and from
// where on to read them. Out: messages and journal entries, both in the order of the lane's
// offsets. Invariant: only what is committed is delivered, and everything below the lane's
// committed offset is: its events have a journal entry, or they were rejected or diverted.

import type { LaneAddress } from '../../lanes/lane-input.ts'
import type { LaneMemory } from '../../pipeline/publish/lane-metadata.ts'
import type { RawMessage } from '../../pipeline/records.ts'

/** A lane whose commits are final. */
export type RestoreLane = {
  readonly address: LaneAddress
  /** Nothing of the lane lies before it; 0 unless given. */
  readonly originOffset?: number
  /** Offset of the lane's next event to commit. */
  readonly committedOffset: number
  /** As committed with that offset. */
  readonly memory: LaneMemory
}

/** Offset of the lane's next event: a lane that has never committed goes on where it begins. */
export const goesOnAt = ({ originOffset = 0, committedOffset }: RestoreLane): number =>
  Math.max(originOffset, committedOffset)

export type LaneRange = {
  readonly lane: RestoreLane
  /** First offset that may be missing in the store. */
  readonly fromOffset: number
  /** First offset to hand out: a little before, where the lane's clock has to be learned. */
  readonly readFromOffset: number
}

/** What a scored event says about its place. */
export type JournalEntry = {
  readonly sourceOffset: number
  readonly scoredTimeMs: number
  /** One per entity of the pipeline; -1 = scored, but not counted. */
  readonly ordinals: readonly number[]
  /** One per entity with labels. */
  readonly labelsSeen: readonly number[]
  /** The vector that it was scored with. */
  readonly features: readonly number[]
  readonly saturated: boolean
}

export type LaneReader = {
  /** From readFromOffset on, and beyond the committed one; may be read once. */
  readonly messages: AsyncIterable<readonly RawMessage[]>
  /** Entries of committed messages; none for labels. May begin before the range. */
  readonly journal: AsyncIterable<readonly JournalEntry[]>
  /** From this source offset on no entry is missing: what lies before has left the topic. */
  readonly journalFrom: number
}

export type OpenedHistory = {
  /** One per range, in their order. */
  readonly readers: readonly LaneReader[]
  readonly close: () => Promise<void>
}

export type RestoreHistory = {
  /** Offset of the first message that is still there, and the one behind the last. */
  readonly bounds: (lane: LaneAddress) => Promise<{ readonly first: number; readonly end: number }>
  /**
   * Offset of the first message whose broker time is not before `timeMs`; the end if there is none.
   */
  readonly offsetAt: (lane: LaneAddress, timeMs: number) => Promise<number>
  /**
   * @param uncommittedMax messages to hand out at least behind a lane's committed offset, if there.
   */
  readonly open: (ranges: readonly LaneRange[], uncommittedMax: number) => Promise<OpenedHistory>
}
