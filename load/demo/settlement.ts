// The books of a demo, closed: what went in against what came out, from the topics themselves.
//
// In: the generator's acknowledged messages, the totals that readers see, what the group has
// committed, the scorer's own books. Out: the settlement, and in words what is wrong with it.
// Invariant: received and outcomes are counted by two parties that know nothing of the scorer; the
// scorer's own books are a third, and have to say the same.

import type { Kafka } from '../../services/adapters/kafka/client/kafka-client.ts'
import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'
import { type Counts, countReceived } from '../generator/counts.ts'
import type { StreamCounts } from '../scorer/scorer-process.ts'
import type { Totals } from './outcome-watch.ts'

export type Settlement = {
  readonly received: number
  readonly scored: number
  readonly rejected: number
  readonly diverted: number
  /** received - scored - rejected - diverted; 0 or something is wrong. */
  readonly difference: number
  /** Messages of the input topics that the group has not committed. */
  readonly lag: number
  readonly flagged: number
  readonly alerts: number
  readonly labels: number
}

export function settle(sent: Counts, seen: Totals, lag: number): Settlement {
  const received = countReceived(sent)
  const { scored, rejected, diverted, flagged, alerts } = seen
  const difference = received - scored - rejected - diverted
  return {
    received,
    scored,
    rejected,
    diverted,
    difference,
    lag,
    flagged,
    alerts,
    labels: sent.labels,
  }
}

/** Empty where all is well. `books` is null where the scorer could not be asked. */
export function findFaults(settled: Settlement, books: StreamCounts | null): readonly string[] {
  const faults: string[] = []
  const { difference, lag, flagged, alerts } = settled
  if (difference !== 0) faults.push(`the difference is ${difference}, expected 0`)
  if (lag !== 0) faults.push(`${lag} messages are not committed, expected 0`)
  if (alerts !== flagged) faults.push(`${alerts} alerts for ${flagged} flagged events`)
  if (books === null) return [...faults, 'the scorer did not tell its own counts']
  for (const name of ['received', 'scored', 'rejected', 'diverted'] as const) {
    if (books[name] === settled[name]) continue
    faults.push(`${name}: the topics say ${settled[name]}, the scorer's books ${books[name]}`)
  }
  if (books.difference !== 0) faults.push(`the scorer's own difference is ${books.difference}`)
  return faults
}

export async function readLag(
  kafka: Kafka,
  groupId: string,
  { topics }: PipelineDefinition,
): Promise<number> {
  const inputs =
    topics.labels === null ? [topics.transactions] : [topics.transactions, topics.labels]
  const admin = kafka.admin()
  await admin.connect()
  try {
    const committed = await admin.fetchOffsets({ groupId, topics: inputs })
    let lag = 0
    for (const { topic, partitions } of committed) {
      for (const { partition, high, low } of await admin.fetchTopicOffsets(topic)) {
        const offset = Number(
          partitions.find((entry) => entry.partition === partition)?.offset ?? -1,
        )
        lag += Number(high) - Math.max(offset, Number(low))
      }
    }
    return lag
  } finally {
    await admin.disconnect()
  }
}
