// What several processes scored, made one run folder; then what they left is removed.
//
// In: a run, what this process would score with, where the topics and the terms are. Out: the folder of a
// replay of topics. Refused with WEIR_SETTINGS_INVALID: a run that nobody began, another pipeline or models,
// processes still at work, a lane that is short of its end. Invariants: nothing is removed before the
// folder has its name, and only names of the run are; a removal that fails leaves the folder, and
// `--discard` ends it.

import type { Kafka } from '../adapters/kafka/kafka-client.ts'
import { readLaneProgress, refuseMembers, removeRunTopics } from '../adapters/kafka/run-topics.ts'
import { partitionBounds } from '../adapters/kafka/topic-bounds.ts'
import { readTerms, removeRunKeys } from '../adapters/redis/named-run.ts'
import { connectRedis, type RedisClient } from '../adapters/redis/redis-client.ts'
import { WeirError } from '../core/errors.ts'
import { type IsolatedRun, type RunTerms, refuseOtherTerms } from '../core/isolated-run.ts'
import type { Decoder } from '../pipeline/decode/message-decoder.ts'
import { observeNothing } from '../pipeline/observe/happenings.ts'
import type { PipelineDeps } from '../pipeline/pipeline.ts'
import type { ScoredTransactionRecord } from '../pipeline/publish/output-records.ts'
import type { Stream } from '../pipeline/records.ts'
import { openCollectedRooms } from './collected-rooms.ts'
import type { StreamOffsets } from './find-ranges.ts'
import type { ReplayRooms } from './replay-rooms.ts'
import type { ReplayReport } from './run-records.ts'
import { runReplay, type TopicReplayOptions } from './run-replay.ts'
import { openScoredBook } from './scored-book.ts'
import { openUntilAborted } from './topic-source.ts'

export type RunPlace = {
  readonly run: IsolatedRun
  readonly kafka: Kafka
  readonly redisUrl: string
}

export type CollectPlace = RunPlace & {
  readonly models: RunTerms['models']
  readonly decoders: PipelineDeps['decoders'] & {
    readonly scored: Decoder<ScoredTransactionRecord>
  }
}

export type CollectOptions = Omit<
  TopicReplayOptions,
  'definition' | 'isScoring' | 'topicHistory' | 'redisUrl' | 'openRooms' | 'collected'
>

export async function collectRun(
  place: CollectPlace,
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
      openRooms: () => openRooms(place, terms, options.signal),
      collected: { run: run.name, order: 'as scored' },
    })
    await removeAll(place, redis)
    return report
  })
}

/** Removes a run, whatever has become of it. */
export async function discardRun(place: RunPlace): Promise<void> {
  await refuseMembers(place.kafka, place.run)
  await withRedis(place, (redis) => removeAll(place, redis))
}

async function withRedis<T>(
  { redisUrl }: RunPlace,
  use: (redis: RedisClient) => Promise<T>,
): Promise<T> {
  const redis = await connectRedis(redisUrl, observeNothing)
  try {
    return await use(redis)
  } finally {
    redis.disconnect()
  }
}

async function removeAll({ run, kafka }: RunPlace, redis: RedisClient): Promise<void> {
  await removeRunTopics(kafka, run)
  await removeRunKeys(redis, run)
}

async function refuseShort({ run, kafka }: CollectPlace, { ranges }: RunTerms): Promise<void> {
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

async function openRooms(
  { run, kafka, models, decoders }: CollectPlace,
  { ranges }: RunTerms,
  signal: AbortSignal = new AbortController().signal,
): Promise<ReplayRooms> {
  const topic = run.definition.topics.scored
  const wanted = new Set(
    ranges.filter(({ stream }) => stream === 'transactions').map(({ partition }) => partition),
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
  return openCollectedRooms({
    definition: run.definition,
    models: models.map((model) => ({ ...model, provider: '' })),
    books,
    close: opened.close,
  })
}

const refused = ({ name }: IsolatedRun, detail: string) =>
  new WeirError('WEIR_SETTINGS_INVALID', `weir replay: run ${name}: ${detail}.`)
