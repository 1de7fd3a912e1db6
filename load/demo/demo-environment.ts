// Where one demo runs: a stack, topics with their schemas, connections.
//
// In: how many partitions, the pipeline file, who hears what is being set up. Out: the place, ready
// for a scorer. Refused: what the stack, the loader, the brokers or the registry refuse.
// Invariants: on endpoints that were given, everything carries a prefix of this run, so that an
// earlier demo is never counted again; a stack that was started here ends with close().

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryFolder } from '../../dev/stack/repository.ts'
import { type Stack, startStack } from '../../dev/stack/stack.ts'
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

export type DemoEnvironment = {
  readonly stack: Stack
  readonly definition: PipelineDefinition
  readonly kafka: Kafka
  readonly schemaIds: SchemaIds
  /** What a scorer is told by the environment. */
  readonly environment: Readonly<Record<string, string>>
  readonly groupId: string
  readonly logFolder: string
  readonly close: () => Promise<void>
}

export type Say = (line: string) => void

/** Retries are the client's own business; what fails for good reaches the demo as an exception. */
const silentLogger: KafkaLogger = { debug() {}, info() {}, warn() {}, error() {} }
const partitions = 4

export async function openDemoEnvironment(
  pipelineFile: string,
  say: Say,
): Promise<DemoEnvironment> {
  say('stack      Kafka, Redis and a schema registry (the first start on a machine downloads them)')
  const startedMs = performance.now()
  const stack = await startStack({ name: 'demo', say: (line) => say(`           ${line}`) })
  try {
    say(`           ${describeStack(stack)}, up in ${secondsSince(startedMs)} s`)
    return await makeTopics(stack, pipelineFile, say)
  } catch (error) {
    await stack.stop()
    throw error
  }
}

const secondsSince = (startedMs: number): string =>
  ((performance.now() - startedMs) / 1000).toFixed(1)

function describeStack({ kind, kafkaBrokers, redisUrl, registryUrl }: Stack): string {
  const words = { endpoints: 'as given', containers: 'in containers', native: 'native processes' }
  const addresses = [kafkaBrokers.join(','), new URL(redisUrl).host, new URL(registryUrl).host]
  return `${words[kind]} (${addresses.join('  ')})`
}

async function makeTopics(stack: Stack, pipelineFile: string, say: Say): Promise<DemoEnvironment> {
  const { kafkaBrokers: brokers, redisUrl, registryUrl } = stack
  const run = stack.kind === 'endpoints' ? `demo-${Date.now().toString(36)}` : ''
  const topicPrefix = run === '' ? '' : `${run}.`
  const definition = loadPipelineFile(pipelineFile, {
    manifestReader: readManifest,
    topicPrefix,
    baseFolder: repositoryFolder,
  })
  const kafka = createKafka({ brokers, clientId: 'weir-demo', logger: silentLogger })
  const plan = topicPlan({ ...topicsOf(definition), partitions })
  await applyPlan(kafka, stack, plan)
  say(`topics     ${plan.length} with their schemas, ${partitions} partitions each way`)
  const { transactions, labels } = definition.topics
  const schemaIds = {
    transactions: await findSchemaId(registryUrl, transactions),
    labels: labels === null ? 0 : await findSchemaId(registryUrl, labels),
  }
  const groupId = `weir.${definition.pipeline}${run === '' ? '' : `.${run}`}`
  const environment = {
    WEIR_KAFKA_BROKERS: brokers.join(','),
    WEIR_REDIS_URL: redisUrl,
    WEIR_REGISTRY_URL: registryUrl,
    WEIR_GROUP_ID: groupId,
    ...(run === '' ? {} : { WEIR_TOPIC_PREFIX: topicPrefix, WEIR_KEY_PREFIX: run }),
  }
  const logFolder = stack.folder ?? join(repositoryFolder, '.weir', 'demo')
  mkdirSync(logFolder, { recursive: true })
  const close = () => stack.stop()
  return { stack, definition, kafka, schemaIds, environment, groupId, logFolder, close }
}

async function applyPlan(
  kafka: Kafka,
  { kafkaBrokers, registryUrl }: Stack,
  plan: ReturnType<typeof topicPlan>,
): Promise<void> {
  const admin = kafka.admin()
  const registry = connectRegistry(registryUrl)
  try {
    await startKafka(kafkaBrokers, () => admin.connect())
    await applyTopics({ admin, registry, plan, mayAddPartitions: false })
  } finally {
    await registry.close()
    await admin.disconnect()
  }
}
