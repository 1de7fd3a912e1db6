// The input port: who owns which lanes, and their messages as the broker has them.
//
// Implemented by adapters/kafka/lanes/lane-consumer.ts. Fetching is decoupled from processing:
// messages are handed over as they come and `pause` holds back more. Invariant: after `seek` the
// next messages of the lane start at that offset or behind it with nothing between left out; what
// was fetched before the seek is never delivered.

import type { RawMessage, Stream } from '../pipeline/records.ts'

/** One input partition. */
export type LaneAddress = {
  readonly laneId: number
  readonly stream: Stream
  readonly topic: string
  readonly partition: number
}

export type Fetched = {
  readonly messages: readonly RawMessage[]
  /** Offset behind the fetch, control records included: where the next fetch starts. */
  readonly nextOffset: number
  /** Offset behind the last message that readers may see in the topic. */
  readonly endOffset: number
}

export type LaneInputEvents = {
  /** The whole new assignment; it replaces the one before. Nothing is fetched until seek. */
  readonly assigned: (lanes: readonly LaneAddress[]) => void
  /** The assignment is gone: stop at once, the next owner's fence rejects what is in flight. */
  readonly revoked: (reason: string) => void
  readonly fetched: (laneId: number, fetched: Fetched) => void
  readonly crashed: (error: Error) => void
}

export type LaneInput = {
  readonly start: (events: LaneInputEvents) => Promise<void>
  /** Begins to fetch at this offset, also after pause. */
  readonly seek: (address: LaneAddress, offset: number) => void
  readonly pause: (address: LaneAddress) => void
  readonly resume: (address: LaneAddress) => void
  readonly stop: () => Promise<void>
}

/** Even ids for transactions, odd ones for labels: stable, and small enough for a source number. */
export const laneIdOf = (stream: Stream, partition: number): number =>
  partition * 2 + (stream === 'labels' ? 1 : 0)

/** The offsets of a lane that are processed, [from, to); a live lane has no such bounds. */
export type LaneBounds = (laneId: number) => { readonly from: number; readonly to: number }
