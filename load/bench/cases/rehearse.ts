// A drain that nobody counts, so that the measured one meets a broker that is warm.
//
// In: a place and how many events (0 = none). Out: nothing; the rehearsal's topics and keys are
// gone again. Why: a broker in service has been running for days, while one just started spends
// more on compiling itself than on Kafka, on the cores that the scorer needs (measured: half of its
// CPU during a first drain of 300,000 events). Invariant: the scorers are other processes than the
// measured ones, which start cold.

import { type BenchEnvironment, usePlace } from '../environment/bench-environment.ts'
import { prefill } from '../environment/prefill-environment.ts'
import { drainBacklog } from './drain-backlog.ts'

export async function rehearse(
  { stack, pipelineFile }: BenchEnvironment,
  events: number,
  say: (line: string) => void,
): Promise<void> {
  if (events === 0) return
  say(`rehearsing with ${events} transactions`)
  await usePlace(stack, pipelineFile, async (place) => {
    await prefill(place, events)
    await drainBacklog(place, { events, processes: 1 })
  })
}
