// What is seen of the real brokers: listeners, versions, settings, topics, clocks.

import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { type Admin, createKafka } from '../../../../services/adapters/kafka/client/kafka-client.ts'
import { createTopics } from '../../../../services/adapters/kafka/topics/create-topics.ts'
import {
  hasRecordsAfter,
  probeBrokerClock,
} from '../../../../services/adapters/kafka/topics/inspect-clock.ts'
import { inspectCluster } from '../../../../services/adapters/kafka/topics/inspect-cluster.ts'
import { kafkaRelease, missingRequests } from '../../../../services/doctor/kafka-version.ts'
import { silentLogger } from '../../../support/silent-logger.ts'
import { type TestStack, testStack, uniqueName } from '../../../support/stack.ts'

let stack: TestStack
let admin: Admin

const openKafka = (brokers: readonly string[] = stack.kafkaBrokers) =>
  createKafka({ brokers, clientId: 'inspect-test', logger: silentLogger, retry: { retries: 1 } })

beforeAll(async () => {
  stack = await testStack()
  admin = openKafka().admin()
  await admin.connect()
  return () => admin.disconnect()
})

async function makeTopic(config: Readonly<Record<string, string>> = {}): Promise<string> {
  const topic = uniqueName('inspect')
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
  await createTopics(admin, [{ topic, numPartitions: 2, replicationFactor: 1, configEntries }])
  onTestFinished(() => admin.deleteTopics({ topics: [topic] }))
  return topic
}

test('cluster inspection - sees brokers, their settings and versions, and the wanted topics', async () => {
  const topic = await makeTopic({ 'retention.ms': '12345678' })
  const sight = await inspectCluster(openKafka, [topic, `${topic}-missing`])
  expect(sight.brokers.length).toBeGreaterThan(0)
  for (const { address, trouble, config } of sight.brokers) {
    expect(address).toMatch(/:\d+$/)
    expect(trouble).toBeNull()
    expect(Number(config?.get('transaction.max.timeout.ms'))).toBeGreaterThan(0)
    expect(Number(config?.get('offsets.retention.minutes'))).toBeGreaterThan(0)
  }
  expect(missingRequests(sight.requests!)).toEqual([])
  expect(Number(kafkaRelease(sight.requests!))).toBeGreaterThanOrEqual(2.5)
  expect(sight.topics.has(`${topic}-missing`)).toBe(false)
  const { partitions, config } = sight.topics.get(topic)!
  const whole = { hasLeader: true, replicas: 1, inSync: 1 }
  expect(partitions.toSorted((a, b) => a.partition - b.partition)).toEqual([
    { partition: 0, ...whole },
    { partition: 1, ...whole },
  ])
  expect(config?.get('retention.ms')).toBe('12345678')
})

test('cluster inspection - tells which advertised address does not answer, and why', async () => {
  const openNowhere = (brokers?: readonly string[]) =>
    openKafka(brokers === undefined ? stack.kafkaBrokers : ['127.0.0.1:1'])
  const { brokers } = await inspectCluster(openNowhere, [])
  for (const { trouble, config } of brokers) {
    expect(trouble).toMatch(/ECONNREFUSED/)
    expect(config).toBeNull()
  }
})

test('cluster inspection - refuses brokers that are not there', async () => {
  const nowhere = () => openKafka(['127.0.0.1:1'])
  await expect(inspectCluster(nowhere, [])).rejects.toMatchObject({ code: 'WEIR_KAFKA_AWAY' })
})

test('clock inspection - finds stamps later than a time, and only those', async () => {
  const topic = await makeTopic({ 'message.timestamp.type': 'LogAppendTime' })
  const before = Date.now()
  expect(await hasRecordsAfter(admin, topic, before - 60_000)).toBe(false)
  const producer = openKafka().producer()
  await producer.connect()
  await producer.send({ topic, messages: [{ value: 'x', partition: 1 }] })
  await producer.disconnect()
  expect(await hasRecordsAfter(admin, topic, before - 60_000)).toBe(true)
  expect(await hasRecordsAfter(admin, topic, Date.now() + 60_000)).toBe(false)
})

test("clock inspection - probes the brokers' clock and leaves no topic behind", async () => {
  const probesNow = async () =>
    (await admin.listTopics()).filter((topic) => topic.startsWith('weir.doctor.'))
  const before = await probesNow()
  const { aheadMs, uncertainMs } = await probeBrokerClock(openKafka())
  // The broker of the tests runs on this machine; other tests may have interrupted the question.
  expect(Math.abs(aheadMs)).toBeLessThanOrEqual(uncertainMs + 2)
  const left = async () => (await probesNow()).filter((topic) => !before.includes(topic))
  await expect.poll(left, { timeout: 30_000 }).toEqual([])
})
