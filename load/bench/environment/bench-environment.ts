// The place of one run: endpoints, a pipeline with topics of its own, everything created.
//
// In: endpoints, a pipeline file. Out: the definition with its topics under a fresh prefix, created
// and registered as `weir topics apply` does, and connections for the bench itself. Refused: what
// the loader, the brokers or the registry refuse. Invariant: nothing here is shared with another
// run; close() removes topics and keys again (the registry keeps the subjects).

import { randomBytes } from 'node:crypto'
import { join, resolve } from 'node:path'
import { Redis } from 'ioredis'
import { repositoryFolder } from '../../../dev/stack/repository.ts'
import type { Stack } from '../../../dev/stack/stack-types.ts'
import {
  type Admin,
  createKafka,
  type Kafka,
  startKafka,
} from '../../../services/adapters/kafka/client/kafka-client.ts'
import { applyTopics } from '../../../services/adapters/kafka/topics/topic-admin.ts'
import { topicPlan, topicsOf } from '../../../services/adapters/kafka/topics/topics.ts'
import { loadPipelineFile } from '../../../services/adapters/pipeline-file/pipeline-file.ts'
import { readManifest } from '../../../services/adapters/pipeline-file/pipeline-manifest.ts'
import {
  connectRegistry,
  type Registry,
} from '../../../services/adapters/registry/schema-registry.ts'
import type { PipelineDefinition } from '../../../services/core/pipeline-definition.ts'
import { findSchemaId } from '../../generator/wire.ts'
import { silentLogger } from './pass-through.ts'

type BenchStack = Pick<Stack, 'kind' | 'kafkaBrokers' | 'redisUrl' | 'registryUrl'> & {
  readonly servers?: Stack['servers']
}

export type BenchEnvironment = {
  readonly stack: BenchStack
  readonly pipelineFile: string
  readonly definition: PipelineDefinition
  readonly prefix: string
  readonly groupId: string
  readonly partitions: number
  /** Of the input topic, for the generator. */
  readonly schemaIds: { readonly transactions: number; readonly labels: number }
  readonly kafka: Kafka
  readonly admin: Admin
  readonly registry: Registry
  readonly close: () => Promise<void>
}

export const benchPipelineFile = join(
  repositoryFolder,
  'load',
  'bench',
  'pipelines',
  'pipeline.yaml',
)
const partitions = 4
const keysPerScan = 1_000

export async function openBenchEnvironment(
  stack: BenchStack,
  pipeline = benchPipelineFile,
): Promise<BenchEnvironment> {
  const prefix = `bench-${randomBytes(5).toString('hex')}.`
  const pipelineFile = resolve(pipeline)
  const definition = loadPipelineFile(pipelineFile, {
    manifestReader: readManifest,
    topicPrefix: prefix,
    baseFolder: repositoryFolder,
  })
  const { kafkaBrokers: brokers, registryUrl } = stack
  const kafka = createKafka({ brokers, clientId: 'weir-bench', logger: silentLogger })
  const admin = kafka.admin()
  await startKafka(brokers, () => admin.connect())
  const registry = connectRegistry(registryUrl)
  const plan = topicPlan({ ...topicsOf(definition), partitions })
  const close = async () => {
    await admin.deleteTopics({ topics: plan.map(({ topic }) => topic) }).catch(() => undefined)
    await admin.disconnect()
    await registry.close()
    await removeKeys(stack.redisUrl, prefix)
  }
  try {
    await applyTopics({ admin, registry, plan, mayAddPartitions: false })
    const transactions = await findSchemaId(registryUrl, definition.topics.transactions)
    const schemaIds = { transactions, labels: 0 }
    const groupId = `${prefix}scorer`
    const names = { pipelineFile, definition, prefix, groupId, partitions, schemaIds }
    return { stack, ...names, kafka, admin, registry, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Opens a place, lets it be used, and removes it however that ends. */
export async function usePlace<T>(
  stack: BenchStack,
  pipeline: string | undefined,
  use: (place: BenchEnvironment) => Promise<T>,
): Promise<T> {
  const place = await openBenchEnvironment(stack, pipeline)
  try {
    return await use(place)
  } finally {
    await place.close()
  }
}

async function removeKeys(redisUrl: string, prefix: string): Promise<void> {
  const redis = new Redis(redisUrl)
  try {
    const scan = redis.scanStream({ match: `${prefix}*`, count: keysPerScan })
    for await (const keys of scan) if (keys.length > 0) await redis.unlink(...keys)
  } finally {
    redis.disconnect()
  }
}
