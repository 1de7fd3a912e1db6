// What is on its way: batches, and the events in them whose outcome is not known yet.
//
// In: batches that set out and land. Out: counts, and the moment when nothing is in the air.
// Refuses nothing. Invariant: every event that set out lands once, as committed or as given up.

import type { Stream } from '../pipeline/records.ts'
import type { Wake } from './wake.ts'

export type Flight = {
  readonly batches: () => number
  /** Events that have set out and whose outcome is not known yet. */
  readonly events: (stream: Stream) => number
  readonly setOut: () => void
  readonly landed: () => void
  readonly count: (stream: Stream, events: number) => void
  /** Resolves when no batch is on its way. */
  readonly untilEmpty: () => Promise<void>
}

const LOOK_MS = 1000

export function createFlight(wake: Wake): Flight {
  let batches = 0
  const events: Record<Stream, number> = { transactions: 0, labels: 0 }
  return {
    batches: () => batches,
    events: (stream) => events[stream],
    setOut: () => void batches++,
    landed: () => void batches--,
    count: (stream, count) => {
      events[stream] += count
    },
    untilEmpty: async () => {
      while (batches > 0) await wake.wait(LOOK_MS)
    },
  }
}
