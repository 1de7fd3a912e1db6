// The feed of the rollout on a real broker: each record once, whatever becomes of its group.

import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createKafka, type Kafka } from '../../services/adapters/kafka/client/kafka-client.ts'
import { createLaneConsumer } from '../../services/adapters/kafka/lanes/lane-consumer.ts'
import type { ScoredTransactionRecord } from '../../services/pipeline/publish/output-records.ts'
import type { Label } from '../../services/pipeline/records.ts'
import { graceMs } from '../../services/rollout/read-frontier.ts'
import { openScoredFeed } from '../../services/rollout/scored-feed.ts'
import { silentLogger } from '../support/silent-logger.ts'
import { testStack, uniqueName } from '../support/stack.ts'
import { waitFor } from '../support/wait-for.ts'

let kafka: Kafka
beforeAll(async () => {
  const { kafkaBrokers } = await testStack()
  kafka = createKafka({ brokers: kafkaBrokers, clientId: 'scored-feed', logger: silentLogger })
})

const PARTITIONS = 4

/** A topic whose records are texts, and who writes n more of them. */
async function openTopic() {
  const topic = uniqueName('scored')
  const admin = kafka.admin()
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
  await admin.connect()
  await producer.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: PARTITIONS }] })
  onTestFinished(async () => {
    await producer.disconnect()
    await admin.deleteTopics({ topics: [topic] })
    await admin.disconnect()
  })
  let written = 0
  const write = async (count: number): Promise<void> => {
    const messages = Array.from({ length: count }, () => ({
      value: `e${written}`,
      partition: written++ % PARTITIONS,
    }))
    await producer.send({ topic, messages })
  }
  const writeTo = (partition: number, values: readonly string[]) =>
    producer.send({ topic, messages: values.map((value) => ({ value, partition })) })
  return { topic, write, writeTo }
}

/** Values are `id` or `id time`. */
const asText = <T>() => ({
  decode: (bytes: Buffer | null) => {
    const [transactionId, scoredTime = '0'] = String(bytes).split(' ')
    return { transactionId, scoredTime: Number(scoredTime) } as T
  },
  learn: async () => undefined,
})

async function openFeed(topic: string) {
  const heard: string[] = []
  const answers: (Error | null)[] = []
  const groupId = uniqueName('feed')
  const feed = await openScoredFeed({
    kafka,
    groupId,
    topics: { scored: topic, labels: null },
    decoders: { scored: asText<ScoredTransactionRecord>(), labels: asText<Label>() },
    hear: {
      scored: (event) => void heard.push(event.transactionId),
      label: () => undefined,
      brokers: (trouble) => void answers.push(trouble),
    },
    fail: (error) => {
      throw error
    },
  })
  onTestFinished(feed.close)
  const untilHeard = (count: number) =>
    waitFor(
      () => heard.length >= count,
      () => `${heard.length} heard, expected ${count}`,
    )
  return { feed, heard, answers, groupId, untilHeard }
}

describe('scored feed', () => {
  it('hears nothing before it is told from when on, then everything once', async () => {
    const { topic, write } = await openTopic()
    await write(100)
    const { feed, heard, untilHeard } = await openFeed(topic)
    expect(heard).toEqual([])
    feed.readFrom(0)
    await untilHeard(100)
    await waitFor(feed.isCaughtUp, () => 'the end of what was written')
    await write(50)
    await untilHeard(150)
    expect(new Set(heard).size).toBe(150)
    expect(heard).toHaveLength(150)
  })

  it('reads again from the beginning where it is told so', async () => {
    const { topic, write } = await openTopic()
    await write(40)
    const { feed, heard, untilHeard } = await openFeed(topic)
    feed.readFrom(0)
    await untilHeard(40)
    feed.readFrom(0)
    await untilHeard(80)
    expect(new Set(heard).size).toBe(40)
  })

  it('goes on where it was when its partitions are taken and given back', async () => {
    const { topic, write } = await openTopic()
    await write(100)
    const { feed, heard, groupId, untilHeard } = await openFeed(topic)
    feed.readFrom(0)
    await untilHeard(100)
    const topics = [{ topic, stream: 'transactions' as const }]
    const intruder = createLaneConsumer({ kafka, groupId, topics })
    const { promise: joined, resolve } = Promise.withResolvers<void>()
    await intruder.start({
      assigned: (lanes) => (lanes.length > 0 ? resolve() : undefined),
      revoked: () => undefined,
      fetched: () => undefined,
      crashed: () => undefined,
    })
    await joined
    await write(100)
    await intruder.stop()
    await untilHeard(200)
    await write(4)
    await untilHeard(204)
    expect(new Set(heard).size).toBe(204)
    expect(heard).toHaveLength(204)
  })

  it('a partition that is silent at its end keeps nobody waiting, one that is not read does', async () => {
    const { topic, writeTo } = await openTopic()
    const startMs = Date.now()
    await writeTo(0, [`old ${startMs - 3_600_000}`])
    const { feed, answers, untilHeard } = await openFeed(topic)
    expect(feed.passedMs()).toBe(Number.NEGATIVE_INFINITY)
    feed.readFrom(0)
    await untilHeard(1)
    await waitFor(
      () => feed.passedMs() >= startMs - graceMs,
      () => `passed ${feed.passedMs()}, expected ${startMs - graceMs}`,
    )
    expect(answers.length).toBeGreaterThan(0)
    expect(answers.every((trouble) => trouble === null)).toBe(true)
  })

  it('reads partitions side by side in time: the one ahead waits for the others', async () => {
    const { topic, writeTo } = await openTopic()
    const hours = 320
    // A fetch of the first partition is about a hundred hours, one of the second twenty.
    for (const [partition, bytes] of [10_000, 50_000].entries()) {
      const filler = 'x'.repeat(bytes)
      for (let from = 0; from < hours; from += 10) {
        const some = Array.from({ length: 10 }, (_, i) => from + i)
        await writeTo(
          partition,
          some.map((hour) => `p${partition}-h${hour} ${hour * 3_600_000} ${filler}`),
        )
      }
    }
    const { feed, heard, untilHeard } = await openFeed(topic)
    feed.readFrom(0)
    await untilHeard(2 * hours)
    const reached = [0, 0]
    let spreadMax = 0
    for (const id of heard) {
      const [, partition, hour] = /^p(\d)-h(\d+)$/.exec(id)!
      reached[Number(partition)] = Number(hour)
      spreadMax = Math.max(spreadMax, Math.abs(reached[0]! - reached[1]!))
    }
    expect(heard).toHaveLength(2 * hours)
    // A fetch of each: the first does not run to its end while the second has just begun.
    expect(spreadMax).toBeLessThan(160)
  })
})
