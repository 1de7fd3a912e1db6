// Lateness of a batch as counts, so that one signal covers the batch.
//
// In: the batch's latenessMs column (>= 0). Out: events per bucket, one more bucket than bounds;
// the last one holds what is later than every bound. Refuses nothing. Invariant: the counts add up
// to the number of events.

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Upper bounds, inclusive. Bucket 0 is "in order"; 10 minutes is the usual `late.allowed`. */
export const latenessBoundsMs = [0, SECOND, 10 * SECOND, MINUTE, 10 * MINUTE, HOUR, DAY] as const

/** Name of each bucket, as it stands in the metric's label. */
export const latenessBuckets = [
  'in_order',
  'up_to_1s',
  'up_to_10s',
  'up_to_1m',
  'up_to_10m',
  'up_to_1h',
  'up_to_1d',
  'over_1d',
] as const

export function countLateness(latenessMs: Float64Array): number[] {
  const bucketCounts = new Array<number>(latenessBuckets.length).fill(0)
  for (const value of latenessMs) {
    let bucket = 0
    while (bucket < latenessBoundsMs.length && value > latenessBoundsMs[bucket]!) bucket++
    bucketCounts[bucket]!++
  }
  return bucketCounts
}
