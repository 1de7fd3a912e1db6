// The journals of lanes, found in the topics of scored and of rejected events.
//
// In: lanes, and since when their lost messages were written. Out: per lane its entries in order,
// from before the first lost message on; a rejected event has one where it was counted and then set
// aside. Scored events are stamped by the scorer's clock and messages by the broker's: where the
// first entry found does not prove that the journal is covered, it is looked for from earlier on,
// and in the end from the topic's beginning. Invariant: an entry that is not handed out was made
// before `journalFrom`, or never.

import type { Kafka } from '../../adapters/kafka/client/kafka-client.ts'
import {
  offsetsAtTime,
  type PartitionBounds,
  partitionBounds,
} from '../../adapters/kafka/ranges/topic-bounds.ts'
import {
  openTopicRanges,
  type TopicRange,
  type TopicRanges,
} from '../../adapters/kafka/ranges/topic-ranges.ts'
import { WeirError } from '../../core/errors.ts'
import type { PipelineDefinition } from '../../core/pipeline-definition.ts'
import type { LaneBounds } from '../../lanes/lane-input.ts'
import { decodeOneLearning } from '../../pipeline/decode/decode-learning.ts'
import { DecodeFault, type Decoder } from '../../pipeline/decode/message-decoder.ts'
import type {
  AppliedRecord,
  RejectedRecord,
  ScoredTransactionRecord,
} from '../../pipeline/publish/output-records.ts'
import type { RawMessage } from '../../pipeline/records.ts'
import type { JournalEntry, LaneRange, LaneReader } from '../plan/history.ts'
import { mergeEntries } from './merge-entries.ts'
import { peekAt } from './peeked-source.ts'

/** Where a history is read, and how. */
export type HistorySource = {
  readonly kafka: Kafka
  readonly definition: PipelineDefinition
  readonly scored: Decoder<ScoredTransactionRecord>
  readonly rejected: Decoder<RejectedRecord>
  /** What lies outside of them is not there; a live lane has none. */
  readonly bounds?: LaneBounds
}

type WantedJournal = {
  readonly range: LaneRange
  /** Broker time of the first message that was lost. */
  readonly sinceMs: number
}

type Journal = Pick<LaneReader, 'journal' | 'journalFrom'>

type OpenedJournals = {
  readonly of: ReadonlyMap<LaneRange, Journal>
  readonly close: () => Promise<void>
}

async function* nothing(): AsyncGenerator<readonly JournalEntry[]> {}

export const noJournal: Journal = { journal: nothing(), journalFrom: 0 }

/** How far the clocks of broker and scorers may be apart, at first and when that is not enough. */
const CLOCK_SLACKS_MS = [120_000, 3_600_000, Number.POSITIVE_INFINITY]
const ASIDE_SLACK_MS = 3_600_000

export async function openJournals(
  wanted: readonly WantedJournal[],
  options: HistorySource,
): Promise<OpenedJournals> {
  const of = new Map<LaneRange, Journal>()
  const opened: TopicRanges[] = []
  const close = async (): Promise<void> => {
    await Promise.all(opened.map((ranges) => ranges.close()))
  }
  try {
    let left = wanted
    for (const slackMs of CLOCK_SLACKS_MS) {
      const places = await findPlaces(left, slackMs, options)
      const unproved: WantedJournal[] = []
      for (const layer of inLayers(places)) {
        const asides = layer.map(({ aside }) => aside)
        const ranges = await openTopicRanges(options.kafka, [...layer, ...asides])
        opened.push(ranges)
        const found = await Promise.all(
          layer.map((place, i) => {
            const read = { scored: ranges.read(i), rejected: ranges.read(layer.length + i) }
            return tryPlace(place, read, options)
          }),
        )
        for (const [i, journal] of found.entries()) {
          if (journal === null) unproved.push(layer[i]!.wanted)
          else of.set(layer[i]!.wanted.range, journal)
        }
      }
      left = unproved
    }
    return { of, close }
  } catch (error) {
    await close()
    throw error
  }
}

/**
 * A stretch of the scored topic that is read for one lane, and the one of the rejected topic beside
 * it.
 */
type Place = TopicRange & {
  readonly wanted: WantedJournal
  readonly low: number
  readonly aside: TopicRange
}

async function findPlaces(
  wanted: readonly WantedJournal[],
  slackMs: number,
  { kafka, definition }: HistorySource,
): Promise<Place[]> {
  if (wanted.length === 0) return []
  const { scored, rejected } = definition.topics
  const bounds = await partitionBounds(kafka, scored)
  const asideBounds = await partitionBounds(kafka, rejected)
  const places: Place[] = []
  for (const each of wanted) {
    const sinceMs = each.sinceMs - slackMs
    const { low, ...range } = await rangeSince({ kafka, topic: scored, bounds }, each, sinceMs)
    // Rejected events are few, so nothing proves where they begin: an hour covers what clocks
    // differ.
    const asideMs = each.sinceMs - Math.max(slackMs, ASIDE_SLACK_MS)
    const aside = { kafka, topic: rejected, bounds: asideBounds }
    places.push({ ...range, low, wanted: each, aside: await rangeSince(aside, each, asideMs) })
  }
  return places
}

type OutputTopic = {
  readonly kafka: Kafka
  readonly topic: string
  readonly bounds: readonly PartitionBounds[]
}

/** What the lane has in an output topic from a time on. */
async function rangeSince(
  { kafka, topic, bounds }: OutputTopic,
  { range }: WantedJournal,
  sinceMs: number,
): Promise<TopicRange & { readonly low: number }> {
  const { low, high, partition } = bounds[range.lane.address.partition % bounds.length]!
  const timeMs = Math.max(0, Math.floor(sinceMs))
  const offsets = timeMs === 0 ? null : await offsetsAtTime(kafka, topic, timeMs)
  const from = Math.min(high, Math.max(low, offsets?.get(partition) ?? low))
  return { topic, partition, low, from, to: high }
}

/** Lanes that share a partition are read one after the other: each needs a reading of its own. */
function inLayers(places: readonly Place[]): Place[][] {
  const layers: Place[][] = []
  for (const place of places) {
    const free = layers.find((layer) =>
      layer.every(
        ({ partition, aside }) =>
          partition !== place.partition && aside.partition !== place.aside.partition,
      ),
    )
    if (free === undefined) layers.push([place])
    else free.push(place)
  }
  return layers
}

type Messages = AsyncIterable<readonly RawMessage[]>

/** The lane's journal from the place on; null where entries may lie before it. */
async function tryPlace(
  { wanted: { range }, low, from }: Place,
  read: { readonly scored: Messages; readonly rejected: Messages },
  options: HistorySource,
): Promise<Journal | null> {
  const { first, all } = await peekAt(readEntries(range, read.scored, options), () => true)
  const isProved = first !== null && first.sourceOffset <= range.fromOffset
  if (!isProved && from > low) {
    await all.return(undefined)
    return null
  }
  const journal = mergeEntries(all, readAside(range, read.rejected, options))
  if (isProved) return { journal, journalFrom: range.fromOffset }
  const isComplete = low === 0
  const journalFrom = isComplete ? 0 : (first?.sourceOffset ?? range.lane.committedOffset)
  return { journal, journalFrom }
}

async function* readEntries(
  { lane }: LaneRange,
  messages: Messages,
  { definition, scored }: HistorySource,
): AsyncGenerator<readonly JournalEntry[]> {
  for await (const fetched of messages) {
    const entries: JournalEntry[] = []
    for (const message of fetched) {
      const event = await decodePublished(message, scored)
      if (event.pipeline !== definition.pipeline) continue
      if (event.sourcePartition !== lane.address.partition) continue
      entries.push(entryOf(event.sourceOffset, event.scoredTime, event))
    }
    if (entries.length > 0) yield entries
  }
}

/** Of what was counted and then set aside. */
async function* readAside(
  { lane }: LaneRange,
  messages: Messages,
  { definition, rejected }: HistorySource,
): AsyncGenerator<readonly JournalEntry[]> {
  for await (const fetched of messages) {
    const entries: JournalEntry[] = []
    for (const message of fetched) {
      const event = await decodePublished(message, rejected)
      if (event.applied === null || event.pipeline !== definition.pipeline) continue
      if (event.sourcePartition !== lane.address.partition) continue
      entries.push(entryOf(event.sourceOffset, event.rejectedTime, event.applied))
    }
    if (entries.length > 0) yield entries
  }
}

const entryOf = (
  sourceOffset: number,
  scoredTimeMs: number,
  { ordinals, labelsSeen, features, saturated }: AppliedRecord,
): JournalEntry => ({ sourceOffset, scoredTimeMs, ordinals, labelsSeen, features, saturated })

async function decodePublished<T>({ value, offset }: RawMessage, decoder: Decoder<T>): Promise<T> {
  const decoded = await decodeOneLearning(value, decoder)
  if (!(decoded instanceof DecodeFault)) return decoded
  const detail = `The published event at offset ${offset} cannot be read: ${decoded.detail}.`
  throw new WeirError('WEIR_ENRICH_STATE_LOST', detail)
}
