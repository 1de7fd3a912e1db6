// One lane: an input partition's queue, its place in the stream and its own small memory.
//
//   claiming ──► active ──► doubtful ──► claiming ...         released: given to another scorer
//
// In: fetched messages. Out: arrivals, admitted in chunks just before they are needed, so that few
// decoded events are alive at a time. Refused: messages that do not follow on what the lane has.
// Invariants: the queue is a gapless stretch of the partition that starts where the last batch
// ended; memory (highest event time, brake) has seen exactly the events before it.

import { limits } from '../core/limits.ts'
import type { Admission } from '../pipeline/pipeline.ts'
import { freshMemory } from '../pipeline/publish/lane-metadata.ts'
import type { LaneTally } from '../pipeline/publish/publish.ts'
import type { Arrival, Brake, RawMessage } from '../pipeline/records.ts'
import { LaneClock } from './lane-clock.ts'
import type { Fetched, LaneAddress } from './lane-input.ts'

type LaneStatus = 'claiming' | 'active' | 'learning' | 'doubtful' | 'released'

/** Messages decoded at a time: enough to amortise, few enough to die young. */
const ADMIT_CHUNK = 256

export class Lane {
  readonly address: LaneAddress
  status: LaneStatus = 'claiming'
  epoch = 0
  /** Highest event time of all events taken so far, ms. */
  watermarkMs = -1
  brake: Brake = freshMemory().brake
  /** What the last batch commits; the queue starts there. */
  fromOffset = 0
  /** Where the next fetch starts. */
  fetchOffset = 0
  endOffset = 0
  isPaused = false
  /**
   * A schema is being asked for the first time: the answer is near, and others had better wait for
   * it.
   */
  isAsking = false
  /** Batches on their way that hold events of this lane. */
  batchesInFlight = 0
  /** Deliveries whose outcome only the committed offset can tell. */
  doubts: { readonly lastOffset: number; readonly tally: LaneTally }[] = []
  committedOffset = 0
  /** Whether the group has an offset of it; else `committedOffset` is where the lane begins. */
  hasCommitted = false
  readonly clock: LaneClock
  /** What failed last, for whoever has to tell why the lane is stuck. */
  lastFault: string | null = null

  private raw: RawMessage[] = []
  private rawIndex = 0
  private admitted: readonly Arrival[] = []
  private admittedIndex = 0
  private queuedBytes = 0
  /** Event or label time of the next arrival, for merging; kept as the head changes. */
  private headTimeMs = 0

  /** @param nowMs of the clock that the watchdog goes by. */
  constructor(address: LaneAddress, nowMs = 0) {
    this.address = address
    this.clock = new LaneClock(nowMs)
  }

  /** Starts afresh at what is committed. */
  begin(start: {
    offset: number
    endOffset: number
    hasCommitted: boolean
    watermarkMs: number
    brake: Brake
  }): void {
    this.raw = []
    this.rawIndex = 0
    this.admitted = []
    this.admittedIndex = 0
    this.queuedBytes = 0
    this.headTimeMs = start.watermarkMs
    this.fromOffset = start.offset
    this.fetchOffset = start.offset
    this.committedOffset = start.offset
    this.hasCommitted = start.hasCommitted
    this.endOffset = Math.max(start.endOffset, start.offset)
    this.watermarkMs = start.watermarkMs
    this.brake = start.brake
    this.isPaused = false
  }

  accept({ messages, nextOffset, endOffset }: Fetched): void {
    if (this.rawIndex > 0) {
      this.raw = this.raw.slice(this.rawIndex)
      this.rawIndex = 0
    }
    for (const message of messages) {
      if (message.offset < this.fetchOffset) continue
      this.raw.push(message)
      this.queuedBytes += sizeOf(message)
    }
    this.fetchOffset = nextOffset
    this.endOffset = Math.max(this.endOffset, endOffset)
  }

  get queuedEvents(): number {
    return this.raw.length - this.rawIndex + this.admitted.length - this.admittedIndex
  }

  get isFull(): boolean {
    return (
      this.queuedEvents >= limits.laneQueueEventsMax || this.queuedBytes >= limits.laneQueueBytesMax
    )
  }

  get isHalfEmpty(): boolean {
    return (
      this.queuedEvents < limits.laneQueueEventsMax / 2 &&
      this.queuedBytes < limits.laneQueueBytesMax / 2
    )
  }

  /**
   * What the store is told: a lane that begins in the middle of its topic and dies before its first
   * commit has lost nothing, and must not look as if it had.
   */
  get toldOffset(): number {
    return this.hasCommitted ? this.committedOffset : 0
  }

  /** Nothing is queued and nothing is left in the topic: nobody has to wait for this lane. */
  get isCaughtUp(): boolean {
    return this.queuedEvents === 0 && this.fetchOffset >= this.endOffset
  }

  /** Makes the next arrival ready; the schema ids to learn first, or null. */
  admitNext(admit: (messages: readonly RawMessage[]) => Admission): ReadonlySet<number> | null {
    if (this.admittedIndex < this.admitted.length || this.rawIndex >= this.raw.length) return null
    const chunk = this.raw.slice(this.rawIndex, this.rawIndex + ADMIT_CHUNK)
    const admission = admit(chunk)
    if (admission.missingIds !== null) return admission.missingIds
    this.rawIndex += chunk.length
    this.admitted = admission.arrivals
    this.admittedIndex = 0
    this.readHead()
    return null
  }

  get hasHead(): boolean {
    return this.admittedIndex < this.admitted.length
  }

  /** Time by which the head is merged: event time, label time, or its predecessor's if rejected. */
  get headMs(): number {
    return this.headTimeMs
  }

  /**
   * Nothing earlier is to come from this lane, late events aside: what other processes may run to.
   */
  get frontierMs(): number {
    return this.hasHead ? Math.max(this.watermarkMs, this.headTimeMs) : this.watermarkMs
  }

  /** Takes the head and moves the watermark; returns its lateness too, in ms. */
  take(): { arrival: Arrival; latenessMs: number } {
    const arrival = this.admitted[this.admittedIndex++]!
    this.queuedBytes -= sizeOf(arrival.raw)
    const timeMs = timeOf(arrival)
    const latenessMs = timeMs === null ? 0 : Math.max(0, this.watermarkMs - timeMs)
    if (timeMs !== null && timeMs > this.watermarkMs) this.watermarkMs = timeMs
    if (this.admittedIndex < this.admitted.length) this.readHead()
    return { arrival, latenessMs }
  }

  private readHead(): void {
    const timeMs = timeOf(this.admitted[this.admittedIndex]!)
    if (timeMs !== null) this.headTimeMs = timeMs
  }
}

const sizeOf = ({ value, key }: RawMessage): number => (value?.length ?? 0) + (key?.length ?? 0)

/** What a rejection of it would carry at most: the key stands in the record's value once more. */
export const publishedSizeOf = (message: RawMessage): number =>
  sizeOf(message) + (message.key?.length ?? 0)

function timeOf({ transaction, label }: Arrival): number | null {
  if (transaction !== null) return transaction.eventTime
  return label === null ? null : label.labelTime
}
