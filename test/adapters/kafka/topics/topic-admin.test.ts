// Topics and subjects on the real brokers and registry: mended once, checked, refused with reasons.

import { beforeAll, expect, onTestFinished, test } from 'vitest'
import {
  type Admin,
  createKafka,
  kafkajs,
} from '../../../../services/adapters/kafka/client/kafka-client.ts'
import { applyTopics, checkTopics } from '../../../../services/adapters/kafka/topics/topic-admin.ts'
import {
  type TopicOverrides,
  topicPlan,
} from '../../../../services/adapters/kafka/topics/topics.ts'
import { readSchema } from '../../../../services/adapters/registry/schema-files.ts'
import {
  connectRegistry,
  type Registry,
  subjectOf,
} from '../../../../services/adapters/registry/schema-registry.ts'
import { testStack, uniqueName } from '../../../support/stack.ts'

const ignore = () => {}
const logger = { debug: ignore, info: ignore, warn: ignore, error: ignore }

let admin: Admin
let registry: Registry

beforeAll(async () => {
  const { kafkaBrokers, registryUrl } = await testStack()
  registry = connectRegistry(registryUrl)
  admin = createKafka({ brokers: kafkaBrokers, clientId: 'topic-admin-test', logger }).admin()
  await admin.connect()
  return async () => {
    await admin.disconnect()
    await registry.close()
  }
})

/** A plan of its own for each test; its topics are deleted afterwards. */
function planOf(prefix: string, overrides: TopicOverrides = {}) {
  return { admin, registry, plan: topicPlan({ prefix, partitions: 2, ...overrides }) }
}

function uniquePrefix(): string {
  const prefix = `${uniqueName('admin')}.`
  onTestFinished(async () => {
    const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix))
    if (topics.length > 0) await admin.deleteTopics({ topics })
  })
  return prefix
}

const topicsWith = async (prefix: string) =>
  (await admin.listTopics()).filter((topic) => topic.startsWith(prefix))

async function setConfig(topic: string, name: string, value: string): Promise<void> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }],
  })
  const own = resources[0]!.configEntries
    .filter(({ configSource }) => configSource === kafkajs.ConfigSource.TOPIC_CONFIG)
    .map(({ configName, configValue }) => ({ name: configName, value: configValue }))
    .filter((entry) => entry.name !== name)
  await admin.alterConfigs({
    validateOnly: false,
    resources: [
      {
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name: topic,
        configEntries: [...own, { name, value }],
      },
    ],
  })
  await expect.poll(() => configOf(topic, name), { timeout: 30_000 }).toBe(value)
}

async function configOf(topic: string, name: string): Promise<string | undefined> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }],
  })
  return resources[0]!.configEntries.find(({ configName }) => configName === name)?.configValue
}

test('topic admin - check finds all missing and changes nothing', async () => {
  const prefix = uniquePrefix()
  const deps = planOf(prefix)
  const differences = await checkTopics(deps)
  const topics = deps.plan.map(({ topic }) => topic).sort()
  for (const kind of ['topic', 'compatibility', 'schema']) {
    const ofKind = differences.filter((difference) => difference.kind === kind)
    expect(ofKind.map(({ topic }) => topic).sort()).toEqual(topics)
  }
  expect(await topicsWith(prefix)).toEqual([])
  expect(await registry.latest(subjectOf(`${prefix}transactions`))).toBeNull()
})

test('topic admin - apply makes it so, and a second apply changes nothing', async () => {
  const prefix = uniquePrefix()
  const deps = planOf(prefix)
  expect((await applyTopics(deps)).length).toBe(33)
  expect(await checkTopics(deps)).toEqual([])
  expect(await applyTopics(deps)).toEqual([])

  const scored = `${prefix}transactions.scored`
  const { topics } = await admin.fetchTopicMetadata({ topics: [scored] })
  expect(topics[0]!.partitions).toHaveLength(2)
  expect(await configOf(`${prefix}transactions`, 'message.timestamp.type')).toBe('LogAppendTime')
  expect(await configOf(`${prefix}model.control`, 'cleanup.policy')).toBe('compact')
  expect(await registry.compatibility(subjectOf(scored))).toBe('FULL')
  expect(await registry.lookUp(subjectOf(scored), readSchema('scored-transaction'))).not.toBeNull()
})

test('topic admin - mends a changed setting and leaves those of others alone', async () => {
  const prefix = uniquePrefix()
  const deps = planOf(prefix)
  await applyTopics(deps)
  const topic = `${prefix}transactions.scored`
  await setConfig(topic, 'retention.ms', '60000')
  await setConfig(topic, 'segment.ms', '3600000')
  const difference = {
    topic,
    kind: 'config',
    setting: 'retention.ms',
    found: '60000',
    planned: '3888000000',
    action: 'change',
    reason: null,
    command: null,
  }
  expect(await checkTopics(deps)).toEqual([difference])
  expect(await applyTopics(deps)).toEqual([difference])
  expect(await configOf(topic, 'retention.ms')).toBe('3888000000')
  expect(await configOf(topic, 'segment.ms')).toBe('3600000')
})

test('topic admin - adds partitions only when told to, and never takes them away', async () => {
  const prefix = uniquePrefix()
  await applyTopics(planOf(prefix))
  const larger = planOf(prefix, { partitions: 3 })
  await expect(applyTopics(larger)).rejects.toMatchObject({
    code: 'WEIR_TOPICS_DIFFER',
    message: expect.stringMatching(/partitions is 2, planned 3.*--add-partitions/),
  })
  await applyTopics({ ...larger, mayAddPartitions: true })
  // Inputs are left to their owners, with the command.
  const left = await checkTopics(larger)
  expect(left.map(({ topic, setting, action }) => `${topic} ${setting} ${action}`)).toEqual([
    `${prefix}transactions partitions leave`,
    `${prefix}labels partitions leave`,
  ])
  expect(left[0]!.command).toMatch(/^kafka-topics\.sh .* --alter .*transactions --partitions 3$/)
  const smaller = { ...planOf(prefix, { partitions: 1 }), mayAddPartitions: true }
  await expect(applyTopics(smaller)).rejects.toThrow(/cannot take partitions away.*--partitions 3/)
  const refused = (await checkTopics(smaller)).filter(({ action }) => action === 'refuse')
  expect(refused.map(({ kind }) => kind)).toEqual(Array(5).fill('partitions'))
})

test('topic admin - refuses an incompatible schema with its reason, before it does anything', async () => {
  const prefix = uniquePrefix()
  const deps = planOf(prefix)
  const subject = subjectOf(`${prefix}fraud.alerts`)
  const schema = JSON.parse(readSchema('fraud-alert'))
  const otherwise = schema.fields.map((field: { name: string }) =>
    field.name === 'score' ? { ...field, type: 'string' } : field,
  )
  await registry.register(subject, JSON.stringify({ ...schema, fields: otherwise }))
  await expect(applyTopics(deps)).rejects.toMatchObject({
    code: 'WEIR_REGISTRY_INCOMPATIBLE',
    message: expect.stringMatching(
      new RegExp(`${prefix}fraud.alerts: .*Incompatible with version 1: `),
    ),
  })
  expect(await topicsWith(prefix)).toEqual([])
  for (const { topic } of deps.plan) {
    const version = (await registry.latest(subjectOf(topic)))?.version ?? 0
    expect(version, topic).toBe(subjectOf(topic) === subject ? 1 : 0)
  }
  const refused = (await checkTopics(deps)).filter(({ action }) => action === 'refuse')
  expect(refused).toMatchObject([{ topic: `${prefix}fraud.alerts`, kind: 'schema' }])
})

test('topic admin - registers a compatible change as the next version', async () => {
  const prefix = uniquePrefix()
  const deps = planOf(prefix)
  const subject = subjectOf(`${prefix}fraud.alerts`)
  const schema = JSON.parse(readSchema('fraud-alert'))
  const wider = { ...schema, fields: [...schema.fields, { name: 'x', type: 'int', default: 0 }] }
  await registry.register(subject, JSON.stringify(wider))
  const changed = await applyTopics(deps)
  expect(changed).toContainEqual({
    topic: `${prefix}fraud.alerts`,
    kind: 'schema',
    setting: 'schema',
    found: 'version 1, another schema',
    planned: 'fraud-alert.avsc',
    action: 'change',
    reason: null,
    command: null,
  })
  expect(await registry.latest(subject)).toMatchObject({ version: 2 })
  expect(await checkTopics(deps)).toEqual([])
})

test('topic admin - refuses to make outputs narrower than the input that is there', async () => {
  const prefix = uniquePrefix()
  await admin.createTopics({
    topics: [{ topic: `${prefix}transactions`, numPartitions: 3 }],
    waitForLeaders: false,
  })
  await expect.poll(() => topicsWith(prefix), { timeout: 30_000 }).toHaveLength(1)
  await expect(applyTopics(planOf(prefix))).rejects.toThrow(/its own number: set --partitions 3/)
  expect(await topicsWith(prefix)).toHaveLength(1)
  await applyTopics(planOf(prefix, { partitions: 3 }))
  expect(await topicsWith(prefix)).toHaveLength(11)
})

test("topic admin - shows the broker's reason when it says no", async () => {
  const deps = planOf(uniquePrefix(), { replication: 30 })
  await expect(applyTopics(deps)).rejects.toMatchObject({
    code: 'WEIR_TOPICS_DIFFER',
    message: expect.stringMatching(/The broker says: .*replication/i),
  })
})
