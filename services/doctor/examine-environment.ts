// The whole examination: every system, one after the other or side by side, whatever others answer.
//
// In: a pipeline and ways to its place. Out: findings in the order of `systems`. Nothing is written
// unless a probe is asked for, which makes one topic and deletes it. Invariant: a system that is
// away costs its own findings and nobody else's.

import {
  type ClockSight,
  hasRecordsAfter,
  probeBrokerClock,
} from '../adapters/kafka/topics/inspect-clock.ts'
import {
  type ClusterSight,
  inspectCluster,
  type OpenKafka,
} from '../adapters/kafka/topics/inspect-cluster.ts'
import { inspectRedis, type RedisSight } from '../adapters/redis/inspect/inspect-redis.ts'
import { inspectSubjects } from '../adapters/registry/inspect-registry.ts'
import type { Registry } from '../adapters/registry/schema-registry.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import type { ModelSettings } from '../core/settings.ts'
import { type ClocksSight, clockExamination, SKEW_MS_MAX } from './clock-checks.ts'
import { examine, type Finding } from './finding.ts'
import { kafkaExamination } from './kafka-checks.ts'
import { inspectModels, modelExamination } from './model-checks.ts'
import { type Needs, needsOf } from './needs.ts'
import type { MemoryForecast } from './predict-memory.ts'
import { redisExamination } from './redis-checks.ts'
import { registryExamination, wantedSubjects } from './registry-checks.ts'

type ExaminedEnvironment = {
  readonly openKafka: OpenKafka
  readonly openRegistry: () => Registry
  readonly redisUrl: string
  readonly models?: ModelSettings
  /** Measure the brokers' clock by a record to a topic of its own. */
  readonly probes: boolean
}

export async function examineEnvironment(
  definition: PipelineDefinition,
  place: ExaminedEnvironment,
  forecast: MemoryForecast | null = null,
): Promise<readonly Finding[]> {
  const needs = needsOf(definition, forecast)
  const wanted = needs.plan.map(({ topic }) => topic)
  // Redis first and alone: its round trips are timed, and all the others keep this thread busy.
  const redis = inspectRedis(place.redisUrl)
  await redis.catch(() => undefined)
  const cluster = inspectCluster(place.openKafka, wanted)
  const findings = await Promise.all([
    examine(kafkaExamination, () => cluster, needs),
    examine(redisExamination, () => redis, needs),
    examine(registryExamination, () => inspectRegistry(place, needs), needs),
    examine(clockExamination, () => inspectClocks(place, needs, { cluster, redis }), needs),
    examine(modelExamination, () => inspectModels(definition, place.models), needs),
  ])
  return findings.flat()
}

async function inspectRegistry({ openRegistry }: ExaminedEnvironment, needs: Needs) {
  const registry = openRegistry()
  try {
    return await inspectSubjects(registry, wantedSubjects(needs))
  } finally {
    await registry.close()
  }
}

type Sights = {
  readonly cluster: Promise<ClusterSight>
  readonly redis: Promise<RedisSight>
}

/** Of systems that are away nothing is known here; their own findings say why. */
async function inspectClocks(
  { openKafka, probes }: ExaminedEnvironment,
  { plan }: Needs,
  sights: Sights,
): Promise<ClocksSight> {
  const redis = await sights.redis.then(
    ({ clock }) => clock,
    () => null,
  )
  const cluster = await sights.cluster.catch(() => null)
  if (cluster === null) return { redis, broker: null, hasFutureStamps: null }
  const broker: ClockSight | null = probes ? await probeBrokerClock(openKafka()) : null
  const stamped = plan
    .map(({ topic }) => topic)
    .filter(
      (topic) =>
        cluster.topics.get(topic)?.config?.get('message.timestamp.type') === 'LogAppendTime',
    )
  const hasFutureStamps = stamped.length > 0 ? await findFutureStamps(openKafka, stamped) : null
  return { redis, broker, hasFutureStamps }
}

async function findFutureStamps(openKafka: OpenKafka, topics: readonly string[]): Promise<boolean> {
  const admin = openKafka().admin()
  await admin.connect()
  try {
    for (const topic of topics) {
      if (await hasRecordsAfter(admin, topic, Date.now() + SKEW_MS_MAX)) return true
    }
    return false
  } finally {
    await admin.disconnect()
  }
}
