// Which offsets of which topics prove a range.
//
//   input    ──────┬───────────────┬──────────────┬─────   judged: [from, to) by the broker's time
//                  history         from           to       history: as far back as windows reach
//   scored   ──┬──────────────────────────────────────►    from a little before the history, to the end
//
// In: the brokers' bounds and times. Out: offsets, and from which event time on logs are whole. The
// committed offsets are asked for first, then the ends of the outputs, then those of the inputs: so
// what is committed is visible in what is read. Topics that have expired in part shorten the
// history, and the scope says so.

import {
  committedPositions,
  offsetsAtTime,
  type PartitionBounds,
  partitionBounds,
} from '../../adapters/kafka/ranges/topic-bounds.ts'
import { openTopicRanges, type TopicRange } from '../../adapters/kafka/ranges/topic-ranges.ts'
import { longestReachMs } from '../../core/look-back.ts'
import type { Span } from '../labels/outcome-ledger.ts'
import { readValues } from '../naive/read-values.ts'
import { scanScored } from './history-scan.ts'
import type { ParityEnvironment, ParityRange } from './parity-environment.ts'

export type ParityScope = {
  /** Offsets of the transactions topic by partition: what is judged, and what is read. */
  readonly judged: ReadonlyMap<number, Span>
  readonly input: ReadonlyMap<number, Span>
  readonly committed: ReadonlyMap<number, number>
  readonly scored: readonly TopicRange[]
  readonly rejected: readonly TopicRange[]
  readonly late: readonly TopicRange[]
  readonly labels: readonly TopicRange[]
  /** Null where everything was read from its very beginning. */
  readonly history: {
    /** Event time, ms: every younger row was read. */
    readonly wholeAfterMs: number
    /** Events scored up to here may have predecessors that are not read, ms. */
    readonly edgeMs: number
    readonly areLabelsWhole: boolean
  } | null
}

const wholeScan = { lowestOffsets: new Map<number, number>(), edgeMs: Number.NEGATIVE_INFINITY }

/** Clocks of brokers and producers differ by less. */
const CLOCK_SLACK_MS = 600_000

export async function planScope(
  place: ParityEnvironment,
  range: ParityRange,
): Promise<ParityScope> {
  const { kafka, definition } = place
  const { topics, validate } = definition
  const committed = await committedOffsets(place)
  const bounds = async (topic: string) => within(place, topic, await partitionBounds(kafka, topic))
  const scored = await bounds(topics.scored)
  const refused = [await bounds(topics.rejected), await bounds(topics.late)] as const
  const labels = topics.labels === null ? [] : await bounds(topics.labels)
  const input = await bounds(topics.transactions)

  const since = (topic: string | null, known: readonly PartitionBounds[], timeMs: number | null) =>
    topic === null ? Promise.resolve([]) : rangesSince(place, topic, known, timeMs)
  const judged = await judgedSpans(place, input, range)
  const historyMs =
    range.fromMs === null
      ? null
      : (await earliestEventTime(place, judged, range.fromMs)) -
        longestReachMs(definition) -
        validate.futureMaxMs -
        CLOCK_SLACK_MS
  const before = (timeMs: number | null) => (timeMs === null ? null : timeMs - CLOCK_SLACK_MS)
  const scoredRanges = await since(topics.scored, scored, before(historyMs))
  const lowOf = (partition: number) => input.find((b) => b.partition === partition)?.low ?? 0
  const youngInput = await since(topics.transactions, input, historyMs)
  const isCut = ![...youngInput, ...scoredRanges].every(isFromOrigin(place))
  const scan = isCut ? await scanScored(place, scoredRanges, lowOf) : wholeScan
  // Whatever was scored in the range can be laid into its logs, however long it had to wait for
  // that.
  const inputRanges = youngInput.map((span) => {
    const named = Math.max(
      lowOf(span.partition),
      scan.lowestOffsets.get(span.partition) ?? span.from,
    )
    return { ...span, from: Math.min(span.from, named) }
  })
  const labelRanges = await since(topics.labels, labels, historyMs)
  const isWhole = [...inputRanges, ...scoredRanges].every(isFromOrigin(place))
  return {
    judged,
    committed,
    input: new Map(inputRanges.map(({ partition, from, to }) => [partition, { from, to }])),
    scored: scoredRanges,
    // Those that were counted stand in the logs, and are read as far back as what was scored.
    rejected: await since(topics.rejected, refused[0], before(historyMs)),
    late: await since(topics.late, refused[1], before(range.fromMs)),
    labels: labelRanges,
    history: isWhole
      ? null
      : {
          wholeAfterMs: Math.max(
            (historyMs ?? Number.NEGATIVE_INFINITY) + validate.futureMaxMs,
            (await expiredUntilMs(place, inputRanges, input)) + validate.futureMaxMs,
            (await expiredUntilMs(place, scoredRanges, scored)) + validate.futureMaxMs,
          ),
          edgeMs: scan.edgeMs,
          areLabelsWhole: labelRanges.every(isFromOrigin(place)),
        },
  }
}

/** The topic as the run saw it, where parity is of a run. */
function within({ ranges }: ParityEnvironment, topic: string, bounds: readonly PartitionBounds[]) {
  const own = ranges?.filter((range) => range.topic === topic) ?? []
  if (own.length === 0) return bounds
  return bounds.map(({ partition, low, high }) => {
    const range = own.find((each) => each.partition === partition)
    if (range === undefined) return { partition, low, high: low }
    const first = Math.max(low, range.from)
    return { partition, low: first, high: Math.max(first, Math.min(high, range.to)) }
  })
}

/** Whether nothing of the partition lies before the range. */
const isFromOrigin =
  ({ ranges = [] }: ParityEnvironment) =>
  ({ topic, partition, from }: TopicRange): boolean => {
    const own = ranges.find((each) => each.topic === topic && each.partition === partition)
    return from <= (own?.from ?? 0)
  }

async function committedOffsets({ kafka, definition, groupId }: ParityEnvironment) {
  if (groupId === null) return new Map<number, number>()
  const found = await committedPositions(kafka, groupId, definition.topics.transactions)
  return new Map([...found].map(([partition, { offset }]) => [partition, offset]))
}

async function judgedSpans(
  { kafka, definition }: ParityEnvironment,
  input: readonly PartitionBounds[],
  { fromMs, toMs }: ParityRange,
): Promise<ReadonlyMap<number, Span>> {
  const { transactions } = definition.topics
  const at = (timeMs: number | null) =>
    timeMs === null ? null : offsetsAtTime(kafka, transactions, timeMs)
  const [first, end] = [await at(fromMs), await at(toMs)]
  return new Map(
    input.map(({ partition, low, high }) => {
      const from = Math.max(low, first?.get(partition) ?? low)
      return [partition, { from, to: Math.max(from, Math.min(high, end?.get(partition) ?? high)) }]
    }),
  )
}

async function rangesSince(
  { kafka }: ParityEnvironment,
  topic: string,
  bounds: readonly PartitionBounds[],
  timeMs: number | null,
): Promise<TopicRange[]> {
  // Kafka gives negative times a meaning of their own.
  const first = timeMs === null ? null : await offsetsAtTime(kafka, topic, Math.max(0, timeMs))
  return bounds.map(({ partition, low, high }) => {
    const from = Math.min(high, Math.max(low, first?.get(partition) ?? low))
    return { topic, partition, from, to: high }
  })
}

/** Lowest event time among the judged messages: windows reach back from there. */
async function earliestEventTime(
  { kafka, definition, decoders }: ParityEnvironment,
  judged: ReadonlyMap<number, Span>,
  fromMs: number,
): Promise<number> {
  const topic = definition.topics.transactions
  const spans = [...judged].map(([partition, span]) => ({ topic, partition, ...span }))
  let earliestMs = fromMs
  const read = readValues({ kafka, ranges: spans, decoder: decoders.transactions })
  for await (const { value } of read) earliestMs = Math.min(earliestMs, value.eventTime)
  return earliestMs
}

/**
 * Broker time of the first record of the partitions that have expired up to where they are read.
 */
async function expiredUntilMs(
  place: ParityEnvironment,
  ranges: readonly TopicRange[],
  bounds: readonly PartitionBounds[],
): Promise<number> {
  const { kafka } = place
  const isWhole = isFromOrigin(place)
  const isExpired = (range: TopicRange) =>
    !isWhole(range) &&
    bounds.some(({ partition, low }) => partition === range.partition && low === range.from)
  const cut = ranges.filter(isExpired)
  const opened = await openTopicRanges(kafka, cut)
  let latestMs = Number.NEGATIVE_INFINITY
  try {
    for (const index of cut.keys()) {
      for await (const [first] of opened.read(index)) {
        latestMs = Math.max(latestMs, first!.brokerTimeMs)
        break
      }
    }
  } finally {
    await opened.close()
  }
  return latestMs
}
