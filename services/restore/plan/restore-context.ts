// What the parts of a restore hand to one another: types only.
//
// A restore has one RestoreContext; each pass over the topics adds its lanes, opened for reading,
// and the buckets that it lays out.

import type { PipelineDefinition } from '../../core/pipeline-definition.ts'
import type { BucketDraft, DraftContext } from '../lay/bucket-draft.ts'
import type { AdmittingStages } from '../read/admit-messages.ts'
import type { MessageCursor } from '../read/message-cursor.ts'
import type { LaneRange, LaneReader, RestoreHistory, RestoreLane } from './history.ts'
import type { LookBack } from './look-back.ts'

export type RestoreContext = DraftContext & {
  readonly definition: PipelineDefinition
  readonly history: RestoreHistory
  readonly stages: AdmittingStages
  readonly allLanes: readonly RestoreLane[]
  readonly lookBack: LookBack
  /** Goes on with what the topics have, although windows will miss some of it. */
  readonly acceptShort: boolean
  /** Ordinals begin at 0 instead of those that were published. */
  readonly renumber: boolean
  /** Messages of a lane behind its committed offset that may fill holes. */
  readonly uncommittedMax: number
  /** Rows held at once. */
  readonly rowsMax: number
  readonly noteEvents: (events: number) => void
}

export type PassLane = LaneRange & {
  readonly reader: LaneReader
  readonly cursor: MessageCursor
}

export type PassContext = RestoreContext & {
  readonly lanes: readonly PassLane[]
  /** Those that the pass still lays out. */
  readonly buckets: ReadonlyMap<number, BucketDraft>
  /** The draft that takes the key's rows; null where this pass leaves its bucket alone. */
  readonly bucketOf: (key: string) => BucketDraft | null
}
