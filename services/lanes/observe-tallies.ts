// From a batch's tallies to signals: what was committed or given up, lag, latency, lateness.
//
// Invariant: every event that was observed as received is observed once more, as committed or as
// abandoned; a delivery in doubt waits for the committed offset to tell which.

import type { Clock } from '../core/clock.ts'
import { flaggedShare } from '../pipeline/decide/decide.ts'
import { countLateness } from '../pipeline/observe/lateness-buckets.ts'
import type { Observe } from '../pipeline/observe/signals.ts'
import type { LaneTally } from '../pipeline/publish/publish.ts'
import type { Batch } from '../pipeline/records.ts'
import type { Lane } from './lane.ts'

type ObserveDeps = { readonly observe: Observe; readonly clock: Clock }

/** One lane's share of a batch that readers can see now. */
export function observeCommitted(lane: Lane, tally: LaneTally, observe: Observe): void {
  const { stream, partition } = lane.address
  const { scored, labels, diverted, skipped, review, block, braked, rejected, samples } = tally
  const { committedOffset } = lane
  const flagged = { review, block }
  const outcomes = { scored, labels, diverted, skipped, flagged, braked, rejected, samples }
  observe({ kind: 'committed', stream, partition, ...outcomes, committedOffset })
  if (braked > 0) observe({ kind: 'braked', partition, share: flaggedShare(lane.brake) })
  observeLag(lane, observe)
}

/** Told when the lane sets out, not when its claim is through: by then it may be another's. */
export function observeClaimed(lane: Lane, durationMs: number, observe: Observe): void {
  const { epoch, committedOffset } = lane
  const { stream, partition } = lane.address
  observe({ kind: 'lane_claimed', stream, partition, epoch, committedOffset, durationMs })
}

export function observeLag({ address, endOffset, committedOffset }: Lane, observe: Observe): void {
  const { stream, partition } = address
  observe({ kind: 'lag', stream, partition, events: Math.max(0, endOffset - committedOffset) })
}

/** One lane's share of a batch that was given up; its events are read again. */
export function observeAbandoned({ address }: Lane, events: number, observe: Observe): void {
  const { stream, partition } = address
  observe({ kind: 'abandoned', stream, partition, events })
}

/** Counted when a batch sets out: received = committed + given up + in flight, at every moment. */
export function observeReceived({ address }: Lane, events: number, observe: Observe): void {
  observe({ kind: 'received', stream: address.stream, events })
}

/** Age at commit of a batch's oldest and newest event, and how late its events were. */
export function observeTimes(batch: Batch, { observe, clock }: ObserveDeps): void {
  const nowMs = clock.nowMs()
  let oldestMs = 0
  let newestMs = Number.POSITIVE_INFINITY
  for (const { raw } of batch.arrivals) {
    const ageMs = nowMs - raw.brokerTimeMs
    oldestMs = Math.max(oldestMs, ageMs)
    newestMs = Math.min(newestMs, ageMs)
  }
  observe({ kind: 'latency', oldestMs, newestMs, events: batch.arrivals.length })
  observe({ kind: 'lateness', bucketCounts: countLateness(batch.latenessMs) })
}

export function countByLane(batch: Batch): Uint32Array {
  const counts = new Uint32Array(batch.lanes.length)
  for (const laneIndex of batch.laneIndexes) counts[laneIndex]!++
  return counts
}
