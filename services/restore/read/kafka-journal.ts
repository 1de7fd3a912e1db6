// The journals of lanes, found in the topic of scored events.
//
// In: lanes, and since when their lost messages were written. Out: per lane its entries in order, from
// before the first lost message on. Scored events are stamped by the scorer's clock and messages by the
// broker's: where the first entry found does not prove that the journal is covered, it is looked for
// from earlier on, and in the end from the topic's beginning.
// Invariant: an entry that is not handed out was made before `journalFrom`, or never.

import type { Kafka } from '../../adapters/kafka/client/kafka-client.ts'
import { offsetsAtTime, partitionBounds } from '../../adapters/kafka/ranges/topic-bounds.ts'
import { openTopicRanges, type TopicRanges } from '../../adapters/kafka/ranges/topic-ranges.ts'
import { WeirError } from '../../core/errors.ts'
import type { PipelineDefinition } from '../../core/pipeline-definition.ts'
import type { LaneBounds } from '../../lanes/lane-input.ts'
import { decodeOneLearning } from '../../pipeline/decode/decode-learning.ts'
import { DecodeFault, type Decoder } from '../../pipeline/decode/message-decoder.ts'
import type { ScoredTransactionRecord } from '../../pipeline/publish/output-records.ts'
import type { RawMessage } from '../../pipeline/records.ts'
import type { JournalEntry, LaneRange, LaneReader } from '../plan/history.ts'
import { peekAt } from './peeked-source.ts'

/** Where a history is read, and how. */
export type HistorySource = {
  readonly kafka: Kafka
  readonly definition: PipelineDefinition
  readonly scored: Decoder<ScoredTransactionRecord>
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
        const ranges = await openTopicRanges(options.kafka, layer)
        opened.push(ranges)
        const found = await Promise.all(
          layer.map((place, i) => tryPlace(place, ranges.read(i), options)),
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

/** A stretch of the scored topic that is read for one lane. */
type Place = {
  readonly wanted: WantedJournal
  readonly topic: string
  readonly partition: number
  readonly low: number
  readonly from: number
  readonly to: number
}

async function findPlaces(
  wanted: readonly WantedJournal[],
  slackMs: number,
  { kafka, definition }: HistorySource,
): Promise<Place[]> {
  if (wanted.length === 0) return []
  const topic = definition.topics.scored
  const bounds = await partitionBounds(kafka, topic)
  const places: Place[] = []
  for (const each of wanted) {
    const { low, high, partition } = bounds[each.range.lane.address.partition % bounds.length]!
    const timeMs = Math.max(0, Math.floor(each.sinceMs - slackMs))
    const offsets = timeMs === 0 ? null : await offsetsAtTime(kafka, topic, timeMs)
    const from = Math.min(high, Math.max(low, offsets?.get(partition) ?? low))
    places.push({ wanted: each, topic, partition, low, from, to: high })
  }
  return places
}

/** Lanes that share a partition are read one after the other: each needs a reading of its own. */
function inLayers(places: readonly Place[]): Place[][] {
  const layers: Place[][] = []
  for (const place of places) {
    const free = layers.find((layer) =>
      layer.every(({ partition }) => partition !== place.partition),
    )
    if (free === undefined) layers.push([place])
    else free.push(place)
  }
  return layers
}

/** The lane's journal from the place on; null where entries may lie before it. */
async function tryPlace(
  { wanted: { range }, low, from }: Place,
  messages: AsyncIterable<readonly RawMessage[]>,
  options: HistorySource,
): Promise<Journal | null> {
  const { first, all } = await peekAt(readEntries(range, messages, options), () => true)
  const isProved = first !== null && first.sourceOffset <= range.fromOffset
  if (isProved) return { journal: all, journalFrom: range.fromOffset }
  if (from > low) {
    await all.return(undefined)
    return null
  }
  const isComplete = low === 0
  const journalFrom = isComplete ? 0 : (first?.sourceOffset ?? range.lane.committedOffset)
  return { journal: all, journalFrom }
}

async function* readEntries(
  { lane }: LaneRange,
  messages: AsyncIterable<readonly RawMessage[]>,
  { definition, scored }: HistorySource,
): AsyncGenerator<readonly JournalEntry[]> {
  for await (const fetched of messages) {
    const entries: JournalEntry[] = []
    for (const message of fetched) {
      const event = await decodeScored(message, scored)
      if (event.pipeline !== definition.pipeline) continue
      if (event.sourcePartition !== lane.address.partition) continue
      const { sourceOffset, scoredTime, ordinals, labelsSeen, features, saturated } = event
      const place = { sourceOffset, scoredTimeMs: scoredTime, ordinals, labelsSeen }
      entries.push({ ...place, features, saturated })
    }
    if (entries.length > 0) yield entries
  }
}

async function decodeScored(
  { value, offset }: RawMessage,
  decoder: HistorySource['scored'],
): Promise<ScoredTransactionRecord> {
  const decoded = await decodeOneLearning(value, decoder)
  if (!(decoded instanceof DecodeFault)) return decoded
  const detail = `The scored event at offset ${offset} cannot be read: ${decoded.detail}.`
  throw new WeirError('WEIR_ENRICH_STATE_LOST', detail)
}
