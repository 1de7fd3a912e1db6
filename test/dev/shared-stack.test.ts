// The shared stack answers, and names made for it do not collide.

import { Redis } from 'ioredis'
import { beforeAll, expect, test } from 'vitest'
import { loadKafkajs } from '../../load/generator/load-kafkajs.ts'
import { type TestStack, testStack, uniqueName } from '../support/stack.ts'

let stack: TestStack

beforeAll(async () => {
  stack = await testStack()
})

test('shared stack - takes a topic with the settings that exactly-once needs', async () => {
  const { Kafka, logLevel } = loadKafkajs()
  const kafka = new Kafka({ brokers: [...stack.kafkaBrokers], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  const topic = uniqueName('shared-stack')
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: 2 }], waitForLeaders: true })
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  expect(topics[0]?.partitions).toHaveLength(2)
  const producer = kafka.producer({ transactionalId: topic, maxInFlightRequests: 1 })
  await producer.connect()
  const transaction = await producer.transaction()
  await transaction.send({ topic, messages: [{ partition: 0, value: 'one' }] })
  await transaction.commit()
  await producer.disconnect()
  const readEnds = async () => {
    const offsets = await admin.fetchTopicOffsets(topic)
    return offsets.map((partition) => partition.high).sort()
  }
  // The record and the marker of its commit, which the broker writes after it has answered.
  await expect.poll(readEnds, { timeout: 30_000 }).toEqual(['0', '2'])
  await admin.deleteTopics({ topics: [topic] })
  await admin.disconnect()
})

test('shared stack - has a Redis that knows functions and never evicts', async () => {
  const redis = new Redis(stack.redisUrl)
  expect(await redis.config('GET', 'maxmemory-policy')).toContainEqual('noeviction')
  expect(await redis.function('STATS')).toBeDefined()
  redis.disconnect()
})

test('shared stack - has a registry with the Confluent API', async () => {
  const subject = uniqueName('shared-stack')
  const response = await fetch(`${stack.registryUrl}/subjects/${subject}/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ schema: '{"type":"string"}' }),
  })
  expect(response.status).toBe(200)
  expect(await response.json()).toMatchObject({ id: expect.any(Number) })
})
