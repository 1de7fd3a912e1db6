import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { measurePassThrough } from '../../../../load/bench/environment/pass-through.ts'
import {
  type Admin,
  createKafka,
  type Kafka,
  type KafkaLogger,
  type KafkaMessage,
  kafkajs,
  type Message,
  transactionalRetry,
} from '../../../../services/adapters/kafka/client/kafka-client.ts'
import { createTopics } from '../../../../services/adapters/kafka/topics/create-topics.ts'
import { testStack, uniqueName } from '../../../support/stack.ts'

const silent: KafkaLogger = { debug() {}, info() {}, warn() {}, error() {} }
const { CompressionTypes, Partitioners } = kafkajs
const createPartitioner = Partitioners.DefaultPartitioner

let brokers: readonly string[]
let kafka: Kafka
let admin: Admin

beforeAll(async () => {
  brokers = (await testStack()).kafkaBrokers
  kafka = createKafka({ brokers, clientId: 'accelerated-broker', logger: silent })
  admin = kafka.admin()
  await admin.connect()
})
afterAll(async () => {
  await admin?.disconnect()
})

async function createTopic(purpose: string, numPartitions = 1): Promise<string> {
  const topic = uniqueName(purpose)
  await createTopics(admin, [{ topic, numPartitions }])
  return topic
}

async function produce(topic: string, messages: Message[], compression = CompressionTypes.None) {
  const producer = kafka.producer({ createPartitioner })
  await producer.connect()
  await producer.send({ topic, messages, compression })
  await producer.disconnect()
}

/** Reads committed messages of a topic until there are as many as expected. */
async function readCommitted(topic: string, count: number): Promise<KafkaMessage[]> {
  const messages: KafkaMessage[] = []
  const consumer = kafka.consumer({ groupId: uniqueName('read'), maxWaitTimeInMs: 50 })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await new Promise<void>((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      // A coordinator that is still loading crashes the consumer too; kafkajs starts it again.
      if (!payload.restart) reject(payload.error)
    })
    const eachBatch = async ({ batch }: { batch: { messages: KafkaMessage[] } }) => {
      messages.push(...batch.messages)
      if (messages.length >= count) resolve()
    }
    consumer.run({ autoCommit: false, eachBatch }).catch(reject)
  })
  await consumer.disconnect()
  return messages
}

const comparable = ({ key, value, offset, timestamp, headers }: KafkaMessage) => ({
  key: key?.toString() ?? null,
  value: value?.toString() ?? null,
  offset,
  timestamp,
  headers: JSON.stringify(headers),
})

describe('accelerated kafkajs on a real broker', () => {
  it.each([
    ['none', CompressionTypes.None],
    ['gzip', CompressionTypes.GZIP],
    ['zstd', CompressionTypes.ZSTD],
  ])(
    'accelerate - has its batches accepted and reads them back, compression %s',
    async (_name, compression) => {
      const topic = await createTopic('accepted')
      const timestamp = (index: number) => String(1_700_000_000_000 + ((index * 7919) % 1000))
      const messages: Message[] = Array.from({ length: 500 }, (_, index) => ({
        key: index % 5 === 0 ? null : `ключ-${index}`,
        value: index % 7 === 0 ? null : 'v'.repeat(index),
        timestamp: timestamp(index),
        partition: 0,
        ...(index % 11 === 0 ? { headers: { trace: [`t${index}`, 'ż'] } } : {}),
      }))
      await produce(topic, messages, compression)
      const read = await readCommitted(topic, messages.length)
      const expected = messages.map(({ key, value, headers }, index) => ({
        key: key ?? null,
        value: value ?? null,
        offset: String(index),
        timestamp: timestamp(index),
        headers: JSON.stringify(
          headers ? { trace: (headers.trace as string[]).map((text) => Buffer.from(text)) } : {},
        ),
      }))
      expect(read.map(comparable)).toEqual(expected)
    },
  )

  it('accelerate - hides aborted transactions and control records', async () => {
    const topic = await createTopic('aborted')
    const producer = kafka.producer({
      transactionalId: uniqueName('aborted'),
      retry: transactionalRetry,
      createPartitioner,
    })
    await producer.connect()
    for (let round = 0; round < 6; round++) {
      const transaction = await producer.transaction()
      const messages = [{ value: `${round}-a` }, { value: `${round}-b` }]
      await transaction.send({ topic, messages })
      if (round % 2 === 0) await transaction.abort()
      else await transaction.commit()
    }
    await producer.disconnect()
    const read = await readCommitted(topic, 6)
    const values = read.map(({ value }) => value?.toString())
    expect(values).toEqual(['1-a', '1-b', '3-a', '3-b', '5-a', '5-b'])
  })

  it('accelerate - lets a new producer with the same id fence the old one', async () => {
    const topic = await createTopic('fence')
    const transactionalId = uniqueName('fence')
    const createProducer = () =>
      createKafka({ brokers, clientId: 'fence', logger: silent }).producer({
        transactionalId,
        retry: transactionalRetry,
        createPartitioner,
      })
    const [old, next] = [createProducer(), createProducer()]
    await Promise.all([old.connect(), next.connect()])
    const open = await old.transaction()
    await open.send({ topic, messages: [{ value: 'zombie' }] })
    const fencing = await next.transaction()
    await fencing.abort()
    await expect(open.commit()).rejects.toMatchObject({ type: 'INVALID_PRODUCER_EPOCH' })
    const transaction = await next.transaction()
    await transaction.send({ topic, messages: [{ value: 'owner' }] })
    await transaction.commit()
    const read = await readCommitted(topic, 1)
    expect(read.map(({ value }) => value?.toString())).toEqual(['owner'])
    await Promise.all([old.disconnect(), next.disconnect()])
  })

  it('pass-through - copies every record once, in order, with its offsets', async () => {
    const partitions = 2
    const inputTopic = await createTopic('pass-in', partitions)
    const outputTopic = await createTopic('pass-out', partitions)
    const groupId = uniqueName('pass')
    const recordCount = 2500
    const messages = Array.from({ length: recordCount }, (_, index) => ({
      key: `k${index}`,
      value: `v${index}`,
      partition: index % partitions,
    }))
    await produce(inputTopic, messages)
    const options = { brokers, inputTopic, outputTopic, groupId, partitions, recordCount }
    const result = await measurePassThrough({ ...options, batchRecords: 300 })
    expect(result.records).toBe(recordCount)
    expect(result.recordsPerSecond).toBeCloseTo(recordCount / result.seconds)
    expect(result.cpuMicrosPerRecord).toBeGreaterThan(0)
    const copies = await readCommitted(outputTopic, recordCount)
    expect(copies).toHaveLength(recordCount)
    for (let partition = 0; partition < partitions; partition++) {
      const expected = messages.filter((message) => message.partition === partition)
      const keys = new Set(expected.map(({ key }) => key))
      const found = copies.filter(({ key }) => keys.has(key!.toString()))
      expect(found.map(({ value }) => value!.toString())).toEqual(
        expected.map(({ value }) => value),
      )
    }
    const [committed] = await admin.fetchOffsets({ groupId, topics: [inputTopic] })
    const offsets = committed!.partitions.map(({ offset }) => offset)
    expect(offsets).toEqual(Array(partitions).fill(String(recordCount / partitions)))
  })

  it('accelerate - commits offsets with metadata in the transaction, and fetchOffsets returns it', async () => {
    const topic = await createTopic('metadata')
    const groupId = uniqueName('metadata')
    const producer = kafka.producer({
      transactionalId: uniqueName('metadata'),
      retry: transactionalRetry,
      createPartitioner,
    })
    await producer.connect()
    const commitOffset = async (offset: string, metadata: string, end: 'commit' | 'abort') => {
      const transaction = await producer.transaction()
      await transaction.send({ topic, messages: [{ value: 'x' }] })
      // kafkajs' types do not know the metadata, which it does send.
      const partitions = [{ partition: 0, offset, metadata }]
      await transaction.sendOffsets({ consumerGroupId: groupId, topics: [{ topic, partitions }] })
      await transaction[end]()
    }
    await commitOffset('41', '{"highest":7}', 'commit')
    await commitOffset('42', '{"highest":8}', 'abort')
    await producer.disconnect()
    await expect
      .poll(() => admin.fetchOffsets({ groupId, topics: [topic] }), { timeout: 20_000 })
      .toEqual([{ topic, partitions: [{ partition: 0, offset: '41', metadata: '{"highest":7}' }] }])
  })
})
