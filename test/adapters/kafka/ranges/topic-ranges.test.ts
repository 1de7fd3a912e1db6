// Ranges of topics on a real broker: exactly what was asked for, and nothing held up or left over.

import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import {
  type Admin,
  type Consumer,
  createKafka,
  type Kafka,
  kafkajs,
  transactionalRetry,
} from '../../../../services/adapters/kafka/client/kafka-client.ts'
import {
  offsetsAtTime,
  partitionBounds,
} from '../../../../services/adapters/kafka/ranges/topic-bounds.ts'
import {
  openTopicRanges,
  type TopicRange,
} from '../../../../services/adapters/kafka/ranges/topic-ranges.ts'
import { createTopics } from '../../../../services/adapters/kafka/topics/create-topics.ts'
import type { RawMessage } from '../../../../services/pipeline/records.ts'
import { silentLogger } from '../../../support/silent-logger.ts'
import { testStack, uniqueName } from '../../../support/stack.ts'
import { waitFor } from '../../../support/wait-for.ts'

let brokers: readonly string[]
let kafka: Kafka

beforeAll(async () => {
  brokers = (await testStack()).kafkaBrokers
  kafka = createKafka({ brokers, clientId: 'topic-ranges', logger: silentLogger })
})

const { DefaultPartitioner: createPartitioner } = kafkajs.Partitioners

async function withAdmin<T>(ask: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafka.admin()
  await admin.connect()
  try {
    return await ask(admin)
  } finally {
    await admin.disconnect()
  }
}

async function createTopic(numPartitions = 1): Promise<string> {
  const topic = uniqueName('topic-ranges')
  await withAdmin((admin) => createTopics(admin, [{ topic, numPartitions }]))
  return topic
}

type Sent = { readonly topic: string; readonly partition?: number; readonly values: string[] }

async function produce({ topic, partition = 0, values }: Sent): Promise<void> {
  const producer = kafka.producer({ createPartitioner })
  await producer.connect()
  await producer.send({ topic, messages: values.map((value) => ({ value, partition })) })
  await producer.disconnect()
}

/** One transaction per list; lists that begin with `abort` are aborted. */
async function produceInTransactions(topic: string, lists: readonly string[][]): Promise<void> {
  const producer = kafka.producer({
    createPartitioner,
    transactionalId: uniqueName('topic-ranges'),
    idempotent: true,
    maxInFlightRequests: 1,
    retry: transactionalRetry,
  })
  await producer.connect()
  for (const values of lists) {
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: values.map((value) => ({ value, partition: 0 })) })
    if (values[0] === 'abort') await transaction.abort()
    else await transaction.commit()
  }
  await producer.disconnect()
}

const numbered = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => String(from + i))

/** As retention does it, only at once. */
const expire = (topic: string, before: number): Promise<void> =>
  withAdmin(async (admin) => {
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: `${before}` }] })
  })

const range = (topic: string, partition: number, from: number, to: number): TopicRange => ({
  topic,
  partition,
  from,
  to,
})

async function open(ranges: readonly TopicRange[], client = kafka) {
  const opened = await openTopicRanges(client, ranges)
  onTestFinished(() => opened.close())
  return opened
}

async function collect(messages: AsyncIterable<readonly RawMessage[]>): Promise<RawMessage[]> {
  const all: RawMessage[] = []
  for await (const fetched of messages) all.push(...fetched)
  return all
}

const valuesOf = (messages: readonly RawMessage[]): string[] =>
  messages.map(({ value }) => value!.toString())

type Spied = {
  readonly client: Kafka
  readonly groups: string[]
  readonly delivered: Map<string, number>
}

/** The real client, and what went through it: group ids, and messages handed out by place. */
function spyOn(real: Kafka): Spied {
  const groups: string[] = []
  const delivered = new Map<string, number>()
  const consumer: Kafka['consumer'] = (config) => {
    groups.push(config!.groupId)
    const opened: Consumer = real.consumer(config)
    const run: Consumer['run'] = (options) =>
      opened.run({
        ...options,
        eachBatch: async (payload) => {
          const { topic, partition, messages } = payload.batch
          const place = `${topic}/${partition}`
          delivered.set(place, (delivered.get(place) ?? 0) + messages.length)
          await options!.eachBatch!(payload)
        },
      })
    return { ...opened, run }
  }
  return { client: Object.assign(Object.create(real), { consumer }), groups, delivered }
}

describe('topic ranges - what is read', () => {
  it('reads every range from its first to its last offset, of several topics at once', async () => {
    const [left, right] = [await createTopic(2), await createTopic(1)]
    await produce({ topic: left, partition: 0, values: numbered(50) })
    await produce({ topic: left, partition: 1, values: numbered(50, 100) })
    await produce({ topic: right, values: numbered(50, 200) })
    const ranges = await open([
      range(left, 1, 10, 13),
      range(right, 0, 0, 50),
      range(left, 0, 49, 50),
      range(left, 0, 7, 7),
    ])
    expect(valuesOf(await collect(ranges.read(0)))).toEqual(numbered(3, 110))
    const whole = await collect(ranges.read(1))
    expect(valuesOf(whole)).toEqual(numbered(50, 200))
    expect(whole.map(({ offset }) => offset)).toEqual(numbered(50).map(Number))
    expect(Math.abs(whole[0]!.brokerTimeMs - Date.now())).toBeLessThan(600_000)
    expect(valuesOf(await collect(ranges.read(2)))).toEqual(['49'])
    expect(await collect(ranges.read(3))).toEqual([])
  })

  it('reads committed records only, and ends behind control records', async () => {
    const topic = await createTopic()
    await produceInTransactions(topic, [['a', 'b'], ['abort', 'x'], ['c'], ['abort', 'y']])
    const [{ low, high } = { low: -1, high: -1 }] = await partitionBounds(kafka, topic)
    // Seven records and a marker for each of the four transactions.
    expect([low, high]).toEqual([0, 11])
    const ranges = await open([range(topic, 0, 0, high)])
    expect(valuesOf(await collect(ranges.read(0)))).toEqual(['a', 'b', 'c'])
    // Only what was aborted, and the marker behind it.
    const rest = await open([range(topic, 0, 8, high)])
    expect(await collect(rest.read(0))).toEqual([])
  })

  it('is read once: a second reader is our own mistake', async () => {
    const topic = await createTopic()
    await produce({ topic, values: numbered(3) })
    const ranges = await open([range(topic, 0, 0, 3)])
    await collect(ranges.read(0))
    await expect(collect(ranges.read(0))).rejects.toThrow(/WEIR_INTERNAL_INVARIANT.*a second time/)
  })
})

describe('topic ranges - stage', () => {
  const FETCHED_MAX = 3
  const KIB = 1024

  it('a full buffer holds up nobody, and holds no more than a few fetches', async () => {
    const topic = await createTopic(2)
    const large = Array.from({ length: 16 }, (_, i) => `${i} `.padEnd(512 * KIB, 'x'))
    for (const partition of [0, 1]) {
      for (const value of large) await produce({ topic, partition, values: [value] })
    }
    const { client, delivered } = spyOn(kafka)
    const ranges = await open([range(topic, 0, 0, 16), range(topic, 1, 0, 16)], client)
    const slow = ranges.read(0)[Symbol.asyncIterator]()
    const first = await slow.next()
    // Half a megabyte each: two to a fetch, and one fetch more than is buffered may be on its way.
    expect(valuesOf(await collect(ranges.read(1)))).toEqual(large)
    expect(delivered.get(`${topic}/1`)).toBe(16)
    expect(delivered.get(`${topic}/0`)).toBeLessThanOrEqual(2 * (FETCHED_MAX + 1))
    const rest = await collect({ [Symbol.asyncIterator]: () => slow })
    expect(valuesOf([...first.value!, ...rest])).toEqual(large)
    expect(delivered.get(`${topic}/0`)).toBe(16)
  })

  it('what nobody reads is not fetched, and a reader may leave early', async () => {
    const topic = await createTopic(3)
    for (const partition of [0, 1, 2]) await produce({ topic, partition, values: numbered(40) })
    const { client, delivered } = spyOn(kafka)
    const ranges = await open(
      [0, 1, 2].map((partition) => range(topic, partition, 0, 40)),
      client,
    )
    for await (const fetched of ranges.read(0)) {
      expect(fetched.length).toBeGreaterThan(0)
      break
    }
    expect(await collect(ranges.read(2))).toHaveLength(40)
    expect(delivered.has(`${topic}/1`)).toBe(false)
  })
})

describe('topic ranges - what is refused', () => {
  it('offsets that have expired, and offsets that are not there yet', async () => {
    const topic = await createTopic()
    await produce({ topic, values: numbered(20) })
    await expire(topic, 10)
    const refused = (from: number, to: number) =>
      openTopicRanges(kafka, [range(topic, 0, from, to)])
    await expect(refused(9, 20)).rejects.toThrow(
      /WEIR_KAFKA_OFFSET_OUT_OF_RANGE.*found offsets 10 up to 20, expected 9 up to 20/,
    )
    await expect(refused(15, 21)).rejects.toThrow(/expected 15 up to 21/)
    const ranges = await open([range(topic, 0, 10, 20)])
    expect(valuesOf(await collect(ranges.read(0)))).toEqual(numbered(10, 10))
  })

  it('offsets that expire while they are read', async () => {
    const topic = await createTopic()
    await produce({ topic, values: numbered(20) })
    const ranges = await open([range(topic, 0, 0, 20)])
    await expire(topic, 10)
    await expect(collect(ranges.read(0))).rejects.toThrow(/WEIR_KAFKA_OFFSET_OUT_OF_RANGE.*from 10/)
  })

  it('a topic that is not there', async () => {
    const topic = uniqueName('topic-ranges-nowhere')
    await expect(openTopicRanges(kafka, [range(topic, 0, 0, 1)])).rejects.toThrow(/WEIR_/)
  })

  it('reading on after close', async () => {
    const topic = await createTopic()
    await produce({ topic, values: numbered(3) })
    const ranges = await openTopicRanges(kafka, [range(topic, 0, 0, 3)])
    await ranges.close()
    await expect(collect(ranges.read(0))).rejects.toThrow(/The reading was closed/)
  })
})

describe('topic ranges - the group that kafkajs needs', () => {
  it('is gone after close', async () => {
    const topic = await createTopic()
    await produce({ topic, values: numbered(3) })
    const { client, groups } = spyOn(kafka)
    const ranges = await openTopicRanges(client, [range(topic, 0, 0, 3)])
    const knownGroups = async () =>
      (await withAdmin((admin) => admin.listGroups())).groups.map(({ groupId }) => groupId)
    expect(await collect(ranges.read(0))).toHaveLength(3)
    expect(await knownGroups()).toContain(groups[0])
    await ranges.close()
    expect(await knownGroups()).not.toContain(groups[0])
  })

  it('may rebalance in the middle of a range', async () => {
    const topic = await createTopic()
    const large = Array.from({ length: 24 }, (_, i) => `${i} `.padEnd(512 * 1024, 'x'))
    for (const value of large) await produce({ topic, values: [value] })
    const { client, groups } = spyOn(kafka)
    const ranges = await open([range(topic, 0, 0, 24)], client)
    const reader = ranges.read(0)[Symbol.asyncIterator]()
    const first = await reader.next()
    const other = kafka.consumer({ groupId: groups[0]! })
    let hasJoined = false
    other.on(other.events.GROUP_JOIN, () => {
      hasJoined = true
    })
    await other.connect()
    await other.subscribe({ topic })
    await other.run({ eachBatch: async () => undefined, autoCommit: false })
    await waitFor(
      () => hasJoined,
      () => 'the second member has not joined',
    )
    await other.disconnect()
    const rest = await collect({ [Symbol.asyncIterator]: () => reader })
    expect(valuesOf([...first.value!, ...rest])).toEqual(large)
  })
})

describe('topic bounds', () => {
  it('knows where partitions begin and end, and where a moment lies in them', async () => {
    const topic = await createTopic(2)
    const producer = kafka.producer({ createPartitioner })
    await producer.connect()
    const times = [1_000_000_000_000, 1_000_000_060_000, 1_000_000_120_000]
    for (const timeMs of times) {
      const message = { value: 'x', partition: 0, timestamp: String(timeMs) }
      await producer.send({ topic, messages: [message] })
    }
    await producer.disconnect()
    expect(await partitionBounds(kafka, topic)).toEqual([
      { partition: 0, low: 0, high: 3 },
      { partition: 1, low: 0, high: 0 },
    ])
    const places = async (timeMs: number) => [...(await offsetsAtTime(kafka, topic, timeMs))].sort()
    expect(await places(times[1]!)).toEqual([
      [0, 1],
      [1, 0],
    ])
    expect(await places(times[2]! + 1)).toEqual([
      [0, 3],
      [1, 0],
    ])
  })
})
