// The topics of a restore in memory: lanes of messages, and the journal of what was scored of them.
//
// In: lanes, journal entries as they are published; how much of both has expired. Out: a
// RestoreHistory that hands out short fetches, so that no border is where the code would like it.

import type { LaneAddress } from '../../services/lanes/lane-input.ts'
import type { RawMessage } from '../../services/pipeline/records.ts'
import type { JournalEntry, RestoreHistory } from '../../services/restore/plan/history.ts'
import type { Random } from './random.ts'

export type MemoryTopics = {
  readonly lanes: readonly {
    readonly address: LaneAddress
    /** Nothing of the lane lies before it, although the topic has messages there. */
    readonly originOffset: number
    readonly messages: RawMessage[]
  }[]
  /** By lane. */
  readonly journal: ReadonlyMap<number, JournalEntry[]>
  /** Offset of the first message and of the first journal entry that have not expired, by lane. */
  readonly firstOffsets: Map<number, number>
  readonly journalFrom: Map<number, number>
}

export function createMemoryHistory(topics: MemoryTopics, random: Random): RestoreHistory {
  const laneOf = ({ laneId }: LaneAddress) =>
    topics.lanes.find(({ address }) => address.laneId === laneId)!
  const firstOf = (lane: LaneAddress): number =>
    Math.max(laneOf(lane).originOffset, topics.firstOffsets.get(lane.laneId) ?? 0)
  const messagesOf = (lane: LaneAddress): readonly RawMessage[] => {
    const { laneId } = lane
    const { messages } = laneOf(lane)
    const first = topics.firstOffsets.get(laneId) ?? 0
    return messages.filter(({ offset }) => offset >= first)
  }
  const journalOf = (laneId: number): readonly JournalEntry[] => {
    const first = topics.journalFrom.get(laneId) ?? 0
    return (topics.journal.get(laneId) ?? []).filter(({ sourceOffset }) => sourceOffset >= first)
  }
  return {
    bounds: async (lane) => ({
      first: firstOf(lane),
      end: (messagesOf(lane).at(-1)?.offset ?? -1) + 1,
    }),
    offsetAt: async (lane, timeMs) => {
      const messages = messagesOf(lane)
      const end = (messages.at(-1)?.offset ?? topics.firstOffsets.get(lane.laneId) ?? 0) + 1
      const found = messages.find(({ brokerTimeMs }) => brokerTimeMs >= timeMs)?.offset ?? end
      return Math.max(laneOf(lane).originOffset, found)
    },
    open: async (ranges) => ({
      readers: ranges.map(({ lane: { address }, readFromOffset }) => ({
        messages: inFetches(
          messagesOf(address).filter(({ offset }) => offset >= readFromOffset),
          random,
        ),
        journal: inFetches(journalOf(address.laneId), random),
        journalFrom: topics.journalFrom.get(address.laneId) ?? 0,
      })),
      close: async () => undefined,
    }),
  }
}

async function* inFetches<T>(all: readonly T[], random: Random): AsyncGenerator<readonly T[]> {
  for (let from = 0; from < all.length; ) {
    const size = random.integer(1, 20)
    yield all.slice(from, from + size)
    from += size
  }
}
