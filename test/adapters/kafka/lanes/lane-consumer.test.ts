// The lanes' input on a real broker: what it hands over, and what it never does.

import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import {
  createKafka,
  type Kafka,
  kafkajs,
  transactionalRetry,
} from '../../../../services/adapters/kafka/client/kafka-client.ts'
import { createLaneConsumer } from '../../../../services/adapters/kafka/lanes/lane-consumer.ts'
import { createTopics } from '../../../../services/adapters/kafka/topics/create-topics.ts'
import type { Fetched, LaneAddress, LaneInput } from '../../../../services/lanes/lane-input.ts'
import { laneIdOf } from '../../../../services/lanes/lane-input.ts'
import { silentLogger } from '../../../support/silent-logger.ts'
import { testStack, uniqueName } from '../../../support/stack.ts'
import { waitFor } from '../../../support/wait-for.ts'

let kafka: Kafka

beforeAll(async () => {
  const { kafkaBrokers: brokers } = await testStack()
  kafka = createKafka({ brokers, clientId: 'lane-consumer', logger: silentLogger })
})

const { DefaultPartitioner: createPartitioner } = kafkajs.Partitioners

async function createTopic(numPartitions = 1): Promise<string> {
  const topic = uniqueName('lane-consumer')
  const admin = kafka.admin()
  await admin.connect()
  await createTopics(admin, [{ topic, numPartitions }])
  await admin.disconnect()
  return topic
}

async function produce(topic: string, values: readonly string[], partition = 0): Promise<void> {
  const producer = kafka.producer({ createPartitioner })
  await producer.connect()
  await producer.send({ topic, messages: values.map((value) => ({ value, partition })) })
  await producer.disconnect()
}

/** One transaction per list; `abort` says which of them are aborted. */
async function produceInTransactions(
  topic: string,
  lists: readonly (readonly string[])[],
  isAborted: (index: number) => boolean,
): Promise<void> {
  const producer = kafka.producer({
    createPartitioner,
    transactionalId: uniqueName('lane-consumer'),
    idempotent: true,
    maxInFlightRequests: 1,
    retry: transactionalRetry,
  })
  await producer.connect()
  for (const [index, values] of lists.entries()) {
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: values.map((value) => ({ value, partition: 0 })) })
    if (isAborted(index)) await transaction.abort()
    else await transaction.commit()
  }
  await producer.disconnect()
}

type Listener = {
  readonly input: LaneInput
  readonly lanes: () => readonly LaneAddress[]
  readonly fetches: readonly Fetched[]
  readonly values: () => string[]
  readonly errors: readonly Error[]
}

async function listen(topic: string): Promise<Listener> {
  const input = createLaneConsumer({
    kafka,
    groupId: uniqueName('lane-consumer'),
    topics: [{ topic, stream: 'transactions' }],
  })
  let lanes: readonly LaneAddress[] = []
  const fetches: Fetched[] = []
  const errors: Error[] = []
  await input.start({
    assigned: (assigned) => {
      lanes = assigned
    },
    revoked: () => undefined,
    fetched: (_laneId, fetched) => void fetches.push(fetched),
    crashed: (error) => void errors.push(error),
  })
  onTestFinished(() => input.stop())
  await waitFor(
    () => lanes.length > 0,
    () => 'no lanes assigned',
  )
  const values = () =>
    fetches.flatMap(({ messages }) => messages.map(({ value }) => value!.toString()))
  return { input, lanes: () => lanes, fetches, values, errors }
}

const numbered = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => String(from + i))

const untilFetched = (listener: Listener, count: number) =>
  waitFor(
    () => listener.values().length >= count || listener.errors.length > 0,
    () => `${listener.values().length} messages, expected ${count}`,
  )

/** Each fetch starts where the one before it ended: nothing is left out, nothing twice. */
function expectSeamless(fetches: readonly Fetched[], from: number): void {
  let next = from
  for (const { messages, nextOffset } of fetches) {
    for (const { offset } of messages) {
      expect(offset).toBeGreaterThanOrEqual(next)
      next = offset + 1
    }
    expect(nextOffset).toBeGreaterThanOrEqual(next)
    next = nextOffset
  }
}

describe('lane consumer', () => {
  it('fetches nothing before seek, and then from there with key, value and broker time', async () => {
    const topic = await createTopic(2)
    await produce(topic, numbered(20), 0)
    await produce(topic, numbered(5, 100), 1)
    const listener = await listen(topic)
    const { input, lanes, fetches } = listener
    const ids = lanes().map(({ laneId }) => laneId)
    expect(ids.sort()).toEqual([laneIdOf('transactions', 0), laneIdOf('transactions', 1)])
    // The other lane is fetched while this one is held: its messages prove that time went by.
    input.seek(lanes().find(({ partition }) => partition === 1)!, 0)
    await untilFetched(listener, 5)
    expect(listener.values()).toEqual(numbered(5, 100))
    input.seek(lanes().find(({ partition }) => partition === 0)!, 7)
    await untilFetched(listener, 18)
    expect(listener.values().slice(5)).toEqual(numbered(13, 7))
    const first = fetches.flatMap(({ messages }) => messages)[5]!
    expect(first.offset).toBe(7)
    expect(first.key).toBeNull()
    expect(Math.abs(first.brokerTimeMs - Date.now())).toBeLessThan(600_000)
    expect(fetches.at(-1)).toMatchObject({ nextOffset: 20, endOffset: 20 })
  })

  it('drops what was fetched before a seek, wherever the seek goes', async () => {
    const topic = await createTopic()
    await produce(topic, numbered(400))
    const listener = await listen(topic)
    const { input, lanes, fetches } = listener
    const lane = lanes()[0]!
    input.seek(lane, 0)
    for (const offset of [390, 10, 300, 0, 395, 200]) {
      await waitFor(
        () => fetches.length > 0,
        () => 'no fetch',
      )
      const before = fetches.length
      input.seek(lane, offset)
      await waitFor(
        () => fetches.length > before,
        () => `no fetch after the seek to ${offset}`,
      )
      // The very first thing that is delivered after a seek starts there.
      expect(fetches[before]!.messages[0]!.offset).toBe(offset)
      expectSeamless(fetches.slice(before), offset)
    }
    expect(listener.errors).toEqual([])
  })

  it('pauses one lane while another goes on, and loses nothing', async () => {
    const topic = await createTopic(2)
    await produce(topic, numbered(10), 0)
    const listener = await listen(topic)
    const { input, lanes, fetches } = listener
    const [held, other] = [0, 1].map((p) => lanes().find(({ partition }) => partition === p)!)
    input.seek(held!, 0)
    input.seek(other!, 0)
    await untilFetched(listener, 10)
    input.pause(held!)
    await produce(topic, numbered(10, 10), 0)
    await produce(topic, numbered(10, 500), 1)
    await untilFetched(listener, 20)
    expect(listener.values().slice(10)).toEqual(numbered(10, 500))
    input.resume(held!)
    await untilFetched(listener, 30)
    expect(listener.values().slice(20)).toEqual(numbered(10, 10))
    expect(fetches.every(({ messages }) => messages.length > 0)).toBe(true)
  })

  it('shows neither aborted messages nor control records, and passes them by', async () => {
    const topic = await createTopic()
    const lists = Array.from({ length: 12 }, (_, i) => numbered(3, 10 * i))
    await produceInTransactions(topic, lists, (index) => index % 3 === 1)
    const listener = await listen(topic)
    const { input, lanes, fetches } = listener
    input.seek(lanes()[0]!, 0)
    const expected = lists.filter((_, index) => index % 3 !== 1).flat()
    await untilFetched(listener, expected.length)
    expect(listener.values()).toEqual(expected)
    // Three messages and a control record each; the end is behind the last control record.
    const end = 4 * lists.length
    await waitFor(
      () => fetches.at(-1)!.nextOffset === end,
      () => `at ${fetches.at(-1)!.nextOffset}, the end is ${end}`,
    )
    expectSeamless(fetches, 0)
    expect(listener.errors).toEqual([])
  })

  it('goes on seamlessly while transactions come in, some of them aborted', async () => {
    const topic = await createTopic()
    const listener = await listen(topic)
    const { input, lanes, fetches } = listener
    input.seek(lanes()[0]!, 0)
    const lists = Array.from({ length: 40 }, (_, i) => numbered(2, 10 * i))
    await produceInTransactions(topic, lists, (index) => index % 4 === 2)
    const expected = lists.filter((_, index) => index % 4 !== 2).flat()
    await untilFetched(listener, expected.length)
    await waitFor(
      () => fetches.at(-1)!.nextOffset === 3 * lists.length,
      () => `at ${fetches.at(-1)!.nextOffset} of ${3 * lists.length}`,
    )
    expect(listener.values()).toEqual(expected)
    expectSeamless(fetches, 0)
    expect(listener.errors).toEqual([])
  })

  it('tells that an offset is gone instead of jumping to another', async () => {
    const topic = await createTopic()
    await produce(topic, numbered(30))
    const admin = kafka.admin()
    await admin.connect()
    // kafkajs knows a topic's leaders only once it has asked for something of the topic.
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '20' }] })
    await admin.disconnect()
    const listener = await listen(topic)
    listener.input.seek(listener.lanes()[0]!, 5)
    await waitFor(
      () => listener.errors.length > 0,
      () => `no error; ${listener.values().length} messages`,
    )
    expect(listener.errors[0]).toMatchObject({ code: 'WEIR_KAFKA_OFFSET_OUT_OF_RANGE' })
    expect(listener.errors[0]!.message).toContain('expected 5, the broker starts at 20')
    expect(listener.values()).toEqual([])
  })
})
