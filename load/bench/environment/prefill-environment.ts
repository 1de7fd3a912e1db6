// The backlog of a run: the bench's world, written into the input topic.
//
// In: a place and how many transactions. Out: exactly so many records, partitioned by customer,
// each partition in the order of event time. Refused: a world that makes fewer. Invariant: the
// history ends in the past and is young enough for the pipeline's validate.ageMax, whatever today
// is.

import { dayMs } from '../../generator/options.ts'
import { prefillTopic } from '../../generator/prefill.ts'
import type { BenchEnvironment } from './bench-environment.ts'

/** A little under what 5,000 customers do a day, so that the days always suffice. */
const eventsPerDayMin = 9_000
/** A Thursday; histories start whole weeks from it, so that each has the same week days. */
const firstStartMs = Date.UTC(2026, 0, 1)
const weekMs = 7 * dayMs

export async function prefill(place: BenchEnvironment, events: number): Promise<void> {
  const days = Math.ceil(events / eventsPerDayMin) + 1
  const { acknowledged } = await prefillTopic({
    brokers: place.stack.kafkaBrokers,
    transactionsTopic: place.definition.topics.transactions,
    labelsTopic: null,
    schemaIds: place.schemaIds,
    generator: { count: events, days, startTimeMs: findStartMs(days, Date.now()) },
  })
  if (acknowledged !== events) throw new Error(`prefilled ${acknowledged}, expected ${events}`)
}

/** The latest start, whole weeks from the first one, from which so many days are over by now. */
export function findStartMs(days: number, nowMs: number): number {
  const weeks = Math.floor((nowMs - days * dayMs - firstStartMs) / weekMs)
  return firstStartMs + weeks * weekMs
}
