// From a batch's tallies to happenings: what was committed or given up, lag, latency, lateness.

import type { Clock } from '../core/clock.ts'
import type { Observe } from '../pipeline/observe/happenings.ts'
import type { LaneTally } from '../pipeline/publish/publish.ts'
import type { Batch } from '../pipeline/records.ts'
import type { Lane } from './lane.ts'

/** Upper ends of the lateness buckets, ms; the last one is open. */
export const latenessBucketsMs = [0, 1000, 10_000, 60_000, 600_000, 3_600_000, 86_400_000] as const

type ObserveDeps = { readonly observe: Observe; readonly clock: Clock }

/** `tallies` null = the whole batch was given up. */
export function observeTallies(
  batch: Batch,
  lanes: readonly Lane[],
  tallies: readonly LaneTally[] | null,
  { observe, clock }: ObserveDeps,
): void {
  const events = countByLane(batch)
  for (let i = 0; i < lanes.length; i++) {
    const lane = lanes[i]!
    const { stream, partition } = lane.address
    const tally = tallies?.[i]
    if (tally === undefined || tally.outcome !== 'committed') {
      observe({ kind: 'abandoned', stream, partition, events: events[i]! })
      continue
    }
    lane.committedOffset = batch.lanes[i]!.lastOffset + 1
    const { scored, labels, diverted, review, block, braked, rejected, samples } = tally
    const { committedOffset } = lane
    const flagged = { review, block }
    observe({
      kind: 'committed',
      stream,
      partition,
      scored,
      labels,
      diverted,
      flagged,
      braked,
      rejected,
      samples,
      committedOffset,
    })
    const lag = Math.max(0, lane.endOffset - committedOffset)
    observe({ kind: 'lag', stream, partition, events: lag })
  }
  if (tallies !== null) observeTimes(batch, observe, clock)
}

/** Counted when a batch sets out: received = committed + given up + in flight, at every moment. */
export function observeReceived(batch: Batch, observe: Observe): void {
  const counts = countByLane(batch)
  for (let i = 0; i < batch.lanes.length; i++) {
    observe({ kind: 'received', stream: batch.lanes[i]!.stream, events: counts[i]! })
  }
}

function observeTimes(batch: Batch, observe: Observe, clock: Clock): void {
  const nowMs = clock.nowMs()
  let oldestMs = 0
  let newestMs = Number.POSITIVE_INFINITY
  const bucketCounts = new Array<number>(latenessBucketsMs.length + 1).fill(0)
  for (let i = 0; i < batch.arrivals.length; i++) {
    const ageMs = nowMs - batch.arrivals[i]!.raw.brokerTimeMs
    oldestMs = Math.max(oldestMs, ageMs)
    newestMs = Math.min(newestMs, ageMs)
    const lateness = batch.latenessMs[i]!
    const bucket = latenessBucketsMs.findIndex((end) => lateness <= end)
    bucketCounts[bucket < 0 ? latenessBucketsMs.length : bucket]!++
  }
  observe({ kind: 'latency', oldestMs, newestMs, events: batch.arrivals.length })
  observe({ kind: 'lateness', bucketCounts })
}

function countByLane(batch: Batch): Uint32Array {
  const counts = new Uint32Array(batch.lanes.length)
  for (const laneIndex of batch.laneIndexes) counts[laneIndex]!++
  return counts
}
