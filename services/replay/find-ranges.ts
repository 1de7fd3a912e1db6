// What a replay reads of a topic: a range of offsets for each partition.
//
// In: a topic, edges as broker times, as offsets of some partitions, or none. Out: offsets, fixed
// before the first message is read: what is written meanwhile does not belong to the run. Refused
// with WEIR_SETTINGS_INVALID: offsets of a partition that the topic does not have, beyond its end,
// or the wrong way round. Offsets that have expired are refused when they are read. Invariant: an
// offset that was given is taken as it is; a time is brought to where it lies in the topic.

import type { Kafka } from '../adapters/kafka/client/kafka-client.ts'
import {
  offsetsAtTime,
  type PartitionBounds,
  partitionBounds,
} from '../adapters/kafka/ranges/topic-bounds.ts'
import type { TopicRange } from '../adapters/kafka/ranges/topic-ranges.ts'
import { WeirError } from '../core/errors.ts'
import type { Stream } from '../pipeline/records.ts'

export type StreamRange = TopicRange & { readonly stream: Stream }

/** Offsets by partition; where a partition has none the times decide. */
export type StreamOffsets = {
  readonly from: ReadonlyMap<number, number>
  /** Behind the last message. */
  readonly to: ReadonlyMap<number, number>
  /** Partitions without an offset are not read at all. */
  readonly onlyThese?: boolean
}

type RangeEdges = {
  /** Broker times in ms; null = the topic's beginning, or its end as found now. */
  readonly fromMs: number | null
  readonly toMs: number | null
  readonly offsets?: StreamOffsets | undefined
}

export async function findRanges(
  kafka: Kafka,
  stream: Stream,
  topic: string,
  { fromMs, toMs, offsets }: RangeEdges,
): Promise<StreamRange[]> {
  const bounds = await partitionBounds(kafka, topic)
  if (offsets !== undefined) refuseForeign(topic, bounds, offsets)
  const starts = fromMs === null ? null : await offsetsAtTime(kafka, topic, fromMs)
  const ends = toMs === null ? null : await offsetsAtTime(kafka, topic, toMs)
  return bounds.flatMap(({ partition, low, high }): StreamRange[] => {
    const first = offsets?.from.get(partition)
    const behind = offsets?.to.get(partition)
    if (offsets?.onlyThese === true && first === undefined) return []
    const within = (offset: number) => Math.max(low, Math.min(high, offset))
    const from = first ?? within(starts?.get(partition) ?? low)
    const to = behind ?? Math.max(from, within(ends?.get(partition) ?? high))
    if (from > to) {
      throw refused(
        `${topic}/${partition}: found the range from ${from} to ${to}, expected from <= to`,
      )
    }
    return [{ stream, topic, partition, from, to }]
  })
}

function refuseForeign(
  topic: string,
  bounds: readonly PartitionBounds[],
  { from, to }: StreamOffsets,
): void {
  const highs = new Map(bounds.map(({ partition, high }) => [partition, high]))
  for (const [partition, offset] of [...from, ...to]) {
    const high = highs.get(partition)
    if (high === undefined) {
      const expected = [...highs.keys()].join(', ')
      throw refused(
        `${topic}: found an offset of partition ${partition}, expected one of ${expected}`,
      )
    }
    if (offset > high) {
      throw refused(
        `${topic}/${partition}: found offset ${offset}, expected at most ${high}, its end`,
      )
    }
  }
}

const refused = (detail: string) => new WeirError('WEIR_SETTINGS_INVALID', `${detail}.`)
