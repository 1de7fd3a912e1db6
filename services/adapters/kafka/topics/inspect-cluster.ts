// What a Kafka cluster says of itself, without changing anything: brokers, settings, topics,
// versions.
//
// In: a way to open clients (a second one knocks at each advertised listener), and names of topics.
// Out: a ClusterSight. What the user may not see is null and never guessed. Thrown: WEIR_KAFKA_AWAY
// when the first broker does not answer. Invariant: only Metadata, DescribeConfigs, ListOffsets and
// ApiVersions are asked; the settings of a broker that does not answer are not asked for.

import { askBroker } from '../client/broker-answer.ts'
import { type Admin, type Kafka, kafkajs } from '../client/kafka-client.ts'

type PartitionSight = {
  readonly partition: number
  readonly hasLeader: boolean
  readonly replicas: number
  readonly inSync: number
}

export type ConfigSight = ReadonlyMap<string, string>

export type TopicSight = {
  readonly partitions: readonly PartitionSight[]
  /** null where describing it is not permitted. */
  readonly config: ConfigSight | null
}

export type BrokerSight = {
  readonly nodeId: number
  /** As the broker advertises it. */
  readonly address: string
  /** Why it could not be reached there; null = it answered. */
  readonly trouble: string | null
  readonly config: ConfigSight | null
}

export type ClusterSight = {
  readonly brokers: readonly BrokerSight[]
  /** Highest version of each request, by the request's number; null where the client hides it. */
  readonly requests: ReadonlyMap<number, number> | null
  /** Those of the wanted topics, and of Kafka's own, that are there. */
  readonly topics: ReadonlyMap<string, TopicSight>
}

/**
 * Opens a client; with an address, one that knows this broker alone and does not retry for long.
 */
export type OpenKafka = (brokers?: readonly string[]) => Kafka

/** Committed offsets and the state of transactions live in topics of their own. */
export const ownTopics = ['__consumer_offsets', '__transaction_state'] as const

export async function inspectCluster(
  openKafka: OpenKafka,
  wanted: readonly string[],
): Promise<ClusterSight> {
  const kafka = openKafka()
  const admin = kafka.admin()
  try {
    await askBroker(() => admin.connect())
    const [brokers, topics, requests] = await Promise.all([
      inspectBrokers(admin, openKafka),
      inspectTopics(admin, [...wanted, ...ownTopics]),
      readRequestVersions(kafka),
    ])
    return { brokers, topics, requests }
  } finally {
    await admin.disconnect()
  }
}

async function inspectBrokers(admin: Admin, openKafka: OpenKafka): Promise<BrokerSight[]> {
  const { brokers } = await askBroker(() => admin.describeCluster())
  return Promise.all(
    brokers.map(async ({ nodeId, host, port }) => {
      const address = `${host}:${port}`
      const trouble = await knock(openKafka([address]))
      const type = kafkajs.ConfigResourceTypes.BROKER
      const config = trouble === null ? await readConfig(admin, type, [String(nodeId)]) : null
      return { nodeId, address, trouble, config: config?.get(String(nodeId)) ?? null }
    }),
  )
}

/** A whole hello, with TLS and login: the name in a certificate may fit one listener only. */
async function knock(kafka: Kafka): Promise<string | null> {
  const admin = kafka.admin()
  try {
    await admin.connect()
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    await admin.disconnect()
  }
}

async function inspectTopics(
  admin: Admin,
  wanted: readonly string[],
): Promise<ReadonlyMap<string, TopicSight>> {
  const existing = new Set(await askBroker(() => admin.listTopics()))
  const topics = wanted.filter((topic) => existing.has(topic))
  if (topics.length === 0) return new Map()
  const metadata = await askBroker(() => admin.fetchTopicMetadata({ topics }))
  const configs = await readConfig(admin, kafkajs.ConfigResourceTypes.TOPIC, topics)
  return new Map(
    metadata.topics.map(({ name, partitions }) => [
      name,
      {
        partitions: partitions.map(({ partitionId, leader, replicas, isr }) => ({
          partition: partitionId,
          hasLeader: leader >= 0,
          replicas: replicas.length,
          inSync: isr.length,
        })),
        config: configs?.get(name) ?? null,
      },
    ]),
  )
}

/** Settings by the resource's name; null where the broker does not show them to this user. */
async function readConfig(
  admin: Admin,
  type: number,
  names: readonly string[],
): Promise<ReadonlyMap<string, ConfigSight> | null> {
  try {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: names.map((name) => ({ type, name })),
    })
    return new Map(
      resources.map(({ resourceName, configEntries }) => [
        resourceName,
        new Map(configEntries.map(({ configName, configValue }) => [configName, configValue])),
      ]),
    )
  } catch (error) {
    if ((error as { type?: unknown }).type === undefined) throw error
    return null
  }
}

type RequestVersions = Readonly<Record<string, { readonly maxVersion: number }>>
type InnerCluster = {
  readonly connect: () => Promise<void>
  readonly disconnect: () => Promise<void>
  readonly brokerPool?: { readonly versions?: RequestVersions | null }
}

/**
 * A broker tells which versions of each request it takes, and nothing else of its own version. The
 * client asks for them when it connects and has no public name for the answer.
 */
async function readRequestVersions(kafka: Kafka): Promise<ReadonlyMap<number, number> | null> {
  const name = Object.getOwnPropertySymbols(kafka).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  )
  if (name === undefined) return null
  const create = (kafka as unknown as Record<symbol, (options: object) => InnerCluster>)[name]!
  const cluster = create({ metadataMaxAge: 60_000 })
  try {
    await askBroker(() => cluster.connect())
    const versions = cluster.brokerPool?.versions
    if (!versions) return null
    return new Map(Object.entries(versions).map(([key, range]) => [Number(key), range.maxVersion]))
  } finally {
    await cluster.disconnect()
  }
}
