// Several lanes' queues merged by event time into one micro-batch.
//
// Why: under backlog, lanes drain at different speeds, and a terminal's window would miss what
// another lane has not applied yet. So the earliest head of all lanes goes first, and when a lane
// runs dry that still has events in the topic, the batch ends: its next event might be the
// earliest. In: lanes. Out: a batch, or what is being waited for. A lane's own order never changes.
// Invariant: with one process and complete queues, the merged order is the order of event time.

import { limits } from '../core/limits.ts'
import type { Admission } from '../pipeline/pipeline.ts'
import type { Arrival, Batch, LaneSlice, RawMessage, Stream } from '../pipeline/records.ts'
import { type Lane, publishedSizeOf } from './lane.ts'

export type MergeResult =
  | {
      readonly kind: 'batch'
      readonly batch: Batch
      readonly lanes: readonly Lane[]
      readonly bytes: number
    }
  /** Nothing is queued anywhere. */
  | { readonly kind: 'empty' }
  /** Events are queued, but a lane that may hold earlier ones has not delivered them yet. */
  | { readonly kind: 'held_back' }
  /** A lane needs schema ids from the registry before it can go on. */
  | { readonly kind: 'unknown_schema'; readonly lane: Lane; readonly ids: ReadonlySet<number> }

export type MergeOptions = {
  readonly admit: (stream: Stream, messages: readonly RawMessage[]) => Admission
  /** Events of a batch at most: batchEventsFor the pipeline. */
  readonly eventsMax: number
  /** Heads later than this wait for lanes of other processes, ms. */
  readonly untilMs: number
  /** Goes on although a lane is dry: waited long enough. */
  readonly ignoreDry: boolean
}

type Draft = {
  readonly arrivals: Arrival[]
  readonly laneOf: number[]
  readonly lateness: number[]
  bytes: number
}

export function mergeLanes(lanes: readonly Lane[], options: MergeOptions): MergeResult {
  const active = lanes.filter(({ status }) => status === 'active')
  for (const lane of active) {
    const ids = lane.admitNext((messages) => options.admit(lane.address.stream, messages))
    if (ids !== null) return { kind: 'unknown_schema', lane, ids }
  }
  const isDry = (lane: Lane): boolean => !lane.hasHead && !lane.isCaughtUp
  const hasDry = active.some(isDry) || lanes.some(({ isAsking }) => isAsking)
  if (!active.some((lane) => lane.hasHead)) return { kind: 'empty' }
  if (hasDry && !options.ignoreDry) return { kind: 'held_back' }
  const draft: Draft = { arrivals: [], laneOf: [], lateness: [], bytes: 0 }
  const missing = fillDraft(draft, active, options)
  if (draft.arrivals.length > 0) return finishBatch(draft, active)
  return missing ?? { kind: 'held_back' }
}

function fillDraft(
  draft: Draft,
  lanes: readonly Lane[],
  options: MergeOptions,
): MergeResult | null {
  while (draft.arrivals.length < options.eventsMax && draft.bytes < limits.batchBytesMax) {
    const index = earliest(lanes)
    if (index < 0 || lanes[index]!.headMs > options.untilMs) return null
    const lane = lanes[index]!
    const { arrival, latenessMs } = lane.take()
    draft.arrivals.push(arrival)
    draft.laneOf.push(index)
    draft.lateness.push(latenessMs)
    draft.bytes += publishedSizeOf(arrival.raw)
    if (lane.hasHead) continue
    const ids = lane.admitNext((messages) => options.admit(lane.address.stream, messages))
    if (ids !== null) return { kind: 'unknown_schema', lane, ids }
    if (!lane.hasHead && !lane.isCaughtUp && !options.ignoreDry) return null
  }
  return null
}

function earliest(lanes: readonly Lane[]): number {
  let best = -1
  for (let i = 0; i < lanes.length; i++) {
    if (!lanes[i]!.hasHead) continue
    if (best < 0 || lanes[i]!.headMs < lanes[best]!.headMs) best = i
  }
  return best
}

/** Numbers the lanes that are in the batch, and moves each of them on. */
function finishBatch(draft: Draft, active: readonly Lane[]): MergeResult {
  const places = new Int32Array(active.length).fill(-1)
  const lanes: Lane[] = []
  const first: number[] = []
  const last: number[] = []
  const laneIndexes = new Uint16Array(draft.arrivals.length)
  for (let i = 0; i < draft.arrivals.length; i++) {
    const index = draft.laneOf[i]!
    if (places[index]! < 0) {
      places[index] = lanes.push(active[index]!) - 1
      first.push(draft.arrivals[i]!.raw.offset)
    }
    const place = places[index]!
    laneIndexes[i] = place
    last[place] = draft.arrivals[i]!.raw.offset
  }
  const slices = lanes.map((lane, i) => cutSlice(lane, first[i]!, last[i]!))
  const batch: Batch = {
    lanes: slices,
    arrivals: draft.arrivals,
    laneIndexes,
    latenessMs: Float64Array.from(draft.lateness),
    brakes: lanes.map(({ brake }) => brake),
  }
  return { kind: 'batch', batch, lanes, bytes: draft.bytes }
}

function cutSlice(lane: Lane, firstOffset: number, lastOffset: number): LaneSlice {
  const { laneId, stream, partition } = lane.address
  const slice = {
    laneId,
    stream,
    partition,
    epoch: lane.epoch,
    fromOffset: lane.fromOffset,
    committedOffset: lane.toldOffset,
    firstOffset,
    lastOffset,
    watermarkMs: lane.watermarkMs,
    frontierMs: lane.frontierMs,
    isIdle: lane.isCaughtUp,
  }
  lane.fromOffset = lastOffset + 1
  return slice
}
