// What stands between brokers and registry and the plan, as data: nothing here changes anything.
//
// In: the plan and the two connections. Out: one TopicDifference per setting that is not as planned,
// with the reason where mending it would do harm. Thrown: WEIR_KAFKA_AWAY, WEIR_REGISTRY_AWAY.
// Invariant: no difference means that a service can read and write every topic of the plan.

import { readSchema } from '../../registry/schema-files.ts'
import { type Registry, subjectOf } from '../../registry/schema-registry.ts'
import { askBroker } from '../client/broker-answer.ts'
import { type Admin, kafkajs } from '../client/kafka-client.ts'
import type { PlannedTopic } from './topics.ts'

export type TopicDifference = {
  readonly topic: string
  readonly kind: 'topic' | 'partitions' | 'replication' | 'config' | 'compatibility' | 'schema'
  /** Which setting differs: a topic configuration's name, or the kind. */
  readonly setting: string
  readonly found: string
  readonly planned: string
  /** Why apply leaves it alone; null = apply mends it. */
  readonly refusal: string | null
}

export type TopicAdmin = {
  readonly admin: Admin
  readonly registry: Registry
  readonly plan: readonly PlannedTopic[]
  /** Partitions are added only where this is true. */
  readonly mayAddPartitions?: boolean
}

export type FoundTopic = {
  readonly partitions: number
  readonly replication: number
  readonly config: Config
}
/** Every setting of a topic; `own` are those set on the topic itself, not inherited. */
type Config = { readonly all: Map<string, string>; readonly own: Map<string, string> }

export async function readTopics({
  admin,
  plan,
}: TopicAdmin): Promise<ReadonlyMap<string, FoundTopic>> {
  const existing = new Set(await askBroker(() => admin.listTopics()))
  const topics = plan.map(({ topic }) => topic).filter((topic) => existing.has(topic))
  if (topics.length === 0) return new Map()
  const metadata = await askBroker(() => admin.fetchTopicMetadata({ topics }))
  const described = await askBroker(() =>
    admin.describeConfigs({
      includeSynonyms: false,
      resources: topics.map((name) => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name })),
    }),
  )
  const configs = new Map(described.resources.map((r) => [r.resourceName, readConfig(r)]))
  return new Map(
    metadata.topics.map(({ name, partitions }) => [
      name,
      {
        partitions: partitions.length,
        replication: partitions[0]?.replicas.length ?? 0,
        config: configs.get(name) ?? { all: new Map(), own: new Map() },
      },
    ]),
  )
}

type DescribedResource = Awaited<ReturnType<Admin['describeConfigs']>>['resources'][number]

function readConfig({ configEntries }: DescribedResource): Config {
  const own = configEntries.filter(
    ({ configSource }) => configSource === kafkajs.ConfigSource.TOPIC_CONFIG,
  )
  const pairs = (entries: typeof configEntries) =>
    new Map(entries.map(({ configName, configValue }) => [configName, configValue]))
  return { all: pairs(configEntries), own: pairs(own) }
}

export function compareTopic(
  deps: TopicAdmin,
  planned: PlannedTopic,
  topics: ReadonlyMap<string, FoundTopic>,
): TopicDifference[] {
  const { topic } = planned
  const found = topics.get(topic)
  if (found === undefined) {
    const size = `${planned.partitions} partitions, ${planned.replication} replicas`
    return [mendable({ topic, kind: 'topic', setting: 'topic', found: 'none', planned: size })]
  }
  const differences: TopicDifference[] = []
  const compare = (kind: 'partitions' | 'replication', refusal: string | null) => {
    if (found[kind] === planned[kind]) return
    const values = { found: String(found[kind]), planned: String(planned[kind]) }
    differences.push({ topic, kind, setting: kind, ...values, refusal })
  }
  compare('partitions', refusePartitions(deps, found.partitions, planned.partitions))
  compare('replication', 'Replicas are moved with kafka-reassign-partitions, or set --replication.')
  for (const [setting, value] of Object.entries(planned.config)) {
    const current = found.config.all.get(setting) ?? 'none'
    if (current === value) continue
    differences.push(mendable({ topic, kind: 'config', setting, found: current, planned: value }))
  }
  return differences
}

function refusePartitions(deps: TopicAdmin, found: number, planned: number): string | null {
  if (found > planned) return `Kafka cannot take partitions away: set --partitions ${found}.`
  if (deps.mayAddPartitions === true) return null
  return (
    "More partitions move keys to other lanes, where a customer's events may overtake each other: " +
    `set --partitions ${found}, or add them with --add-partitions when no event is waiting.`
  )
}

export async function compareLevel(
  { registry }: TopicAdmin,
  { topic, compatibility }: PlannedTopic,
): Promise<TopicDifference[]> {
  const level = await registry.compatibility(subjectOf(topic))
  if (level === compatibility) return []
  const found = level ?? 'none of its own'
  const kind = 'compatibility'
  return [mendable({ topic, kind, setting: kind, found, planned: compatibility })]
}

/** By the subject's level as it is now: without one of its own, Apicurio accepts any schema. */
export async function compareSchema(
  { registry }: TopicAdmin,
  { topic, schema }: PlannedTopic,
): Promise<TopicDifference[]> {
  const subject = subjectOf(topic)
  const schemaText = readSchema(schema)
  if ((await registry.lookUp(subject, schemaText)) !== null) return []
  const latest = await registry.latest(subject)
  const found = latest === null ? 'none' : `version ${latest.version}, another schema`
  const isCompatible = await registry.testCompatibility(subject, schemaText)
  const refusal = isCompatible ? null : 'The registry calls it incompatible with what it has.'
  return [{ topic, kind: 'schema', setting: 'schema', found, planned: `${schema}.avsc`, refusal }]
}

const mendable = (difference: Omit<TopicDifference, 'refusal'>): TopicDifference => ({
  ...difference,
  refusal: null,
})
