// When scored events become visible to a reader of committed records.
//
// In: the scored topic. Out: each record with the moment at which the consumer had it in hand,
// before decoding. Refused: a consumer that crashes for good. Invariants: a fetch waits at most 10
// ms at the broker and returns at the first byte, so the consumer's own delay is that of its
// requests; it has its place at the end of every partition before start() resolves.

import type { BenchEnvironment } from '../environment/bench-environment.ts'

type VisibleRecords = {
  readonly failed: Promise<never>
  readonly stop: () => Promise<void>
}

const fetchWaitMs = 10

export async function watchRecords(
  { kafka, definition, groupId, partitions }: BenchEnvironment,
  onRecords: (values: readonly (Buffer | null)[], visibleMs: number) => void,
): Promise<VisibleRecords> {
  const consumer = kafka.consumer({
    groupId: `${groupId}-reader`,
    maxWaitTimeInMs: fetchWaitMs,
    minBytes: 1,
    readUncommitted: false,
    allowAutoTopicCreation: false,
  })
  await consumer.connect()
  // The topic is empty as yet, so its beginning is its end.
  await consumer.subscribe({ topic: definition.topics.scored, fromBeginning: true })
  const { promise: joined, resolve: joins } = Promise.withResolvers<void>()
  const { promise: failed, reject: fail } = Promise.withResolvers<never>()
  failed.catch(() => undefined)
  consumer.on(consumer.events.GROUP_JOIN, () => joins())
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!payload.restart) fail(payload.error)
  })
  await consumer.run({
    autoCommit: false,
    partitionsConsumedConcurrently: partitions,
    eachBatch: async ({ batch }) => {
      const visibleMs = performance.timeOrigin + performance.now()
      onRecords(
        batch.messages.map(({ value }) => value),
        visibleMs,
      )
    },
  })
  await Promise.race([joined, failed])
  return { failed, stop: () => consumer.disconnect() }
}
