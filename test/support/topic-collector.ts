// Everything that readers can see in some topics, collected as it comes.
//
// In: topics. Out: their committed records in the order of each partition. `untilEnd` waits until
// the collector has passed what was the end of every partition when it was called, control records
// included: what is not there then was never committed.

import type { Kafka } from '../../services/adapters/kafka/client/kafka-client.ts'
import { uniqueName } from './stack.ts'
import { waitFor } from './wait-for.ts'

export type CollectedRecord = {
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
}

export type TopicCollector = {
  readonly records: (topic: string) => readonly CollectedRecord[]
  readonly untilEnd: () => Promise<void>
  readonly close: () => Promise<void>
}

export async function collectTopics(
  kafka: Kafka,
  topics: readonly string[],
): Promise<TopicCollector> {
  const records = new Map<string, CollectedRecord[]>(topics.map((topic) => [topic, []]))
  /** Offset behind what was read, by topic and partition. */
  const passed = new Map<string, number>()
  const admin = kafka.admin()
  const consumer = kafka.consumer({
    groupId: uniqueName('collect'),
    maxWaitTimeInMs: 50,
    allowAutoTopicCreation: false,
  })
  await admin.connect()
  await consumer.connect()
  await consumer.subscribe({ topics: [...topics], fromBeginning: true })
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
    const place = `${payload.topic}/${payload.partition}`
    // A partition where nothing is visible yet reports no last offset.
    const behind = Number(payload.lastOffset ?? -1) + 1
    passed.set(place, Math.max(passed.get(place) ?? 0, behind))
  })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      const collected = records.get(batch.topic)!
      for (const { offset, timestamp, key, value } of batch.messages) {
        collected.push({
          partition: batch.partition,
          offset: Number(offset),
          timestampMs: Number(timestamp),
          key,
          value,
        })
      }
    },
  })

  const untilEnd = async (): Promise<void> => {
    for (const topic of topics) {
      for (const { partition, high } of await admin.fetchTopicOffsets(topic)) {
        const place = `${topic}/${partition}`
        const isPassed = () => (passed.get(place) ?? 0) >= Number(high)
        await waitFor(isPassed, () => `${place} at ${passed.get(place) ?? 0}, its end is ${high}`)
      }
    }
  }

  return {
    records: (topic) => records.get(topic)!,
    untilEnd,
    close: async () => {
      await consumer.disconnect()
      await admin.disconnect()
    },
  }
}
