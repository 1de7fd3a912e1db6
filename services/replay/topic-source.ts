// Topics as the source of a replay: read beside the live group, merged as live lanes are.
//
//   partition ─► range of offsets ─► lane queue ─► admit ─► merge by event time ─► batch
//
// In: a client, decoders, topics, a range of broker times or offsets. Out: batches of all
// partitions, each with a lane of its own, whose memory (highest event time, brake) begins empty.
// Refused: offsets that expired meanwhile (WEIR_KAFKA_OFFSET_OUT_OF_RANGE), brokers or a registry
// that do not answer. Invariants: only committed messages, each once; a lane that runs dry is
// waited for, so the order is that of live scoring in one process that never waits in vain; memory
// holds one fetch of each partition besides the buffers of topic-ranges.ts. Of equal times a label
// goes first, then the lower partition.

import type { Kafka } from '../adapters/kafka/client/kafka-client.ts'
import {
  openTopicRanges,
  type TopicRange,
  type TopicRanges,
} from '../adapters/kafka/ranges/topic-ranges.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import { mergeLanes } from '../lanes/merge-lanes.ts'
import { learnAll } from '../pipeline/decode/decode-learning.ts'
import { observeNothing } from '../pipeline/observe/signals.ts'
import { admit, type PipelineDeps } from '../pipeline/pipeline.ts'
import type { Batch, EnrichedBatch, Label, ScoredBatch, Stream } from '../pipeline/records.ts'
import { planValidate } from '../pipeline/validate/validate.ts'
import { admitMessages } from '../restore/read/admit-messages.ts'
import { findRanges, type StreamOffsets, type StreamRange } from './find-ranges.ts'
import type { BatchFeed, Refused, ReplaySource } from './replay-source.ts'
import { createTopicLane, type TopicLane } from './topic-lane.ts'

/** Broker times in ms; null = the topic's beginning, or its end as found at the start. */
export type TopicHistory = {
  readonly kafka: Kafka
  readonly decoders: PipelineDeps['decoders']
  readonly fromMs: number | null
  /** Behind the last transaction. */
  readonly toMs: number | null
  /** Behind the last label: verdicts come long after their transactions. */
  readonly labelsToMs: number | null
  /** What is given here goes before the times. */
  readonly offsets?: Readonly<Partial<Record<Stream, StreamOffsets>>>
}

type Reading = {
  readonly history: TopicHistory
  readonly definition: PipelineDefinition
  readonly ranges: readonly StreamRange[]
  readonly signal: AbortSignal
}

export async function openTopicSource(
  history: TopicHistory,
  definition: PipelineDefinition,
  signal: AbortSignal = new AbortController().signal,
): Promise<ReplaySource> {
  const ranges = await findHistory(history, definition)
  const { transactions, labels } = definition.topics
  const reading: Reading = { history, definition, ranges, signal }
  const lanes = ranges.map(createTopicLane)
  return {
    transactionsExpected: ranges.reduce(
      (sum, { stream, from, to }) => (stream === 'transactions' ? sum + to - from : sum),
      0,
    ),
    readLabels: () => readLabels(reading),
    readBatches: (feed) => readBatches(reading, lanes, feed),
    refusedIn: (enriched, setAside) => listRefused(enriched, setAside, definition),
    received: () => ({
      transactions: countReceived(lanes, 'transactions'),
      labels: countReceived(lanes, 'labels'),
    }),
    describe: async () => ({
      transactions: describeTopic(lanes, 'transactions', transactions),
      labels: labels === null ? null : describeTopic(lanes, 'labels', labels),
    }),
    close: async () => undefined,
  }
}

/**
 * The ranges of all partitions of the inputs; the labels' first: the merge takes the first of equal
 * times.
 */
export async function findHistory(
  { kafka, fromMs, toMs, labelsToMs, offsets }: Omit<TopicHistory, 'decoders'>,
  { topics }: PipelineDefinition,
): Promise<StreamRange[]> {
  const edges = { fromMs, toMs, offsets: offsets?.transactions }
  const ranges = await findRanges(kafka, 'transactions', topics.transactions, edges)
  if (topics.labels === null) return ranges
  const labelEdges = { fromMs, toMs: labelsToMs, offsets: offsets?.labels }
  return [...(await findRanges(kafka, 'labels', topics.labels, labelEdges)), ...ranges]
}

async function* readLabels({ history, definition, ranges, signal }: Reading) {
  const wanted = ranges.filter(({ stream }) => stream === 'labels')
  const opened = await openUntilAborted(history.kafka, wanted, signal)
  try {
    for (const i of wanted.keys()) {
      for await (const messages of opened.read(i)) {
        const stages = { decoders: history.decoders, validate: planValidate(definition) }
        const arrivals = await admitMessages('labels', messages, stages)
        yield arrivals.flatMap(({ label }): Label[] => (label === null ? [] : [label]))
      }
    }
  } finally {
    await opened.close()
  }
}

async function* readBatches(
  { history, definition, ranges, signal }: Reading,
  lanes: readonly TopicLane[],
  feed: BatchFeed,
): AsyncGenerator<Batch, void, undefined> {
  for (const { lane } of lanes) lane.epoch = await feed.claim(lane.address.laneId)
  const opened = await openUntilAborted(history.kafka, ranges, signal)
  try {
    for (const [i, lane] of lanes.entries()) lane.open(opened.read(i))
    yield* mergeTopicLanes(lanes, { history, definition, eventsMax: feed.batchEvents })
  } finally {
    await opened.close()
  }
}

/** Whoever waits for a fetch is woken when the run is ended. */
export async function openUntilAborted(
  kafka: Kafka,
  ranges: readonly TopicRange[],
  signal: AbortSignal,
): Promise<TopicRanges> {
  signal.throwIfAborted()
  const { read, close } = await openTopicRanges(kafka, ranges)
  let closing: Promise<void> | null = null
  const closeOnce = (): Promise<void> => {
    signal.removeEventListener('abort', closeOnce)
    closing ??= close()
    return closing
  }
  signal.addEventListener('abort', closeOnce)
  if (signal.aborted) await closeOnce()
  return { read, close: closeOnce }
}

type MergeRules = Pick<Reading, 'history' | 'definition'> & { readonly eventsMax: number }

async function* mergeTopicLanes(
  topicLanes: readonly TopicLane[],
  { history, definition, eventsMax }: MergeRules,
): AsyncGenerator<Batch, void, undefined> {
  const { decoders } = history
  const stages = { decoders, validate: planValidate(definition), observe: observeNothing }
  const lanes = topicLanes.map(({ lane }) => lane)
  for (;;) {
    await Promise.all(topicLanes.filter(({ isDry }) => isDry()).map(({ pull }) => pull()))
    // Nothing is delivered twice: what is behind us may be folded.
    for (const lane of lanes) {
      lane.committedOffset = lane.fromOffset
      lane.hasCommitted = true
    }
    const merged = mergeLanes(lanes, {
      admit: (stream, messages) => admit(stream, messages, stages),
      eventsMax,
      untilMs: Number.POSITIVE_INFINITY,
      ignoreDry: false,
    })
    if (merged.kind === 'batch') yield merged.batch
    else if (merged.kind === 'unknown_schema') {
      await learnAll(decoders[merged.lane.address.stream], [...merged.ids])
    } else if (lanes.every(({ isCaughtUp }) => isCaughtUp)) return
  }
}

/** What live scoring publishes to its rejected and late topics. */
function listRefused(
  { batch, diverted, arrivalIndexes }: EnrichedBatch,
  setAside: ScoredBatch['setAside'],
  { topics, late }: PipelineDefinition,
): readonly Refused[] {
  const tooLate = new Set(diverted)
  const aside = new Map([...(setAside ?? [])].map(([row, why]) => [arrivalIndexes[row]!, why]))
  return batch.arrivals.flatMap(({ raw, rejection: refusal }, i): Refused[] => {
    const rejection = refusal ?? aside.get(i) ?? null
    if (rejection === null && !tooLate.has(i)) return []
    const { stream, partition } = batch.lanes[batch.laneIndexes[i]!]!
    const place = { topic: topics[stream]!, partition, offset: raw.offset }
    if (rejection !== null) return [{ stream, place, rejection }]
    const detail = `found ${batch.latenessMs[i]} ms late, expected at most ${late.allowedMs}`
    return [{ stream, place, rejection: { code: 'WEIR_ENRICH_LATE', stage: 'enrich', detail } }]
  })
}

const countReceived = (lanes: readonly TopicLane[], wanted: Stream): number =>
  lanes.reduce((sum, { lane, received }) => {
    return lane.address.stream === wanted ? sum + received() : sum
  }, 0)

const describeTopic = (lanes: readonly TopicLane[], wanted: Stream, topic: string) => ({
  topic,
  partitions: lanes
    .filter(({ lane }) => lane.address.stream === wanted)
    .map(({ describe }) => describe()),
})
