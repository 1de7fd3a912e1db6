// Where the partitions of a topic begin and end, and where a moment lies in them.
//
// In: a client and a topic. Out: offsets as numbers, from a connection of its own that is closed
// again. Refused: a topic or brokers that do not answer, as askBroker says. `high` is the end of
// what is written, open transactions included: whoever reads up to it waits until those have ended.

import { setTimeout as pause } from 'node:timers/promises'
import { limits } from '../../../core/limits.ts'
import { type Kafka, kafkajs } from '../client/kafka-client.ts'
import { withAdmin } from '../client/with-admin.ts'

export type PartitionBounds = {
  readonly partition: number
  /** Offset of the first record that is still there; equals `high` where there is none. */
  readonly low: number
  /** Offset behind the last record. */
  readonly high: number
}

/** All partitions of the topic in their order. */
export function partitionBounds(kafka: Kafka, topic: string): Promise<PartitionBounds[]> {
  return withAdmin(kafka, async (admin) => {
    const found = await admin.fetchTopicOffsets(topic)
    return found
      .map(({ partition, low, high }) => ({ partition, low: Number(low), high: Number(high) }))
      .sort((a, b) => a.partition - b.partition)
  })
}

/**
 * By partition, the offset of the first record whose broker time is not before `timestampMs`; the
 * partition's end where there is none.
 */
export function offsetsAtTime(
  kafka: Kafka,
  topic: string,
  timestampMs: number,
): Promise<Map<number, number>> {
  return withAdmin(kafka, async (admin) => {
    const found = await admin.fetchTopicOffsetsByTimestamp(topic, timestampMs)
    return new Map(found.map(({ partition, offset }) => [partition, Number(offset)]))
  })
}

type CommittedPosition = { readonly offset: number; readonly metadata: string }

/**
 * What a group has committed, by partition: the offset of the next event; -1 for nothing. A group
 * that was just made, or whose coordinator has moved, is asked again: kafkajs does not do that
 * here.
 */
export function committedPositions(
  kafka: Kafka,
  groupId: string,
  topic: string,
): Promise<Map<number, CommittedPosition>> {
  return withAdmin(kafka, async (admin) => {
    for (let attempt = 1; ; attempt++) {
      try {
        const [found] = await admin.fetchOffsets({ groupId, topics: [topic] })
        const partitions = found?.partitions ?? []
        return new Map(
          partitions.map(({ partition, offset, metadata }) => [
            partition,
            { offset: Number(offset), metadata: metadata ?? '' },
          ]),
        )
      } catch (error) {
        const isPassing = error instanceof kafkajs.KafkaJSProtocolError && error.retriable
        if (!isPassing || attempt === limits.retryAttemptsMax) throw error
        await pause(Math.min(limits.retryPauseMsMax, FIRST_PAUSE_MS * 2 ** attempt))
      }
    }
  })
}

const FIRST_PAUSE_MS = 50
