// The real broker: what the counts say is what the topics hold, in the right partitions and order.

import type { Kafka } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { countReceived } from '../../../load/generator/counts.ts'
import { loadKafkajs } from '../../../load/generator/load-kafkajs.ts'
import { startOpenLoop } from '../../../load/generator/open-loop.ts'
import { partitionOf } from '../../../load/generator/partition.ts'
import { prefillTopic } from '../../../load/generator/prefill.ts'
import { generateTimeline, type Transaction } from '../../../load/generator/timeline.ts'
import { createWire } from '../../../load/generator/wire.ts'
import { testStack, uniqueName } from '../../support/stack.ts'

const schemaIds = { transactions: 1, labels: 2 }
const generator = { seed: 3, customers: 500, terminals: 500, labelDelayMeanDays: 0.5 }
const partitionCount = 4

interface Stored {
  readonly partition: number
  readonly key: string
  readonly value: Buffer | null
  readonly headers: object
}

let brokers: string[]
let kafka: Kafka

beforeAll(async () => {
  brokers = [...(await testStack()).kafkaBrokers]
  const kafkajs = loadKafkajs()
  kafka = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING })
})

async function createTopic(): Promise<string> {
  const topic = uniqueName('generator')
  await withAdmin(async (admin) => {
    await admin.createTopics({
      topics: [{ topic, numPartitions: partitionCount }],
      waitForLeaders: false,
    })
    await vi.waitFor(() => admin.fetchTopicMetadata({ topics: [topic] }), { timeout: 30_000 })
  })
  topics.push(topic)
  return topic
}

const topics: string[] = []
afterAll(() => withAdmin((admin) => admin.deleteTopics({ topics })))

async function withAdmin<Result>(use: (admin: ReturnType<Kafka['admin']>) => Promise<Result>) {
  const admin = kafka.admin()
  await admin.connect()
  try {
    return await use(admin)
  } finally {
    await admin.disconnect()
  }
}

/** All messages of a topic, by partition and offset. */
async function readTopic(topic: string): Promise<Stored[]> {
  const ends = await withAdmin((admin) => admin.fetchTopicOffsets(topic))
  const wanted = ends.reduce((sum, { high }) => sum + Number(high), 0)
  const stored: Stored[] = []
  if (wanted === 0) return stored
  const consumer = kafka.consumer({ groupId: uniqueName('generator'), maxWaitTimeInMs: 100 })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  try {
    await new Promise<void>((resolve, reject) => {
      // A group's coordinator that is still loading crashes the consumer, which then starts again.
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        if (!payload.restart) reject(payload.error)
      })
      const eachMessage = async ({ partition, message }: EachMessage) => {
        const { key, value, headers = {} } = message
        stored.push({ partition, key: String(key), value, headers })
        if (stored.length === wanted) resolve()
      }
      consumer.run({ eachMessage }).catch(reject)
    })
  } finally {
    await consumer.disconnect()
  }
  return stored
}

type EachMessage = Parameters<
  NonNullable<NonNullable<Parameters<ReturnType<Kafka['consumer']>['run']>[0]>['eachMessage']>
>[0]

describe('generator on Kafka', () => {
  it('open loop - leaves on the topics what it counted, every transaction by its key', async () => {
    const [transactionsTopic, labelsTopic] = [await createTopic(), await createTopic()]
    const sent: (Buffer | null)[] = []
    const loop = await startOpenLoop({
      brokers,
      transactionsTopic,
      labelsTopic,
      schemaIds,
      rate: 3_000,
      seconds: 1,
      generator: { ...generator, fraudShare: 0.05 },
      disturbances: { lateShare: 0.02, duplicateShare: 0.02, poisonShare: 0.02 },
      onSend: (messages) => {
        for (const { kind, value } of messages) if (kind !== 'label') sent.push(value)
      },
    })
    const end = await loop.done
    expect(end.labels).toBeGreaterThan(10)
    expect(end.poison).toBeGreaterThan(10)
    expect(end).toMatchObject({ inFlight: 0, acknowledged: countReceived(end) + end.labels })
    expect(loop.progress()).toEqual(end)

    const stored = await readTopic(transactionsTopic)
    expect(stored).toHaveLength(countReceived(end))
    const hex = (values: readonly (Buffer | null)[]) =>
      values.map((value) => value?.toString('hex') ?? 'null').sort()
    expect(hex(stored.map(({ value }) => value))).toEqual(hex(sent))
    for (const { key, partition, headers } of stored) {
      expect(partition).toBe(partitionOf(key, partitionCount))
      expect(headers).toEqual({})
    }
    expect(await readTopic(labelsTopic)).toHaveLength(end.labels)
  })

  it('open loop - stops when told to, with everything acknowledged', async () => {
    const transactionsTopic = await createTopic()
    const target = { brokers, transactionsTopic, labelsTopic: null, schemaIds, generator }
    const loop = await startOpenLoop({ ...target, rate: 500, seconds: 600 })
    await expect.poll(() => loop.progress().acknowledged, { timeout: 30_000 }).toBeGreaterThan(100)
    const end = await loop.stop()
    expect(end.acknowledged).toBe(end.transactions)
    expect(await readTopic(transactionsTopic)).toHaveLength(end.transactions)
  })

  it('prefill - writes a history once, each partition in the order of event time', async () => {
    const transactionsTopic = await createTopic()
    const world = { ...generator, count: 12_345, days: 31 }
    const target = { brokers, transactionsTopic, labelsTopic: null, schemaIds }
    const end = await prefillTopic({ ...target, generator: world })
    expect(end).toMatchObject({ transactions: 12_345, acknowledged: 12_345, labels: 0 })

    const wire = createWire(schemaIds)
    const expected = Array.from({ length: partitionCount }, (): string[] => [])
    for (const item of generateTimeline({ ...world, fraudLabelShare: 0 })) {
      if (item.kind === 'label') continue
      const { customerId } = item.transaction as Transaction
      const bytes = wire.encodeTransaction(item.transaction).toString('hex')
      expected[partitionOf(customerId, partitionCount)]!.push(bytes)
    }
    const found = Array.from({ length: partitionCount }, (): string[] => [])
    for (const { partition, value } of await readTopic(transactionsTopic)) {
      found[partition]!.push(value!.toString('hex'))
    }
    expect(found).toEqual(expected)
  })

  it('kafka sink - refuses a topic that does not exist, and says what to do', async () => {
    const transactionsTopic = uniqueName('never-made')
    const target = { brokers, transactionsTopic, labelsTopic: null, schemaIds }
    await expect(prefillTopic({ ...target, generator: { count: 1 } })).rejects.toThrow(
      /topic never-made-.* does not exist: create it first/,
    )
  })
})
