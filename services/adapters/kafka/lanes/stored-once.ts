// Whether all that was sent was stored, once: kafkajs' own answer held against what was asked.
//
// kafkajs keeps answers by broker. When one broker fails while another has answered, and partitions
// change their leader before the retry, then a partition that moved to the other broker is never
// sent (that broker "has answered"), and one that moved away from it is sent twice
// (sendMessages.js). Both times the send succeeds. In: the messages and the answer. Refused: a
// partition that was not answered exactly once. Invariant: what passes here stands once in the open
// transaction.

import type { RecordMetadata, TopicMessages } from '../client/kafka-client.ts'

export function demandStoredOnce(
  topicMessages: readonly TopicMessages[],
  answer: readonly RecordMetadata[],
): void {
  const answers = new Map<string, number>()
  for (const { topicName, partition } of answer) {
    const name = `${topicName}/${partition}`
    answers.set(name, (answers.get(name) ?? 0) + 1)
  }
  const asked = new Set(
    topicMessages.flatMap(({ topic, messages }) =>
      messages.map(({ partition }) => `${topic}/${partition}`),
    ),
  )
  for (const name of asked) {
    const times = answers.get(name) ?? 0
    if (times !== 1) {
      throw new Error(
        `${name} was stored ${times} times, expected once: its leader moved meanwhile`,
      )
    }
  }
}
