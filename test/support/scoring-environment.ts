// A place of its own for one end-to-end test, on the run's shared stack.
//
// In: a purpose, a pipeline file or the text of one, how many partitions, more of the environment.
// Out: topics with their schemas, and scorers as real processes that work there. Everything carries
// one unique name: topics, subjects, group, transactional ids and keys; so tests run side by side.
// Invariant: scorers hang on a supervisor, which ends them with this process, however that ends.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryFolder } from '../../dev/stack/repository.ts'
import { startSupervision } from '../../dev/stack/supervision.ts'
import type { KafkaTarget } from '../../load/generator/kafka-sink.ts'
import { type OpenLoopOptions, startOpenLoop } from '../../load/generator/open-loop.ts'
import type { Schedule } from '../../load/generator/schedule.ts'
import { findSchemaId, type SchemaIds } from '../../load/generator/wire.ts'
import { type ScorerProcess, startScorerProcess } from '../../load/scorer/scorer-process.ts'
import { createKafka, type Kafka } from '../../services/adapters/kafka/client/kafka-client.ts'
import { applyTopics } from '../../services/adapters/kafka/topics/topic-admin.ts'
import { topicPlan, topicsOf } from '../../services/adapters/kafka/topics/topics.ts'
import { loadPipelineFile } from '../../services/adapters/pipeline-file/pipeline-file.ts'
import { readManifest } from '../../services/adapters/pipeline-file/pipeline-manifest.ts'
import { connectRegistry } from '../../services/adapters/registry/schema-registry.ts'
import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'
import { silentLogger } from './silent-logger.ts'
import { type TestStack, testStack, uniqueName } from './stack.ts'

export type ScoringEnvironment = {
  readonly stack: TestStack
  readonly definition: PipelineDefinition
  /** Relative to the repository. */
  readonly pipelineFile: string
  readonly kafka: Kafka
  readonly schemaIds: SchemaIds
  /** The scorers' WEIR_* variables, for whatever else works in this place. */
  readonly environment: Readonly<Record<string, string>>
  readonly groupId: string
  /** Begins every key in Redis. */
  readonly keyPrefix: string
  /** @param more of the environment, for this scorer alone. */
  readonly startScorer: (more?: Readonly<Record<string, string>>) => Promise<ScorerProcess>
  readonly startTraffic: (wish: TrafficWish) => Promise<Schedule>
  /** All that were started, also those that have ended. */
  readonly scorers: () => readonly ScorerProcess[]
  readonly close: () => Promise<void>
}

/** Of the traffic all but where it goes. */
export type TrafficWish = Omit<OpenLoopOptions, keyof KafkaTarget | 'schemaIds' | 'connect'>

export type EnvironmentOptions = {
  readonly purpose: string
  readonly pipelineFile?: string
  /** Of a pipeline file that is written for this test, in place of `pipelineFile`. */
  readonly pipelineText?: string
  readonly partitions?: number
  /** One of the test's own, whose servers it stops; the run's shared one unless given. */
  readonly stack?: TestStack
  /** Of the scorers, besides where Kafka, Redis and the registry are. */
  readonly environment?: Readonly<Record<string, string>>
}

export async function openScoringEnvironment(
  options: EnvironmentOptions,
): Promise<ScoringEnvironment> {
  const { purpose, partitions = 4 } = options
  const stack = options.stack ?? (await testStack())
  const name = uniqueName(purpose)
  const topicPrefix = `${name}.`
  const folder = join(repositoryFolder, '.weir', 'tests', name)
  mkdirSync(folder, { recursive: true })
  const pipelineFile = choosePipeline(options, join('.weir', 'tests', name))
  const definition = loadPipelineFile(join(repositoryFolder, pipelineFile), {
    manifestReader: readManifest,
    topicPrefix,
    baseFolder: repositoryFolder,
  })
  const kafka = createKafka({ brokers: stack.kafkaBrokers, clientId: name, logger: silentLogger })
  const schemaIds = await makeTopics(stack, kafka, definition, partitions)
  const supervision = startSupervision(folder)
  const environment = {
    WEIR_KAFKA_BROKERS: stack.kafkaBrokers.join(','),
    WEIR_REDIS_URL: stack.redisUrl,
    WEIR_REGISTRY_URL: stack.registryUrl,
    WEIR_TOPIC_PREFIX: topicPrefix,
    WEIR_GROUP_ID: name,
    WEIR_KEY_PREFIX: name,
    ...options.environment,
  }
  const scorers: ScorerProcess[] = []
  const startScorer: ScoringEnvironment['startScorer'] = async (more = {}) => {
    const name = `scorer-${scorers.length + 1}`
    const logFile = join(folder, `${name}.log`)
    const own = { ...environment, ...more }
    const options = { supervision, name, pipelineFile, environment: own, logFile }
    const scorer = await startScorerProcess(options)
    scorers.push(scorer)
    return scorer
  }
  return {
    stack,
    definition,
    pipelineFile,
    kafka,
    schemaIds,
    environment,
    groupId: name,
    keyPrefix: name,
    startScorer,
    startTraffic: (wish) =>
      startOpenLoop({
        ...wish,
        brokers: stack.kafkaBrokers,
        transactionsTopic: definition.topics.transactions,
        labelsTopic: definition.topics.labels,
        schemaIds,
      }),
    scorers: () => scorers,
    close: async () => {
      await supervision.stop()
      if (process.env.WEIR_TEST_KEEP === undefined) rmSync(folder, { recursive: true })
    },
  }
}

/** Relative to the repository, as scorers start there. */
function choosePipeline(
  { pipelineFile = 'pipelines/card-fraud.yaml', pipelineText }: EnvironmentOptions,
  folder: string,
): string {
  if (pipelineText === undefined) return pipelineFile
  const file = join(folder, 'pipeline.yaml')
  writeFileSync(join(repositoryFolder, file), pipelineText)
  return file
}

/** The shipped pipeline with one of its lines replaced. */
export function replaceLine(begins: string, line: string): string {
  const text = readFileSync(join(repositoryFolder, 'pipelines', 'card-fraud.yaml'), 'utf8')
  const lines = text.split('\n')
  const at = lines.findIndex((found) => found.startsWith(begins))
  if (at < 0) throw new Error(`the shipped pipeline has no line that begins with ${begins}`)
  return lines.with(at, line).join('\n')
}

async function makeTopics(
  { registryUrl }: TestStack,
  kafka: Kafka,
  definition: PipelineDefinition,
  partitions: number,
): Promise<SchemaIds> {
  const admin = kafka.admin()
  const registry = connectRegistry(registryUrl)
  await admin.connect()
  try {
    await applyTopics({ admin, registry, plan: topicPlan({ ...topicsOf(definition), partitions }) })
  } finally {
    await registry.close()
    await admin.disconnect()
  }
  // Of events of another shape the test registers the schema, if there is one.
  const idOf = (role: 'transactions' | 'labels') => {
    const topic = definition.topics[role]
    const isOurs = topic !== null && !definition.input[role].isDeclared
    return isOurs ? findSchemaId(registryUrl, topic) : 0
  }
  const [transactions, labels] = await Promise.all([idOf('transactions'), idOf('labels')])
  return { transactions, labels }
}
