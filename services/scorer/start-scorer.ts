// The scorer, assembled: adapters plugged into the house, the house between the lanes.
//
// In: a pipeline definition and the settings of the place. Out: a running scorer with its health
// server, and `drain`. Refused at start: whatever an adapter refuses (no broker, no registry, a model
// that does not fit); nothing is left open then. Invariant: this is the only place that knows all
// adapters of the live path; the rooms and the lanes see their ports.

import { setTimeout as pause } from 'node:timers/promises'
import packageJson from '../../package.json' with { type: 'json' }
import { startHealthServer } from '../adapters/http/health-server.ts'
import { createReadiness } from '../adapters/http/readiness.ts'
import { acceleration, type Kafka, type KafkaLogger } from '../adapters/kafka/kafka-client.ts'
import { createLaneConsumer } from '../adapters/kafka/lane-consumer.ts'
import { openLaneIds } from '../adapters/kafka/lane-ids.ts'
import { createLaneTransactions } from '../adapters/kafka/lane-transactions.ts'
import { createLogger } from '../adapters/prometheus/logger.ts'
import { createObserver, type Snapshot } from '../adapters/prometheus/observer.ts'
import { connectRedis } from '../adapters/redis/redis-client.ts'
import { storePrefix } from '../adapters/redis/redis-fences.ts'
import { createRedisLogStore } from '../adapters/redis/redis-log-store.ts'
import { createRedisRestore } from '../adapters/redis/redis-restore.ts'
import { systemClock } from '../core/clock.ts'
import { WeirError } from '../core/errors.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import { redactSettings, type Settings } from '../core/settings.ts'
import { batchEventsFor } from '../lanes/batch-size.ts'
import { createConductor } from '../lanes/conductor.ts'
import { planDecide } from '../pipeline/decide/decide.ts'
import { planFeatures } from '../pipeline/enrich/feature-plan.ts'
import { type Observe, observeNothing } from '../pipeline/observe/happenings.ts'
import { createPipeline } from '../pipeline/pipeline.ts'
import { planPublish } from '../pipeline/publish/compose-records.ts'
import { createKafkaHistory } from '../restore/kafka-history.ts'
import { createClosers } from './closers.ts'
import { openClassifier } from './open-classifier.ts'
import { openCodecs } from './open-codecs.ts'
import { openKafka, openRegistry } from './open-place.ts'
import { refuseUnfit } from './refuse-unfit.ts'
import { createStoreRestore } from './restore-store.ts'

export type Scorer = {
  readonly httpUrl: string
  readonly snapshot: () => Snapshot
  /** Resolves once drained; rejects with what ended the scorer against its will. */
  readonly ended: Promise<void>
  readonly drain: (reason: string) => Promise<void>
}

export type ScorerOptions = {
  /** Hears every happening after the scorer's own observers. */
  readonly watch?: Observe
}

export async function startScorer(
  definition: PipelineDefinition,
  settings: Settings,
  { watch = observeNothing }: ScorerOptions = {},
): Promise<Scorer> {
  const startedMs = performance.now()
  const { logLevel: level, instanceId: instance } = settings
  const logger = createLogger({ level, name: 'weir-scorer', instance })
  const observer = createObserver({ logger, build: describeBuild(definition, settings) })
  const readiness = createReadiness({
    clock: systemClock,
    requiredSystems: ['kafka', 'redis', 'registry'],
  })
  const observe: Observe = (happening) => {
    observer.observe(happening)
    readiness.observe(happening)
    watch(happening)
  }
  const closers = createClosers((error) =>
    logger.error({ error }, 'a part of the scorer did not close'),
  )
  try {
    const { snapshot } = observer
    const http = await startHealthServer({
      ...settings.http,
      registry: observer.registry,
      readiness,
      snapshot,
    })
    closers.add(http.close)
    const { conductor, ended, fail } = await openHouse({
      definition,
      settings,
      // Two clients: kafkajs shares a map of committed offsets between what one client makes, and a
      // producer marks an offset in it before the commit.
      consumers: openKafka(settings, logger, 'scorer'),
      producers: openKafka(settings, logger, 'scorer'),
      logger,
      observe,
      add: closers.add,
    })
    observe({
      kind: 'started',
      detail: {
        pipeline: definition.pipeline,
        pipelineHash: definition.hash,
        http: http.url,
        kafkajs: acceleration,
        settings: redactSettings(settings),
      },
    })
    observer.watchInFlight(conductor.eventsInFlight)
    await conductor.start()
    let draining: Promise<void> | null = null
    const drain = async (reason: string): Promise<void> => {
      observe({ kind: 'draining', reason })
      await conductor.drain()
      await closers.closeAll()
      observe({ kind: 'stopped', durationMs: performance.now() - startedMs })
      fail(null)
    }
    return {
      httpUrl: http.url,
      snapshot,
      ended,
      drain: (reason) => (draining ??= drain(reason)),
    }
  } catch (error) {
    await closers.closeAll()
    throw error
  }
}

function describeBuild({ pipeline, hash }: PipelineDefinition, { commit }: Settings) {
  return { version: packageJson.version, commit, pipeline, pipelineHash: hash }
}

type HouseOptions = {
  readonly definition: PipelineDefinition
  readonly settings: Settings
  readonly consumers: Kafka
  readonly producers: Kafka
  readonly logger: KafkaLogger
  readonly observe: Observe
  readonly add: (close: () => Promise<void>) => void
}

async function openHouse(options: HouseOptions) {
  const { definition, settings, consumers, producers, observe, add } = options
  const { topics } = definition
  const groupId = settings.groupId ?? `weir.${definition.pipeline}`
  const plan = planFeatures(definition)
  await refuseUnfit(definition, { settings, kafka: consumers, logger: options.logger })
  const registry = openRegistry(settings)
  add(registry.close)
  const { decoders, encoders, scored } = await openCodecs(registry, topics)
  observe({ kind: 'connection', system: 'registry', state: 'up', detail: '' })
  const redis = await connectRedis(settings.redis.url, observe)
  const storePlace = {
    redis,
    kinds: plan.kinds,
    prefix: storePrefix(settings.keyPrefix, definition),
    buckets: definition.store.buckets,
    retentionMs: definition.store.retentionMs,
    observe,
  }
  const store = await createRedisLogStore(storePlace)
  add(store.close)
  const classifier = await openClassifier(definition, settings, observe)
  add(() => classifier.close())
  const transactions = await createLaneTransactions({
    kafka: producers,
    groupId,
    topics,
    observe,
  })
  add(transactions.close)
  const laneIds = await openLaneIds(producers, listInputs(definition))
  add(laneIds.close)
  observe({ kind: 'connection', system: 'kafka', state: 'up', detail: '' })
  const pipeline = createPipeline({
    decoders,
    validate: definition.validate,
    enrich: { plan, store, late: definition.late },
    classify: { classifier, reasonsFrom: definition.policy.review },
    decide: planDecide(definition.policy, plan.entities),
    publish: {
      context: planPublish(definition, plan.labelEntityCount),
      encoders,
      publisher: transactions,
    },
    clock: systemClock,
    observe,
  })
  const input = createLaneConsumer({ kafka: consumers, groupId, topics: listInputs(definition) })
  const { ended, fail } = createEnd(observe)
  const { align } = definition
  const clock = systemClock
  const conductor = createConductor({
    input,
    transactions,
    store,
    pipeline,
    align,
    batchEventsMax: batchEventsFor(definition),
    clock,
    pause,
    observe,
    fail,
    laneIds: laneIds.list,
    restore: createStoreRestore({
      kafka: producers,
      groupId,
      definition,
      plan,
      store: await createRedisRestore(storePlace),
      history: createKafkaHistory({ kafka: producers, definition, scored }),
      rooms: { decoders, validate: definition.validate },
      observe,
    }),
  })
  return { conductor, ended, fail }
}

function listInputs({ topics }: PipelineDefinition) {
  const transactions = { topic: topics.transactions, stream: 'transactions' as const }
  return topics.labels === null
    ? [transactions]
    : [transactions, { topic: topics.labels, stream: 'labels' as const }]
}

/** The scorer's end, once: null for a good one, else what it could not get over. */
function createEnd(observe: Observe) {
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>()
  ended.catch(() => undefined)
  const fail = (error: Error | null): void => {
    if (error === null) {
      resolve()
      return
    }
    const code = error instanceof WeirError ? error.code : 'WEIR_HOUSE_INVARIANT'
    observe({ kind: 'failed', code, detail: error.message, stack: error.stack })
    reject(error)
  }
  return { ended, fail }
}
