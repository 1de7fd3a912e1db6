// One process of a replay that several share: the live pipeline, between two offsets, into topics
// of the run.
//
//   terms agreed on ─► topics of the run ─► pipeline with bounded lanes ─► all lanes at their ends ─► drain
//
// In: a run, what this process would read and score with, the settings of the place. Out: nothing
// here; the run's topics hold what was scored. Refused with WEIR_SETTINGS_INVALID: another pipeline
// or other models than those that the run began with. Invariants: the inputs are read and nothing
// else of the live pipeline is touched; whoever comes first fixes what is read; a lane is at its
// end when the group has committed that, so it does not matter who scored it, and a run whose
// processes all died goes on where they were.

import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Kafka, KafkaLogger } from '../adapters/kafka/client/kafka-client.ts'
import { trimRanges } from '../adapters/kafka/ranges/trim-ranges.ts'
import { makeRunTopics, readLaneProgress } from '../adapters/kafka/topics/run-topics.ts'
import { connectRedis } from '../adapters/redis/client/redis-client.ts'
import { agreeOnTerms, readTerms } from '../adapters/redis/restore/named-run.ts'
import { WeirError } from '../core/errors.ts'
import type { TopicNames } from '../core/pipeline-definition.ts'
import type { Settings } from '../core/settings.ts'
import { createClosers } from '../environment/closers.ts'
import { openKafka } from '../environment/open-environment.ts'
import { type LaneBounds, laneIdOf } from '../lanes/lane-input.ts'
import { type Observe, observeNothing } from '../pipeline/observe/signals.ts'
import { type IsolatedRun, type RunTerms, refuseOtherTerms } from '../replay/isolated-run.ts'
import { openScoring } from './open-scoring.ts'

type RunPart = {
  readonly run: IsolatedRun
  readonly settings: Settings
  /** Under whose names the schemas are registered: those of the live pipeline. */
  readonly liveTopics: TopicNames
  readonly models: RunTerms['models']
  /** What the run reads, if this process is the first. */
  readonly findRanges: (kafka: Kafka) => Promise<RunTerms['ranges']>
  readonly logger: KafkaLogger
  readonly observe?: Observe
  /** Ends this process' part; others go on with its lanes. */
  readonly signal: AbortSignal
  readonly onProgress?: (progress: RunProgress) => void
}

/** Of all processes together, by offsets: some of them may be markers of transactions. */
export type RunProgress = { readonly done: number; readonly expected: number }

/** How often the group is asked how far its lanes are. */
const LOOK_MS = 1000

export async function scoreRun(part: RunPart): Promise<void> {
  const { run, settings, logger, signal } = part
  const consumers = openKafka(settings, logger, 'replay')
  const terms = await agree(part, consumers)
  if (await tellProgress(part, consumers, terms)) return
  const partitions = Math.max(...terms.ranges.map(({ partition }) => partition + 1))
  await makeRunTopics(consumers, run, { partitions, replication: settings.topicReplication })
  const closers = createClosers((error) =>
    logger.error({ error }, 'a part of the replay did not close'),
  )
  try {
    const { conductor, ended } = await openScoring({
      definition: run.definition,
      settings: { ...settings, groupId: run.groupId, keyPrefix: run.keyPrefix },
      consumers,
      producers: openKafka(settings, logger, 'replay'),
      logger,
      observe: part.observe ?? observeNothing,
      add: closers.add,
      bounds: boundsOf(terms),
      run: `${run.name}:${terms.id ?? ''}`,
      schemaTopics: part.liveTopics,
    })
    signal.throwIfAborted()
    await conductor.start()
    try {
      await Promise.race([ended, untilDone(part, consumers, terms)])
    } finally {
      await conductor.drain()
    }
  } finally {
    await closers.closeAll()
  }
}

async function agree(part: RunPart, kafka: Kafka): Promise<RunTerms> {
  const { run, settings, models, findRanges } = part
  const { hash: pipelineHash } = run.definition
  const redis = await connectRedis(settings.redis.url, observeNothing)
  try {
    const known = await readTerms(redis, run)
    const terms = known ?? {
      id: randomUUID(),
      pipelineHash,
      models,
      ranges: await trimRanges(kafka, await findRanges(kafka)),
    }
    const agreed = known ?? (await agreeOnTerms(redis, run, terms))
    refuseOtherTerms(run.name, agreed, { pipelineHash, models })
    return agreed
  } finally {
    redis.disconnect()
  }
}

/** A lane without a range came after the run began: nothing of it belongs to the run. */
function boundsOf({ ranges }: RunTerms): LaneBounds {
  const byLane = new Map(
    ranges.map(({ stream, partition, from, to }) => [laneIdOf(stream, partition), { from, to }]),
  )
  return (laneId) => byLane.get(laneId) ?? { from: 0, to: 0 }
}

async function untilDone(part: RunPart, kafka: Kafka, terms: RunTerms): Promise<void> {
  const { signal } = part
  while (!signal.aborted && !(await tellProgress(part, kafka, terms).catch(tolerateAbsence))) {
    await pause(LOOK_MS, undefined, { signal }).catch(() => undefined)
  }
  signal.throwIfAborted()
}

/** While brokers are away the lanes wait too; they tell what does not pass. */
function tolerateAbsence(error: unknown): boolean {
  if (error instanceof WeirError && error.canRetry) return false
  throw error
}

/** Whether the run is done. */
async function tellProgress(
  { run, onProgress = () => undefined }: RunPart,
  kafka: Kafka,
  { ranges }: RunTerms,
): Promise<boolean> {
  const lanes = await readLaneProgress(kafka, run.groupId, ranges)
  const progress = { done: 0, expected: 0 }
  for (const { from, to, committed } of lanes) {
    progress.done += committed - from
    progress.expected += to - from
  }
  onProgress(progress)
  return lanes.every(({ to, committed }) => committed >= to)
}
