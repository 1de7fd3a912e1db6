// How far a group has committed the input topics, asked of the broker and not of the scorer.

import type { Admin } from '../../services/adapters/kafka/client/kafka-client.ts'
import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'
import type { ScoringEnvironment } from './scoring-environment.ts'
import { waitFor } from './wait-for.ts'

/** Committed offset by partition; 0 where nothing is committed. */
export async function readCommitted(
  admin: Admin,
  groupId: string,
  topic: string,
): Promise<ReadonlyMap<number, number>> {
  // A coordinator that is just loading its groups has no answer yet; whoever waits asks again.
  const [found] = await admin
    .fetchOffsets({ groupId, topics: [topic] })
    .catch((error: { retriable?: boolean }) => {
      if (error.retriable !== true) throw error
      return []
    })
  return new Map(
    (found?.partitions ?? []).map(({ partition, offset }) => [
      partition,
      Math.max(0, Number(offset)),
    ]),
  )
}

export const sumOf = (offsets: ReadonlyMap<number, number>): number =>
  [...offsets.values()].reduce((sum, offset) => sum + offset, 0)

/** Waits until all that was in the input topics when it was called is committed. */
export async function untilCommitted({
  kafka,
  groupId,
  definition,
}: ScoringEnvironment): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  try {
    for (const topic of inputTopicsOf(definition)) {
      const ends = await admin.fetchTopicOffsets(topic)
      let committed: ReadonlyMap<number, number> = new Map()
      await waitFor(
        async () => {
          committed = await readCommitted(admin, groupId, topic)
          return ends.every(
            ({ partition, high }) => (committed.get(partition) ?? 0) >= Number(high),
          )
        },
        () => `${topic} committed to ${[...committed]}, ends ${JSON.stringify(ends)}`,
      )
    }
  } finally {
    await admin.disconnect()
  }
}

export function inputTopicsOf({ topics }: PipelineDefinition): readonly string[] {
  return topics.labels === null ? [topics.transactions] : [topics.transactions, topics.labels]
}
