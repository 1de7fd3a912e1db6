// What brokers and registry have of the topics of a plan, read at once and without changing
// anything.
//
// In: the plan and the two connections. Out: each topic's size and settings, each subject's level
// and schema, and whether the registry would take ours by that level. Thrown: WEIR_KAFKA_AWAY,
// WEIR_REGISTRY_AWAY, and WEIR_TOPICS_DIFFER where the brokers do not let this user look.

import { readSchema } from '../../registry/schema-files.ts'
import {
  type CompatibilityLevel,
  type RegisteredSchema,
  type Registry,
  subjectOf,
} from '../../registry/schema-registry.ts'
import { askBroker } from '../client/broker-answer.ts'
import { type Admin, kafkajs } from '../client/kafka-client.ts'
import type { PlannedTopic } from './topics.ts'

/** What `weir topics` works with. */
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

export type FoundSubject = {
  readonly latest: RegisteredSchema | null
  /** null = none of its own, the registry's default counts. */
  readonly level: CompatibilityLevel | null
  readonly isRegistered: boolean
  /** By the subject's level as it is now: without one of its own, Apicurio accepts any schema. */
  readonly isCompatible: boolean
}

export type Found = {
  /** By topic; those that are not there are missing. */
  readonly topics: ReadonlyMap<string, FoundTopic>
  /** By topic, one for each. */
  readonly subjects: ReadonlyMap<string, FoundSubject>
}

export async function readTopics(
  admin: Admin,
  names: readonly string[],
): Promise<ReadonlyMap<string, FoundTopic>> {
  const existing = new Set(await askBroker(() => admin.listTopics()))
  const topics = names.filter((topic) => existing.has(topic))
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
        replication: Math.min(...partitions.map(({ replicas }) => replicas.length)),
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

export async function readSubjects(
  registry: Registry,
  plan: readonly PlannedTopic[],
): Promise<ReadonlyMap<string, FoundSubject>> {
  const subjects = await Promise.all(plan.map((planned) => readSubject(registry, planned)))
  return new Map(plan.map(({ topic }, i) => [topic, subjects[i]!]))
}

async function readSubject(
  registry: Registry,
  { topic, schema }: PlannedTopic,
): Promise<FoundSubject> {
  const subject = subjectOf(topic)
  const schemaText = readSchema(schema)
  const [id, latest, level] = await Promise.all([
    registry.lookUp(subject, schemaText),
    registry.latest(subject),
    registry.compatibility(subject),
  ])
  const isNew = id === null && latest !== null
  const isCompatible = !isNew || (await registry.testCompatibility(subject, schemaText))
  return { latest, level, isRegistered: id !== null, isCompatible }
}
