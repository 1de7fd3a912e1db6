// A topic read from its beginning to its end, as a consumer that sees committed records only.
//
// In: a topic and what to do with its messages. Out: nothing, once every partition has been read up
// to where it ended when the reading began. Refused: a topic that delivers nothing for a while;
// what the caller's function throws ends the reading. Invariant: each record once, a partition's in
// order.

import { createLaneConsumer } from '../../../services/adapters/kafka/lanes/lane-consumer.ts'
import { laneIdOf } from '../../../services/lanes/lane-input.ts'
import type { RawMessage } from '../../../services/pipeline/records.ts'
import type { BenchEnvironment } from '../environment/bench-environment.ts'

type ReadTopicOptions = {
  readonly place: Pick<BenchEnvironment, 'kafka' | 'admin' | 'prefix'>
  readonly topic: string
  readonly onMessages: (partition: number, messages: readonly RawMessage[]) => void
}

type Reach = { readonly partition: number; next: number; readonly end: number }

const silenceMsMax = 60_000

export async function readTopic({ place, topic, onMessages }: ReadTopicOptions): Promise<void> {
  const { kafka, admin, prefix } = place
  const reaches = new Map<number, Reach>()
  for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
    const reach = { partition, next: Number(low), end: Number(high) }
    reaches.set(laneIdOf('transactions', partition), reach)
  }
  const isRead = () => [...reaches.values()].every(({ next, end }) => next >= end)
  if (isRead()) return
  const { promise: done, resolve, reject } = Promise.withResolvers<void>()
  const silence = setTimeout(() => {
    reject(new Error(`topic ${topic} delivered nothing for ${silenceMsMax / 1_000} s`))
  }, silenceMsMax)
  const groupId = `${prefix}reader-of-${topic}`
  const input = createLaneConsumer({ kafka, groupId, topics: [{ topic, stream: 'transactions' }] })
  await input.start({
    assigned: (lanes) => {
      for (const lane of lanes) input.seek(lane, reaches.get(lane.laneId)!.next)
    },
    revoked: () => undefined,
    fetched: (laneId, { messages, nextOffset }) => {
      silence.refresh()
      const reach = reaches.get(laneId)!
      try {
        if (messages.length > 0) onMessages(reach.partition, messages)
      } catch (error) {
        reject(error)
      }
      reach.next = nextOffset
      if (isRead()) resolve()
    },
    crashed: reject,
  })
  try {
    await done
  } finally {
    clearTimeout(silence)
    await input.stop()
    await admin.deleteGroups([groupId]).catch(() => undefined)
  }
}
