// A lane's messages, taken in their order: first those that the journal names, then what follows.
//
// In: the messages of a lane's range, a fetch at a time. Out: messages by offset. Nothing is read
// twice or kept: what lies before an offset that was asked for is gone.

import type { RawMessage } from '../../pipeline/records.ts'

export type MessageCursor = {
  /** The messages at these offsets, which must rise from call to call; null where there is none. */
  readonly match: (offsets: readonly number[]) => Promise<(RawMessage | null)[]>
  /** All messages from `offset` on and before `end`, a stretch at a time. */
  readonly follow: (offset: number, end?: number) => AsyncGenerator<readonly RawMessage[]>
  readonly close: () => Promise<void>
}

export function createMessageCursor(messages: AsyncIterable<readonly RawMessage[]>): MessageCursor {
  const fetches = messages[Symbol.asyncIterator]()
  let held: readonly RawMessage[] = []
  let at = 0

  /** Makes a message ready; false at the end of the range. */
  const isReady = async (): Promise<boolean> => {
    while (at >= held.length) {
      const next = await fetches.next()
      if (next.done === true) return false
      held = next.value
      at = 0
    }
    return true
  }

  const match = async (offsets: readonly number[]): Promise<(RawMessage | null)[]> => {
    const found: (RawMessage | null)[] = []
    while (found.length < offsets.length) {
      const wanted = offsets[found.length]!
      while (at < held.length && held[at]!.offset < wanted) at++
      if (at >= held.length && (await isReady())) continue
      found.push(held[at]?.offset === wanted ? held[at++]! : null)
    }
    return found
  }

  const follow = async function* (offset: number, end = Number.POSITIVE_INFINITY) {
    while (await isReady()) {
      const from = at
      while (at < held.length && held[at]!.offset < end) at++
      const taken = held.slice(from, at).filter((message) => message.offset >= offset)
      if (taken.length > 0) yield taken
      if (at < held.length) return
    }
  }

  return { match, follow, close: async () => void (await fetches.return?.()) }
}
