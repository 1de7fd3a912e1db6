// What keeps a scorer from starting, planted on the real stack one after the other.

import { Redis } from 'ioredis'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import {
  type Admin,
  createKafka,
  kafkajs,
} from '../../services/adapters/kafka/client/kafka-client.ts'
import { applyTopics } from '../../services/adapters/kafka/topics/topic-admin.ts'
import { topicPlan } from '../../services/adapters/kafka/topics/topics.ts'
import { connectRegistry } from '../../services/adapters/registry/schema-registry.ts'
import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'
import { fatalFindings, refuseFatal } from '../../services/doctor/fatal-findings.ts'
import { customer, pipelineOf } from '../support/pipelines.ts'
import { startTestRedis } from '../support/redis.ts'
import { silentLogger } from '../support/silent-logger.ts'
import { type TestStack, testStack, uniqueName } from '../support/stack.ts'

let stack: TestStack
let admin: Admin

const openKafka = (brokers: readonly string[] = stack.kafkaBrokers) =>
  createKafka({ brokers, clientId: 'fatal-test', logger: silentLogger, retry: { retries: 1 } })

beforeAll(async () => {
  stack = await testStack()
  admin = openKafka().admin()
  await admin.connect()
  return () => admin.disconnect()
})

const findFatal = (definition: PipelineDefinition, redisUrl = stack.redisUrl) =>
  fatalFindings(definition, { openKafka, redisUrl })

/** A pipeline whose topics are all there, as `weir topics apply` makes them. */
async function placedPipeline(): Promise<PipelineDefinition> {
  const prefix = `${uniqueName('fatal')}.`
  const definition = pipelineOf({ entities: [customer], features: [] })
  const topics = Object.fromEntries(
    Object.entries(definition.topics).map(([role, topic]) => [role, `${prefix}${topic}`]),
  ) as PipelineDefinition['topics']
  const registry = connectRegistry(stack.registryUrl)
  onTestFinished(async () => {
    const left = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix))
    if (left.length > 0) await admin.deleteTopics({ topics: left })
  })
  try {
    await applyTopics({ admin, registry, plan: topicPlan({ names: topics, partitions: 2 }) })
  } finally {
    await registry.close()
  }
  return { ...definition, topics }
}

async function setConfig(topic: string, name: string, value: string): Promise<void> {
  const type = kafkajs.ConfigResourceTypes.TOPIC
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ type, name: topic, configEntries: [{ name, value }] }],
  })
}

test('fatal findings - none where the topics are as planned', async () => {
  expect(await findFatal(await placedPipeline())).toEqual([])
})

test('fatal findings - topics that are not there, all of them at once', async () => {
  const { topics } = await placedPipeline()
  const missing = { ...topics, scored: uniqueName('nowhere'), late: uniqueName('nowhere') }
  const definition = { ...pipelineOf({ entities: [customer], features: [] }), topics: missing }
  const findings = await findFatal(definition)
  expect(findings.map(({ found }) => found).sort()).toEqual(
    [`${missing.scored} is not there`, `${missing.late} is not there`].sort(),
  )
  expect(() => refuseFatal(findings)).toThrow(
    new RegExp(`${missing.scored} is not there. Change: run .weir topics apply.`),
  )
})

test.each([
  ['transactions', 'cleanup.policy', 'compact', 'cleanup policy'],
  ['scored', 'max.message.bytes', '1048588', 'batch size'],
  ['rejected', 'min.insync.replicas', '2', 'copies in sync'],
] as const)('fatal findings - %s with %s %s', async (role, setting, value, check) => {
  const definition = await placedPipeline()
  await setConfig(definition.topics[role]!, setting, value)
  const expected = [
    { system: 'kafka', check, level: 'fatal', change: expect.stringContaining(setting) },
  ]
  await expect.poll(() => findFatal(definition), { timeout: 30_000 }).toMatchObject(expected)
})

test('fatal findings - a Redis that is a replica', async (context) => {
  const own = await startTestRedis()
  onTestFinished(() => own.stop())
  if (own.pid === undefined) context.skip('the server is shared: its role is not ours to change')
  const raw = new Redis(own.url)
  onTestFinished(() => raw.disconnect())
  await raw.replicaof('127.0.0.1', 1)
  const findings = await findFatal(await placedPipeline(), own.url)
  expect(findings).toMatchObject([{ system: 'redis', check: 'role', level: 'fatal' }])
  expect(() => refuseFatal(findings)).toThrow(/WEIR_ENVIRONMENT_UNFIT.*WEIR_REDIS_URL/s)
})

test('fatal findings - a system that is away is thrown, for a later start may find it', async () => {
  const definition = pipelineOf({ entities: [customer], features: [] })
  await expect(findFatal(definition, 'redis://127.0.0.1:1')).rejects.toMatchObject({
    code: 'WEIR_ENRICH_STORE_AWAY',
    canRetry: true,
  })
  const nowhere = () => openKafka(['127.0.0.1:1'])
  await expect(
    fatalFindings(definition, { openKafka: nowhere, redisUrl: stack.redisUrl }),
  ).rejects.toMatchObject({ code: 'WEIR_KAFKA_AWAY', canRetry: true })
})
