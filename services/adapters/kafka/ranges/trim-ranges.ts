// Ranges without what readers never see at their ends: markers of transactions, and aborted
// messages.
//
// In: ranges of offsets. Out: the same ranges, each ending behind its last message; from = to where
// there is none. Refused: what openTopicRanges refuses. Why: a lane commits the offset behind a
// message it has processed, so only at such an offset can it be seen that a lane has come to its
// end. Invariant: no message of the range lies behind the new end.

import type { Kafka } from '../client/kafka-client.ts'
import { openTopicRanges, type TopicRange } from './topic-ranges.ts'

/** Offsets that are read from the end at first; more and more where all of them are markers. */
const FIRST_REACH = 64
const GROWTH = 16

export async function trimRanges<Range extends TopicRange>(
  kafka: Kafka,
  ranges: readonly Range[],
): Promise<Range[]> {
  const ends = new Map<Range, number>()
  let left = ranges.filter(({ from, to }) => from < to)
  for (let reach = FIRST_REACH; left.length > 0; reach *= GROWTH) {
    const found = await findLast(kafka, left, reach)
    left = left.filter((range, i) => {
      const last = found[i]!
      if (last !== null) ends.set(range, last + 1)
      return last === null && range.to - reach > range.from
    })
  }
  return ranges.map((range) => ({ ...range, to: ends.get(range) ?? range.from }))
}

/** Offset of the last message of each range that is at most `reach` before its end. */
async function findLast(
  kafka: Kafka,
  ranges: readonly TopicRange[],
  reach: number,
): Promise<(number | null)[]> {
  const tails = ranges.map(({ topic, partition, from, to }) => {
    return { topic, partition, from: Math.max(from, to - reach), to }
  })
  const opened = await openTopicRanges(kafka, tails)
  try {
    return await Promise.all(
      tails.map(async (_, i) => {
        let last: number | null = null
        for await (const messages of opened.read(i)) last = messages.at(-1)?.offset ?? last
        return last
      }),
    )
  } finally {
    await opened.close()
  }
}
