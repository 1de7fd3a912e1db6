// Where one campaign runs: topics, a group and keys of its own on a stack that is to be hurt.
//
// In: brokers and registry as whoever watches sees them, and the ports of the wires that scorers
// have to use. Out: the pipeline's definition with its topics made, and what a scorer is told by
// the environment. Refused: what the loader, the brokers or the registry refuse. Invariant: the
// watcher never goes through a wire, and a scorer always does.

import { join } from 'node:path'
import { repositoryFolder } from '../../dev/stack/repository.ts'
import {
  createKafka,
  type Kafka,
  type KafkaLogger,
  startKafka,
} from '../../services/adapters/kafka/client/kafka-client.ts'
import { applyTopics } from '../../services/adapters/kafka/topics/topic-admin.ts'
import { topicPlan, topicsOf } from '../../services/adapters/kafka/topics/topics.ts'
import { loadPipelineFile } from '../../services/adapters/pipeline-file/pipeline-file.ts'
import { readManifest } from '../../services/adapters/pipeline-file/pipeline-manifest.ts'
import { connectRegistry } from '../../services/adapters/registry/schema-registry.ts'
import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'
import { findSchemaId, type SchemaIds } from '../generator/wire.ts'
import { writeChaosPipeline } from './chaos-pipeline.ts'

export type ChaosEnvironment = {
  readonly brokers: readonly string[]
  readonly definition: PipelineDefinition
  readonly pipelineFile: string
  readonly kafka: Kafka
  readonly schemaIds: SchemaIds
  readonly groupId: string
  readonly environment: Readonly<Record<string, string>>
  readonly removeTopics: () => Promise<void>
}

type ChaosPlaceOptions = {
  /** Unique on the stack; begins every name. */
  readonly name: string
  /** Relative to the repository; the campaign runs a copy that meets more. */
  readonly pipelineFile: string
  /** Where the copy is put. */
  readonly folder: string
  readonly brokers: readonly string[]
  readonly registryUrl: string
  /** As scorers are told. */
  readonly redisUrl: string
  readonly wires: {
    readonly kafkaPorts: readonly number[]
    readonly registryPort: number
  }
}

/**
 * Retries are the client's own business; what fails for good reaches the campaign as an exception.
 */
const silentLogger: KafkaLogger = { debug() {}, info() {}, warn() {}, error() {} }
const partitions = 4

export async function openChaosEnvironment(options: ChaosPlaceOptions): Promise<ChaosEnvironment> {
  const { name, brokers, registryUrl, wires } = options
  const given = join(repositoryFolder, options.pipelineFile)
  const pipelineFile = writeChaosPipeline(given, options.folder)
  const definition = loadPipelineFile(pipelineFile, {
    manifestReader: readManifest,
    topicPrefix: `${name}.`,
    baseFolder: repositoryFolder,
  })
  const kafka = createKafka({ brokers, clientId: 'weir-chaos', logger: silentLogger })
  const replication = brokers.length
  const plan = topicPlan({ ...topicsOf(definition), partitions, replication })
  const admin = kafka.admin()
  const registry = connectRegistry(registryUrl)
  try {
    await startKafka(brokers, () => admin.connect())
    await applyTopics({ admin, registry, plan })
  } finally {
    await registry.close()
    await admin.disconnect()
  }
  const { transactions, labels } = definition.topics
  const schemaIds = {
    transactions: await findSchemaId(registryUrl, transactions),
    labels: labels === null ? 0 : await findSchemaId(registryUrl, labels),
  }
  const wiredRegistry = new URL(registryUrl)
  wiredRegistry.port = String(wires.registryPort)
  const environment = {
    WEIR_KAFKA_BROKERS: wires.kafkaPorts.map((port) => `127.0.0.1:${port}`).join(','),
    WEIR_REDIS_URL: options.redisUrl,
    WEIR_REGISTRY_URL: wiredRegistry.toString(),
    WEIR_TOPIC_PREFIX: `${name}.`,
    WEIR_GROUP_ID: name,
    WEIR_KEY_PREFIX: name,
  }
  const removeTopics = async () => {
    const admin = kafka.admin()
    await admin.connect()
    await admin.deleteTopics({ topics: plan.map(({ topic }) => topic) }).catch(() => undefined)
    await admin.disconnect()
  }
  const names = { brokers, definition, pipelineFile, groupId: name }
  return { ...names, kafka, schemaIds, environment, removeTopics }
}
