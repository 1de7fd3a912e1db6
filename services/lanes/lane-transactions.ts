// The output port of the lanes: a publisher whose lanes have to be opened first.
//
// Implemented by adapters/kafka/lanes/lane-transactions.ts. `open` fences whoever delivered for the
// lane before, then reads what is committed: in this order, so that nothing can be committed after
// the reading. A lane whose delivery was in doubt delivers nothing more until it is opened again.

import type { Publisher } from '../pipeline/publish/publisher.ts'
import type { LaneAddress } from './lane-input.ts'

export type OpenedLane = {
  /** Offset of the next event to process. */
  readonly nextOffset: number
  /** The lane's memory from the last commit; null before the first one. */
  readonly metadata: string | null
  /** Offset behind the last message of the topic at the time of opening. */
  readonly endOffset: number
}

export type LaneTransactions = Publisher & {
  readonly open: (address: LaneAddress) => Promise<OpenedLane>
  readonly release: (laneId: number) => Promise<void>
  readonly close: () => Promise<void>
}
