// Two readings of one lane's journal as one: what was scored, and what was counted and then set
// aside.
//
// In: entries of both, each in the order of the lane's offsets. Out: all of them in that order, in
// chunks that follow those of the scored ones. Memory: a chunk of each; the second is read at most
// one chunk further than it has to be. Invariant: an event stands in one of the two.

import type { JournalEntry } from '../plan/history.ts'

type Chunks = AsyncIterable<readonly JournalEntry[]>

export async function* mergeEntries(
  scored: Chunks,
  aside: Chunks,
): AsyncGenerator<readonly JournalEntry[], void, undefined> {
  const others = aside[Symbol.asyncIterator]()
  let waiting: readonly JournalEntry[] = []
  let isOver = false
  const readUpTo = async (offset: number): Promise<void> => {
    while (!isOver && (waiting.at(-1)?.sourceOffset ?? -1) < offset) {
      const { value, done } = await others.next()
      if (done === true) isOver = true
      else waiting = [...waiting, ...value]
    }
  }
  try {
    for await (const entries of scored) {
      const last = entries.at(-1)!.sourceOffset
      await readUpTo(last)
      const before = waiting.filter(({ sourceOffset }) => sourceOffset < last)
      waiting = waiting.filter(({ sourceOffset }) => sourceOffset > last)
      yield before.length === 0 ? entries : [...entries, ...before].sort(byOffset)
    }
    for (;;) {
      if (waiting.length > 0) yield waiting
      waiting = []
      if (isOver) return
      await readUpTo(0)
    }
  } finally {
    await others.return?.()
  }
}

const byOffset = (a: JournalEntry, b: JournalEntry): number => a.sourceOffset - b.sourceOffset
