// The history of a restore, read from the topics beside the live group.
//
//   input topics  ─► messages of each lane ──► broker time of the first ─┐
//   scored topic  ◄─ where its events begin ◄────────────────────────────┘ ─► the lane's journal
//
// In: ranges of lanes. Out: their messages, and the scored events made from them as journal
// entries. Refused: what the topics no longer hold (WEIR_KAFKA_OFFSET_OUT_OF_RANGE), a scored event
// that cannot be read (WEIR_ENRICH_STATE_LOST). Invariant: bounds are asked for after all commits
// are final, so that everything committed lies below them.

import {
  offsetsAtTime,
  type PartitionBounds,
  partitionBounds,
} from '../../adapters/kafka/ranges/topic-bounds.ts'
import { openTopicRanges } from '../../adapters/kafka/ranges/topic-ranges.ts'
import { WeirError } from '../../core/errors.ts'
import type { RawMessage } from '../../pipeline/records.ts'
import {
  goesOnAt,
  type LaneRange,
  type LaneReader,
  type OpenedHistory,
  type RestoreHistory,
} from '../plan/history.ts'
import { type HistorySource, noJournal, openJournals } from './kafka-journal.ts'
import { type PeekedSource, peekAt } from './peeked-source.ts'

export function createKafkaHistory(source: HistorySource): RestoreHistory {
  const { kafka } = source
  const bounds = remember((topic) => partitionBounds(kafka, topic))
  const offsets = remember((place) => {
    const [topic, timeMs] = place.split('@') as [string, string]
    return offsetsAtTime(kafka, topic, Number(timeMs))
  })
  return {
    bounds: async ({ laneId, topic, partition }) => {
      const { low, high } = boundsOf(await bounds(topic), partition)
      const { from, to } = source.bounds?.(laneId) ?? whole
      return { first: Math.max(low, from), end: Math.min(high, to) }
    },
    offsetAt: async ({ laneId, topic, partition }, timeMs) => {
      const found = await offsets(`${topic}@${Math.max(0, Math.floor(timeMs))}`)
      const { from, to } = source.bounds?.(laneId) ?? whole
      return Math.max(from, Math.min(to, found.get(partition) ?? 0))
    },
    open: (ranges, uncommittedMax) =>
      openHistory(ranges, uncommittedMax, source).catch((cause: unknown) => {
        if (cause instanceof WeirError) throw cause
        throw new WeirError('WEIR_KAFKA_AWAY', `Topics could not be read: ${cause}`, { cause })
      }),
  }
}

const whole = { from: 0, to: Number.POSITIVE_INFINITY }
const REMEMBERED_MS = 5000

/** Lanes of one topic ask the same within moments: one answer is enough. */
function remember<T>(ask: (about: string) => Promise<T>): (about: string) => Promise<T> {
  const answers = new Map<string, { readonly answer: Promise<T>; readonly askedMs: number }>()
  return (about) => {
    const known = answers.get(about)
    const nowMs = performance.now()
    if (known !== undefined && nowMs - known.askedMs < REMEMBERED_MS) return known.answer
    const answer = ask(about)
    answers.set(about, { answer, askedMs: nowMs })
    answer.catch(() => answers.delete(about))
    return answer
  }
}

const boundsOf = (all: readonly PartitionBounds[], partition: number): PartitionBounds =>
  all.find((found) => found.partition === partition) ?? { partition, low: 0, high: 0 }

async function openHistory(
  ranges: readonly LaneRange[],
  uncommittedMax: number,
  options: HistorySource,
): Promise<OpenedHistory> {
  const { kafka } = options
  const bounds = remember((topic) => partitionBounds(kafka, topic))
  const messages = await openTopicRanges(
    kafka,
    await Promise.all(
      ranges.map(async ({ lane, readFromOffset }) => {
        const { laneId, topic, partition } = lane.address
        const { high } = boundsOf(await bounds(topic), partition)
        const end = Math.min(high, options.bounds?.(laneId).to ?? high)
        const to = Math.max(readFromOffset, Math.min(end, goesOnAt(lane) + uncommittedMax))
        return { topic, partition, from: readFromOffset, to }
      }),
    ),
  )
  try {
    const sources = ranges.map((_, i) => messages.read(i))
    const { readers, close } = await openReaders(ranges, sources, options)
    const closeAll = async () => {
      await Promise.all([messages.close(), close()])
    }
    return { readers, close: closeAll }
  } catch (error) {
    await messages.close()
    throw error
  }
}

/** A journal is looked for from the moment on when its lane's first lost message was written. */
async function openReaders(
  ranges: readonly LaneRange[],
  sources: readonly AsyncIterable<readonly RawMessage[]>[],
  options: HistorySource,
): Promise<{ readers: readonly LaneReader[]; close: () => Promise<void> }> {
  const peeked = new Map<LaneRange, PeekedSource<RawMessage>>()
  const hasJournal = ({ lane, fromOffset }: LaneRange): boolean =>
    lane.address.stream === 'transactions' && fromOffset < lane.committedOffset
  await Promise.all(
    ranges.map(async (range, i) => {
      if (hasJournal(range)) peeked.set(range, await peekAt(sources[i]!, () => true))
    }),
  )
  const wanted = [...peeked].flatMap(([range, { first }]) =>
    first === null ? [] : [{ range, sinceMs: first.brokerTimeMs }],
  )
  const journals = await openJournals(wanted, options)
  return {
    readers: ranges.map((range, i) => ({
      messages: peeked.get(range)?.all ?? sources[i]!,
      ...(journals.of.get(range) ?? noJournal),
    })),
    close: journals.close,
  }
}
