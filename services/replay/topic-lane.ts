// One partition of a replay: a lane of the live path, filled when it is asked, and a hash of what
// it read.
//
// In: a range of offsets and its messages. Out: the lane for the merge; how many messages there
// were and their sha-256. Nothing is refused. Invariant: at most one fetch is queued; the hash
// covers offset, broker time, key and value of every message, so equal hashes are equal input.

import { createHash, type Hash } from 'node:crypto'
import type { TopicRange } from '../adapters/kafka/ranges/topic-ranges.ts'
import { Lane } from '../lanes/lane.ts'
import { laneIdOf } from '../lanes/lane-input.ts'
import { freshMemory } from '../pipeline/publish/lane-metadata.ts'
import type { RawMessage, Stream } from '../pipeline/records.ts'

export type TopicLane = {
  readonly lane: Lane
  readonly open: (messages: AsyncIterable<readonly RawMessage[]>) => void
  /** Nothing is queued although more is to come. */
  readonly isDry: () => boolean
  readonly pull: () => Promise<void>
  readonly received: () => number
  readonly describe: () => PartitionRead
}

export type PartitionRead = {
  readonly partition: number
  /** Offsets: the first, and the one behind the last. */
  readonly from: number
  readonly to: number
  readonly messages: number
  readonly sha256: string
}

export function createTopicLane(range: TopicRange & { readonly stream: Stream }): TopicLane {
  const { stream, topic, partition, from, to } = range
  const lane = new Lane({ laneId: laneIdOf(stream, partition), stream, topic, partition })
  lane.begin({ offset: from, endOffset: to, hasCommitted: false, ...freshMemory() })
  lane.status = 'active'
  const hash = createHash('sha256')
  let fetches: AsyncIterator<readonly RawMessage[]> | null = null
  let received = 0
  return {
    lane,
    open: (messages) => {
      fetches = messages[Symbol.asyncIterator]()
    },
    isDry: () => lane.queuedEvents === 0 && !lane.isCaughtUp,
    pull: async () => {
      const next = await fetches!.next()
      const messages = next.done === true ? [] : next.value
      // At the end of the range only control records are left.
      const nextOffset = messages.length === 0 ? to : messages.at(-1)!.offset + 1
      addToHash(hash, messages)
      received += messages.length
      lane.accept({ messages, nextOffset, endOffset: to })
    },
    received: () => received,
    describe: () => {
      const sha256 = hash.copy().digest('hex')
      return { partition, from, to, messages: received, sha256 }
    },
  }
}

const HEAD_BYTES = 24
const NONE = -1

/**
 *   offset f64 | broker time f64 | key length i32 | value length i32 | key | value      little endian
 *
 * An absent key or value has length -1.
 */
function addToHash(hash: Hash, messages: readonly RawMessage[]): void {
  const parts: Buffer[] = []
  for (const { offset, brokerTimeMs, key, value } of messages) {
    const head = Buffer.allocUnsafe(HEAD_BYTES)
    head.writeDoubleLE(offset, 0)
    head.writeDoubleLE(brokerTimeMs, 8)
    head.writeInt32LE(key?.length ?? NONE, 16)
    head.writeInt32LE(value?.length ?? NONE, 20)
    parts.push(head)
    if (key !== null) parts.push(key)
    if (value !== null) parts.push(value)
  }
  hash.update(Buffer.concat(parts))
}
