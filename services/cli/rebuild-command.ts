// `weir rebuild`: flags and the settings of the place in, a refilled store out.
//
// Progress goes to stderr once a second; with --json the last line of stdout is the report as one
// object. Exit code 0 where the store is whole now, 1 where the topics do not hold what is needed
// or a system is away, 2 where scorers are still at work or flags, settings or pipeline file are
// wrong.

import type { Command } from 'commander'
import { createLaneTransactions } from '../adapters/kafka/lanes/lane-transactions.ts'
import { loadPipelineFile } from '../adapters/pipeline-file/pipeline-file.ts'
import { createLogger } from '../adapters/prometheus/logger.ts'
import { connectRedis } from '../adapters/redis/client/redis-client.ts'
import { nameKeys, storePrefix, touchBucket } from '../adapters/redis/fences/redis-fences.ts'
import { createRedisRestore } from '../adapters/redis/restore/redis-restore.ts'
import { WeirError } from '../core/errors.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import { groupOf, readSettings, type Settings } from '../core/settings.ts'
import { createClosers } from '../environment/closers.ts'
import { openInputDecoders, openOutputDecoder } from '../environment/open-decoders.ts'
import { openKafka, openRegistry } from '../environment/open-environment.ts'
import { planFeatures } from '../pipeline/enrich/feature-plan.ts'
import { observeNothing } from '../pipeline/observe/signals.ts'
import { planValidate } from '../pipeline/validate/validate.ts'
import { createKafkaHistory } from '../restore/read/kafka-history.ts'
import { type RebuildEnvironment, rebuildState } from '../restore/rebuild-state.ts'
import type { RestoreProgress, RestoreReport } from '../restore/run-restore.ts'
import { readTime } from './read-time.ts'

type Flags = {
  readonly pipeline: string
  readonly from?: number
  readonly acceptShort?: boolean
  readonly renumber?: boolean
  readonly json?: boolean
}

export function addRebuild(program: Command): void {
  program
    .command('rebuild')
    .description('refill an empty store from the topics, while no scorer is at work')
    .option('--pipeline <file>', 'pipeline file', 'pipelines/card-fraud.yaml')
    .option('--from <time>', 'begin at this broker time instead of where logs can begin', readTime)
    .option('--accept-short', 'go on with what the topics have, although windows miss some of it')
    .option('--renumber', 'begin ordinals at 0, for a pipeline whose entities have changed')
    .option('--json', 'print the report as one JSON object')
    .action(rebuild)
}

async function rebuild(flags: Flags): Promise<void> {
  const settings = readSettings(process.env)
  const definition = loadPipelineFile(flags.pipeline, { topicPrefix: settings.topicPrefix })
  const closers = createClosers(() => undefined)
  const startedMs = performance.now()
  try {
    const place = await openEnvironment(definition, settings, closers.add)
    const report = await rebuildState(place, {
      definition,
      acceptShort: flags.acceptShort ?? false,
      renumber: flags.renumber ?? false,
      fromMs: flags.from ?? null,
      onProgress: createProgress(startedMs),
    })
    tell(report, definition, { seconds: (performance.now() - startedMs) / 1000, flags })
  } catch (error) {
    if (!(error instanceof WeirError) || error.code !== 'WEIR_ENRICH_STORE_UNSURE') throw error
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 2
  } finally {
    await closers.closeAll()
  }
}

async function openEnvironment(
  definition: PipelineDefinition,
  settings: Settings,
  add: (close: () => Promise<void>) => void,
): Promise<RebuildEnvironment> {
  const { topics, pipeline, store } = definition
  const groupId = groupOf(settings, pipeline)
  const logger = createLogger({
    level: 'error',
    name: 'weir-rebuild',
    instance: settings.instanceId,
  })
  const kafka = openKafka(settings, logger, 'rebuild')
  const registry = openRegistry(settings)
  add(registry.close)
  const redis = await connectRedis(settings.redis.url, observeNothing)
  add(async () => redis.disconnect())
  const producers = openKafka(settings, logger, 'rebuild')
  const observe = observeNothing
  const transactions = await createLaneTransactions({ kafka: producers, groupId, topics, observe })
  add(transactions.close)
  const prefix = storePrefix(settings.keyPrefix, definition)
  const [firstFence] = nameKeys(prefix, store.buckets).fences
  const { kinds } = planFeatures(definition)
  const restorable = await createRedisRestore({ redis, observe, kinds, prefix, ...store })
  return {
    kafka,
    groupId,
    transactions,
    store: restorable,
    readFrontiers: async () => (await touchBucket({ redis, observe }, firstFence!, [])).heard,
    history: createKafkaHistory({
      kafka,
      definition,
      scored: openOutputDecoder(registry, 'scored-transaction', topics.scored),
      rejected: openOutputDecoder(registry, 'rejected-transaction', topics.rejected),
    }),
    stages: {
      decoders: openInputDecoders(registry, definition),
      validate: planValidate(definition),
    },
    nowMs: Date.now,
  }
}

function createProgress(startedMs: number): (progress: RestoreProgress) => void {
  let nextMs = startedMs + 1000
  return ({ pass, bucketsLeft, events }) => {
    const nowMs = performance.now()
    if (nowMs < nextMs) return
    nextMs = nowMs + 1000
    const rate = Math.round(events / ((nowMs - startedMs) / 1000))
    process.stderr.write(`pass ${pass}, ${bucketsLeft} buckets left: ${events} events, ${rate}/s\n`)
  }
}

function tell(
  report: RestoreReport,
  { store }: PipelineDefinition,
  { seconds, flags }: { readonly seconds: number; readonly flags: Flags },
): void {
  const { buckets, logs, events, holes, passes } = report
  process.stderr.write(
    buckets === 0
      ? `Nothing is missing: all ${store.buckets} buckets have what is committed.\n`
      : `${logs} logs in ${buckets} of ${store.buckets} buckets from ${events} events, ` +
          `${holes} holes filled, ${passes} passes, ${seconds.toFixed(1)} s\n`,
  )
  if (flags.json === true) process.stdout.write(`${JSON.stringify({ ...report, seconds })}\n`)
}
