// What `weir topics apply` must never do to topics and subjects that are there: real brokers and
// registry.

import { beforeAll, expect, onTestFinished, test } from 'vitest'
import {
  type Admin,
  createKafka,
  type Kafka,
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
import { WeirError } from '../../../../services/core/errors.ts'
import { DAY_MS } from '../../../support/pipelines.ts'
import { silentLogger } from '../../../support/silent-logger.ts'
import { type TestStack, testStack, uniqueName } from '../../../support/stack.ts'

let stack: TestStack
let kafka: Kafka
let admin: Admin
let registry: Registry

beforeAll(async () => {
  stack = await testStack()
  registry = connectRegistry(stack.registryUrl)
  kafka = createKafka({
    brokers: stack.kafkaBrokers,
    clientId: 'apply-test',
    logger: silentLogger,
    retry: { initialRetryTime: 50, retries: 20 },
  })
  admin = kafka.admin()
  await admin.connect()
  return async () => {
    await admin.disconnect()
    await registry.close()
  }
})

const planOf = (prefix: string, overrides: TopicOverrides = {}) => ({
  admin,
  registry,
  plan: topicPlan({ prefix, partitions: 2, ...overrides }),
})

function uniquePrefix(): string {
  const prefix = `${uniqueName('harm')}.`
  onTestFinished(async () => {
    const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix))
    if (topics.length > 0) await admin.deleteTopics({ topics })
  })
  return prefix
}

async function makeTopic(topic: string, config: Readonly<Record<string, string>>): Promise<void> {
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
  await admin.createTopics({
    topics: [{ topic, numPartitions: 2, configEntries }],
    waitForLeaders: false,
  })
  await expect.poll(() => settingsOf(topic), { timeout: 60_000 }).toMatchObject(config)
}

async function settingsOf(topic: string): Promise<Readonly<Record<string, string>>> {
  if (!(await admin.listTopics()).includes(topic)) return {}
  const type = kafkajs.ConfigResourceTypes.TOPIC
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type, name: topic }],
  })
  return Object.fromEntries(
    resources[0]!.configEntries.map(({ configName, configValue }) => [configName, configValue]),
  )
}

async function setConfig(topic: string, changes: Readonly<Record<string, string>>): Promise<void> {
  const type = kafkajs.ConfigResourceTypes.TOPIC
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type, name: topic }],
  })
  const own = resources[0]!.configEntries
    .filter(({ configSource }) => configSource === kafkajs.ConfigSource.TOPIC_CONFIG)
    .map(({ configName, configValue }) => [configName, configValue] as const)
  const merged = new Map([...own, ...Object.entries(changes)])
  const configEntries = [...merged].map(([name, value]) => ({ name, value }))
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ type, name: topic, configEntries }],
  })
  await expect.poll(() => settingsOf(topic), { timeout: 60_000 }).toMatchObject(changes)
}

/** What a registry answers, text for text; 404s included. */
async function askRegistry(path: string): Promise<string> {
  const response = await fetch(`${stack.registryUrl}${path}`)
  return `${response.status} ${await response.text()}`
}

/** All that brokers and registry say of the names of a plan. */
async function everythingOf({ plan }: ReturnType<typeof planOf>): Promise<string> {
  const topics = await Promise.all(
    plan.map(async ({ topic }) => {
      const subject = subjectOf(topic)
      const latest = `/subjects/${subject}/versions/latest`
      return {
        topic,
        settings: await settingsOf(topic),
        subject: await askRegistry(`/subjects/${subject}/versions`),
        latest: await askRegistry(latest),
        level: await askRegistry(`/config/${subject}`),
      }
    }),
  )
  return JSON.stringify(topics, null, 1)
}

/** A payment team's topic, with events of 60 days ago, and its own schema and level. */
async function makePayments(prefix: string) {
  const topic = `${prefix}payments`
  const settings = {
    'retention.ms': '-1',
    'retention.bytes': '-1',
    'message.timestamp.type': 'CreateTime',
    'max.message.bytes': '1000000',
    'cleanup.policy': 'delete',
    'message.timestamp.before.max.ms': '9223372036854775807',
  }
  await makeTopic(topic, settings)
  const { fields, ...schema } = JSON.parse(readSchema('transaction'))
  const theirs = [...fields, { name: 'till', type: 'string', default: '' }]
  await registry.register(subjectOf(topic), JSON.stringify({ ...schema, fields: theirs }))
  await registry.updateCompatibility(subjectOf(topic), 'FORWARD')
  const producer = kafka.producer()
  await producer.connect()
  const timestamp = String(Date.now() - 60 * DAY_MS)
  await producer.send({ topic, messages: [{ key: 'c', value: 'old', timestamp, partition: 0 }] })
  await producer.disconnect()
  return { topic, settings }
}

test('apply - changes nothing of an input that was there, and tells its owner what would', async () => {
  const prefix = uniquePrefix()
  const { topic, settings } = await makePayments(prefix)
  const deps = planOf(prefix, { names: { transactions: 'payments' } })
  const ofPayments = async () => JSON.parse(await everythingOf(deps))[0]
  const before = await ofPayments()
  expect(before.settings).toMatchObject(settings)

  const changed = await applyTopics(deps)
  expect(changed.filter((one) => one.topic === topic)).toEqual([])
  expect(await ofPayments()).toEqual(before)
  expect((await admin.fetchTopicOffsets(topic)).find((one) => one.partition === 0)).toMatchObject({
    low: '0',
    high: '1',
  })
  // Everything else is there.
  const left = await checkTopics(deps)
  const bootstrap = stack.kafkaBrokers.length
  expect(left.map(({ setting, action }) => `${setting} ${action}`)).toEqual([
    'message.timestamp.type leave',
    'compatibility leave',
  ])
  const { brokers } = await admin.describeCluster()
  const address = brokers.map(({ host, port }) => `${host}:${port}`).join(',')
  expect(brokers.length).toBeGreaterThanOrEqual(bootstrap)
  expect(left[0]!.command).toBe(
    `kafka-configs.sh --bootstrap-server ${address} --alter --entity-type topics ` +
      `--entity-name ${topic} --add-config message.timestamp.type=LogAppendTime`,
  )
  expect(left[1]!.command).toBe(
    "curl -X PUT -H 'Content-Type: application/vnd.schemaregistry.v1+json' " +
      `--data '{"compatibility": "FULL_TRANSITIVE"}' ${stack.registryUrl}/config/${topic}-value`,
  )
})

test('apply - an input whose events cannot be read is named with the reason, and left alone', async () => {
  const prefix = uniquePrefix()
  const { topic } = await makePayments(prefix)
  const other = { type: 'record', name: 'Payment', namespace: 'bank', fields: [] }
  await registry.register(subjectOf(`${prefix}labels`), JSON.stringify(other))
  const deps = planOf(prefix, { names: { transactions: 'payments' } })
  const labels = async () => JSON.parse(await everythingOf(deps))[1].latest
  const before = await labels()
  await applyTopics(deps)
  expect(await labels()).toBe(before)
  const schema = (await checkTopics(deps)).filter(({ kind }) => kind === 'schema')
  expect(schema.map((one) => one.topic)).toEqual([`${prefix}labels`])
  expect(schema[0]!.reason).toMatch(/version 1 cannot be read: .*Payment/)
  expect(schema[0]!.command).toContain(
    `${stack.registryUrl}/subjects/${prefix}labels-value/versions`,
  )
  expect(topic).not.toBe(schema[0]!.topic)
})

test('apply - refused for a schema, brokers and registry are what they were, to the letter', async () => {
  const prefix = uniquePrefix()
  const deps = planOf(prefix)
  const subject = subjectOf(`${prefix}fraud.alerts`)
  const schema = JSON.parse(readSchema('fraud-alert'))
  const otherwise = schema.fields.map((field: { name: string }) =>
    field.name === 'score' ? { ...field, type: 'string' } : field,
  )
  await registry.register(subject, JSON.stringify({ ...schema, fields: otherwise }))
  // Once with a level under which the registry itself says no, once without.
  for (const level of [null, 'FULL'] as const) {
    if (level !== null) await registry.updateCompatibility(subject, level)
    const before = await everythingOf(deps)
    await expect(applyTopics(deps)).rejects.toMatchObject({
      code: 'WEIR_REGISTRY_INCOMPATIBLE',
      message: expect.stringMatching(
        /fraud\.alerts: .*cannot read old events: field score: .*string.*float/,
      ),
    })
    expect(await everythingOf(deps)).toBe(before)
  }
})

test('apply - refused by the brokers, nothing was set or registered either', async () => {
  const deps = planOf(uniquePrefix(), { replication: 30 })
  const before = await everythingOf(deps)
  await expect(applyTopics(deps)).rejects.toMatchObject({
    code: 'WEIR_TOPICS_DIFFER',
    message: expect.stringMatching(/The broker says: .*replication/i),
  })
  expect(await everythingOf(deps)).toBe(before)
})

test('apply - an output that somebody else writes is refused, and stays what it was', async () => {
  const prefix = uniquePrefix()
  const deps = planOf(prefix)
  const topic = `${prefix}fraud.alerts`
  await makeTopic(topic, { 'retention.ms': '3600000' })
  const other = { type: 'record', name: 'Alert', namespace: 'bank', fields: [] }
  await registry.register(subjectOf(topic), JSON.stringify(other))
  const before = await everythingOf(deps)
  await expect(applyTopics(deps)).rejects.toThrow(
    /fraud\.alerts-value holds bank\.Alert, not weir\.FraudAlert: the topic is somebody else's/,
  )
  expect(await everythingOf(deps)).toBe(before)
})

test('apply - an output that is there without a schema is left alone, unless apply has made it', async () => {
  const prefix = uniquePrefix()
  const deps = planOf(prefix)
  const topic = `${prefix}transactions.scored`
  await makeTopic(topic, { 'retention.ms': '3600000' })
  const before = JSON.parse(await everythingOf(deps))[2]
  await applyTopics(deps)
  expect(JSON.parse(await everythingOf(deps))[2]).toEqual(before)
  const left = (await checkTopics(deps)).filter((one) => one.topic === topic)
  expect(left.every(({ action }) => action === 'leave')).toBe(true)
  expect(left.map(({ setting }) => setting)).toEqual([
    'retention.ms',
    'max.message.bytes',
    'compatibility',
    'schema',
  ])

  // A registry that has forgotten everything, beside topics that apply has made.
  const forgotten = `${prefix}fraud.alerts`
  const erased = await fetch(`${stack.registryUrl}/subjects/${subjectOf(forgotten)}`, {
    method: 'DELETE',
  })
  expect(erased.status).toBe(200)
  // Its client remembers what it was told.
  const afresh = connectRegistry(stack.registryUrl)
  onTestFinished(() => afresh.close())
  const again = await applyTopics({ ...deps, registry: afresh })
  expect(again.map((one) => `${one.topic} ${one.kind}`)).toContain(`${forgotten} schema`)
  expect(await afresh.lookUp(subjectOf(forgotten), readSchema('fraud-alert'))).not.toBeNull()
})

test('apply - raises what is too little of its own topics, and lowers nothing', async () => {
  const prefix = uniquePrefix()
  const deps = planOf(prefix)
  await applyTopics(deps)
  const [scored, alerts] = [`${prefix}transactions.scored`, `${prefix}fraud.alerts`]
  const year = String(365 * DAY_MS)
  await setConfig(scored, { 'retention.ms': year, 'retention.bytes': '1000000000' })
  await setConfig(alerts, {
    'retention.ms': '86400000',
    'max.message.bytes': '20000000',
    'message.timestamp.type': 'LogAppendTime',
    'compression.type': 'zstd',
  })
  await registry.updateCompatibility(subjectOf(alerts), 'FULL_TRANSITIVE')
  await registry.updateCompatibility(subjectOf(scored), 'BACKWARD_TRANSITIVE')
  const before = await everythingOf(deps)
  expect(await applyTopics(deps)).toEqual([])
  expect(await everythingOf(deps)).toBe(before)
  const left = (await checkTopics(deps)).map(({ topic, setting, action }) => [
    topic,
    setting,
    action,
  ])
  expect(left).toEqual([
    [scored, 'retention.bytes', 'leave'],
    [scored, 'compatibility', 'leave'],
  ])

  await setConfig(scored, { 'retention.ms': '60000', 'segment.ms': '3600000' })
  const changed = await applyTopics(deps)
  expect(changed.map(({ setting }) => setting)).toEqual(['retention.ms'])
  expect(await settingsOf(scored)).toMatchObject({
    'retention.ms': String(45 * DAY_MS),
    'retention.bytes': '1000000000',
    'segment.ms': '3600000',
  })
})

test('apply - keeps for ever is more than any plan, and a longer look back is raised to', async () => {
  const prefix = uniquePrefix()
  await applyTopics(planOf(prefix))
  const scored = `${prefix}transactions.scored`
  const longer = planOf(prefix, { journalRetentionMs: 113 * DAY_MS })
  const changed = await applyTopics(longer)
  expect(changed.map(({ topic, setting }) => `${topic} ${setting}`)).toEqual([
    `${scored} retention.ms`,
  ])
  expect(await settingsOf(scored)).toMatchObject({ 'retention.ms': String(113 * DAY_MS) })
  await setConfig(scored, { 'retention.ms': '-1' })
  expect(await applyTopics(longer)).toEqual([])
  expect(await settingsOf(scored)).toMatchObject({ 'retention.ms': '-1' })
})

test('apply - cut off in the middle, it says what was done and what was not, and goes on when run again', async () => {
  const prefix = uniquePrefix()
  const deps = planOf(prefix)
  let registered = 0
  const failing: Registry = {
    ...registry,
    register: (subject, schemaText) => {
      registered += 1
      if (registered <= 2) return registry.register(subject, schemaText)
      throw new WeirError('WEIR_REGISTRY_AWAY', 'It was pulled out.')
    },
  }
  await expect(applyTopics({ ...deps, registry: failing })).rejects.toMatchObject({
    code: 'WEIR_REGISTRY_AWAY',
    message: expect.stringMatching(
      /pulled out.*came at: scored-transaction\.avsc.*Done before it: level .*label\.avsc.*Not done: scored-transaction.*topic .*apply` again/s,
    ),
  })
  expect((await admin.listTopics()).filter((topic) => topic.startsWith(prefix))).toEqual([])
  await applyTopics(deps)
  expect(await checkTopics(deps)).toEqual([])
})
