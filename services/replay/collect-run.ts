// What several processes scored, made one run folder; then what they left is removed.
//
// In: a run, what this process would score with, where the topics and the terms are. Out: the
// folder of a replay of topics. Refused with WEIR_SETTINGS_INVALID: a run that nobody began,
// another pipeline or models, processes still at work, a lane that is short of its end. Invariants:
// nothing is removed before the folder has its name, and only names of the run are; a removal that
// fails leaves the folder, and `--discard` ends it.

import type { Kafka } from '../adapters/kafka/client/kafka-client.ts'
import { partitionBounds } from '../adapters/kafka/ranges/topic-bounds.ts'
import {
  readLaneProgress,
  refuseMembers,
  removeRunTopics,
} from '../adapters/kafka/topics/run-topics.ts'
import { connectRedis } from '../adapters/redis/client/redis-client.ts'
import type { RedisClient } from '../adapters/redis/client/redis-commands.ts'
import { readTerms, removeRunKeys } from '../adapters/redis/restore/named-run.ts'
import { WeirError } from '../core/errors.ts'
import type { Decoder } from '../pipeline/decode/message-decoder.ts'
import { observeNothing } from '../pipeline/observe/signals.ts'
import type { PipelineDeps } from '../pipeline/pipeline.ts'
import type { RejectedRecord, ScoredTransactionRecord } from '../pipeline/publish/output-records.ts'
import type { Stream } from '../pipeline/records.ts'
import { openCollectedStages } from './collected-stages.ts'
import type { StreamOffsets } from './find-ranges.ts'
import { type IsolatedRun, type RunTerms, refuseOtherTerms } from './isolated-run.ts'
import type { ReplayStages } from './replay-stages.ts'
import type { ReplayReport } from './run-records.ts'
import { runReplay, type TopicReplayOptions } from './run-replay.ts'
import { openScoredBook } from './scored-book.ts'
import { readSetAside } from './set-aside-of-run.ts'
import { openUntilAborted } from './topic-source.ts'

type RunEnvironment = {
  readonly run: IsolatedRun
  readonly kafka: Kafka
  readonly redisUrl: string
}

type CollectEnvironment = RunEnvironment & {
  readonly models: RunTerms['models']
  readonly decoders: PipelineDeps['decoders'] & {
    readonly scored: Decoder<ScoredTransactionRecord>
    readonly rejected: Decoder<RejectedRecord>
  }
}

export type CollectOptions = Omit<
  TopicReplayOptions,
  'definition' | 'isScoring' | 'topicHistory' | 'redisUrl' | 'openStages' | 'collected'
>

export async function collectRun(
  place: CollectEnvironment,
  options: CollectOptions,
): Promise<ReplayReport> {
  const { run, kafka, decoders } = place
  return withRedis(place, async (redis) => {
    const terms = await readTerms(redis, run)
    if (terms === null) throw refused(run, 'found no such run, expected one that was begun')
    const { hash: pipelineHash } = run.definition
    refuseOtherTerms(run.name, terms, { pipelineHash, models: place.models })
    await refuseShort(place, terms)
    await refuseMembers(kafka, run)
    const report = await runReplay({
      ...options,
      definition: run.definition,
      isScoring: true,
      topicHistory: {
        kafka,
        decoders,
        fromMs: null,
        toMs: null,
        labelsToMs: null,
        offsets: {
          transactions: offsetsOf(terms, 'transactions'),
          labels: offsetsOf(terms, 'labels'),
        },
      },
      openStages: () => openStages(place, terms, options.signal),
      collected: { run: run.name, order: 'as scored' },
    })
    await removeAll(place, redis)
    return report
  })
}

/** Removes a run, whatever has become of it. */
export async function discardRun(place: RunEnvironment): Promise<void> {
  await refuseMembers(place.kafka, place.run)
  await withRedis(place, (redis) => removeAll(place, redis))
}

async function withRedis<T>(
  { redisUrl }: RunEnvironment,
  use: (redis: RedisClient) => Promise<T>,
): Promise<T> {
  const redis = await connectRedis(redisUrl, observeNothing)
  try {
    return await use(redis)
  } finally {
    redis.disconnect()
  }
}

async function removeAll({ run, kafka }: RunEnvironment, redis: RedisClient): Promise<void> {
  await removeRunTopics(kafka, run)
  await removeRunKeys(redis, run)
}

async function refuseShort(
  { run, kafka }: CollectEnvironment,
  { ranges }: RunTerms,
): Promise<void> {
  const lanes = await readLaneProgress(kafka, run.groupId, ranges)
  const short = lanes.filter(({ committed, to }) => committed < to)
  if (short.length === 0) return
  const list = short.map(({ topic, partition, committed, to }) => {
    return `${topic}/${partition} at ${committed} of ${to}`
  })
  throw refused(run, `found ${list.join(', ')}, expected all at their ends: start it again first`)
}

function offsetsOf({ ranges }: RunTerms, wanted: Stream): StreamOffsets {
  const mine = ranges.filter(({ stream }) => stream === wanted)
  return {
    from: new Map(mine.map(({ partition, from }) => [partition, from])),
    to: new Map(mine.map(({ partition, to }) => [partition, to])),
    onlyThese: true,
  }
}

async function openStages(
  { run, kafka, models, decoders }: CollectEnvironment,
  { ranges }: RunTerms,
  signal: AbortSignal = new AbortController().signal,
): Promise<ReplayStages> {
  const topic = run.definition.topics.scored
  const wanted = new Set(
    ranges.filter(({ stream }) => stream === 'transactions').map(({ partition }) => partition),
  )
  const { rejected, transactions: sourceTopic } = run.definition.topics
  const setAside = await readSetAside(
    { kafka, topic: rejected, decoder: decoders.rejected, sourceTopic },
    signal,
  )
  const bounds = await partitionBounds(kafka, topic)
  const filled = bounds
    .filter(({ partition }) => wanted.has(partition))
    .map(({ partition, low, high }) => ({ topic, partition, from: low, to: high }))
  const opened = await openUntilAborted(kafka, filled, signal)
  const books = new Map(
    filled.map(({ partition }, i) => {
      const place = `${topic}/${partition}`
      return [partition, openScoredBook(place, opened.read(i), decoders.scored)]
    }),
  )
  return openCollectedStages({
    definition: run.definition,
    models: models.map((model) => ({ ...model, provider: '' })),
    books,
    setAside,
    close: opened.close,
  })
}

const refused = ({ name }: IsolatedRun, detail: string) =>
  new WeirError('WEIR_SETTINGS_INVALID', `weir replay: run ${name}: ${detail}.`)
