// Creates topics and waits until they can be used. In: an admin connection and kafkajs' topic
// configurations. Out: whether any was new, as from kafkajs' createTopics.
//
// kafkajs' own `waitForLeaders` gives up at once where a KRaft broker answers "does not host this
// topic-partition" because it has not caught up with the controller yet, which a busy machine
// shows; and a broker that names itself as the leader may still refuse to act as one. Refused:
// topics that are not there in time, as WEIR_KAFKA_AWAY.

import { setTimeout as sleep } from 'node:timers/promises'
import type * as Kafkajs from 'kafkajs'
import { WeirError } from '../../../core/errors.ts'
import { limits } from '../../../core/limits.ts'
import type { Admin, ITopicConfig } from '../client/kafka-client.ts'

/** With pauses that double from here to limits.retryPauseMsMax: half a minute. */
const firstPauseMs = 20
const attemptsMax = 34

export async function createTopics(
  admin: Admin,
  topics: readonly ITopicConfig[],
  validateOnly = false,
): Promise<boolean> {
  const isNew = await admin.createTopics({
    topics: [...topics],
    validateOnly,
    waitForLeaders: false,
  })
  if (!validateOnly) {
    await waitForTopics(
      admin,
      topics.map(({ topic }) => topic),
    )
  }
  return isNew
}

/** Resolves when every partition of the topics has a leader, and the leader answers for it. */
export async function waitForTopics(admin: Admin, topics: readonly string[]): Promise<void> {
  let cause: unknown
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    try {
      const found = await admin.fetchTopicMetadata({ topics: [...topics] })
      if (found.topics.every(hasLeaders)) {
        await Promise.all(topics.map((topic) => admin.fetchTopicOffsets(topic)))
        return
      }
    } catch (error) {
      if (!isNotThereYet(error)) throw error
      cause = error
    }
    await sleep(Math.min(firstPauseMs * 2 ** attempt, limits.retryPauseMsMax))
  }
  throw new WeirError('WEIR_KAFKA_AWAY', `Topics without leaders: ${topics.join(', ')}.`, { cause })
}

const hasLeaders = ({ partitions }: Kafkajs.ITopicMetadata): boolean =>
  partitions.length > 0 && partitions.every(({ leader }) => leader >= 0)

const notThereYet = [
  'UNKNOWN_TOPIC_OR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
]

const isNotThereYet = (error: unknown): boolean =>
  notThereYet.includes(String((error as { type?: unknown }).type))
