// One pass over the topics: the lost rows of a group of buckets are laid out, and the buckets written.
//
//   labels ─► transactions ─► holes ─► write, finish           a bucket that grows too large waits
//                                                              for the next pass
// In: buckets, and what they know. Out: which of them are whole now, which have to come again, and
// which contradicted themselves. Invariant: rows held are bounded by restoreRowsMax, unless a single
// bucket is larger; a bucket is written once it is complete, and finished after that.

import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import type { AdmittingRooms } from './admit-messages.ts'
import {
  type BucketDraft,
  createBucketDraft,
  type DraftContext,
} from './bucket-draft.ts'
import { closeHoles, findFillers } from './fill-holes.ts'
import type { LaneReader, OpenedHistory, RestoreHistory, RestoreLane } from './history.ts'
import { layLabels, layTransactions } from './lay-committed.ts'
import type { HistoryReach } from './log-draft.ts'
import type { Coverage, LookBack } from './look-back.ts'
import { createMessageCursor, type MessageCursor } from './message-cursor.ts'
import type { LaneProgress } from './restorable-store.ts'

/** A bucket to restore, and what it knows of the lanes. */
export type BucketTask = {
  readonly bucket: number
  /** Empty for a bucket whose logs all begin anew. */
  readonly fence: ReadonlyMap<number, LaneProgress>
}

export type PassLane = {
  readonly lane: RestoreLane
  readonly fromOffset: number
  readonly reader: LaneReader
  readonly cursor: MessageCursor
}

export type RestoreContext = DraftContext & {
  readonly definition: PipelineDefinition
  readonly history: RestoreHistory
  readonly rooms: AdmittingRooms
  readonly allLanes: readonly RestoreLane[]
  readonly lookBack: LookBack
  /** Goes on with what the topics have, although windows will miss some of it. */
  readonly acceptShort: boolean
  readonly uncommittedMax: number
  readonly rowsMax: number
  readonly noteEvents: (events: number) => void
}

export type PassContext = RestoreContext & {
  readonly lanes: readonly PassLane[]
  readonly buckets: readonly BucketDraft[]
  /** The draft that takes the key's rows; null where this pass leaves its bucket alone. */
  readonly bucketOf: (key: string) => BucketDraft | null
}
