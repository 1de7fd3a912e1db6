// Several files as one stream in the order of time.
//
// In: files of one stream. Out: their events in (time, file, row) order, in blocks. A file that is
// in the order of time is read as it goes; one that is not is read whole and sorted, and the
// manifest says so. Refused with WEIR_FILE_INVALID: an unordered file of more rows than are sorted
// in memory. Invariant: the order depends on the files and on nothing else; memory holds one block
// of each ordered file and the unordered ones whole.

import type { FileEvent } from '../adapters/event-files/event-block.ts'
import type { EventFile } from '../adapters/event-files/event-file.ts'
import { WeirError } from '../core/errors.ts'

/** About 1.5 GB of transactions; larger files are sorted beforehand. */
const sortedRowsMax = 4_000_000

export type ExaminedFile<T> = {
  readonly file: EventFile<T>
  readonly rows: number
  readonly isOrdered: boolean
}

/** Reads the file's times once. */
export async function examineFile<T>(
  file: EventFile<T>,
  signal?: AbortSignal,
): Promise<ExaminedFile<T>> {
  let rows = 0
  let isOrdered = true
  let newestMs = Number.NEGATIVE_INFINITY
  for await (const timesMs of file.readTimes()) {
    signal?.throwIfAborted()
    for (const timeMs of timesMs) {
      if (timeMs < newestMs) isOrdered = false
      else newestMs = timeMs
    }
    rows += timesMs.length
  }
  if (!isOrdered && rows > sortedRowsMax) {
    const detail =
      `${file.path}: found ${rows} rows that are not in the order of time, ` +
      `expected at most ${sortedRowsMax} of them: sort the file by time, or split it.`
    throw new WeirError('WEIR_FILE_INVALID', detail)
  }
  return { file, rows, isOrdered }
}

type Blocks<T> = AsyncGenerator<readonly FileEvent<T>[], void, undefined>

/** A file's place in the merge. */
type Cursor<T> = { readonly blocks: Blocks<T>; events: readonly FileEvent<T>[]; index: number }

export async function* mergeByTime<T>(files: readonly ExaminedFile<T>[]): Blocks<T> {
  const cursors: Cursor<T>[] = []
  for (const { file, isOrdered } of files) {
    const blocks = isOrdered ? file.readEvents() : sortWhole(file)
    cursors.push({ blocks, events: [], index: 0 })
  }
  let open = await refill(cursors)
  while (open.length > 0) {
    yield takeRun(open)
    open = await refill(open)
  }
}

async function* sortWhole<T>(file: EventFile<T>): Blocks<T> {
  const all: FileEvent<T>[] = []
  for await (const events of file.readEvents()) all.push(...events)
  // The sort is stable: rows of one time keep their order.
  yield all.sort((a, b) => a.timeMs - b.timeMs)
}

/** Cursors that have an event, after fetching the next block of those that ran out. */
async function refill<T>(cursors: readonly Cursor<T>[]): Promise<Cursor<T>[]> {
  const open: Cursor<T>[] = []
  for (const cursor of cursors) {
    while (cursor.index === cursor.events.length) {
      const next = await cursor.blocks.next()
      if (next.done) break
      cursor.events = next.value
      cursor.index = 0
    }
    if (cursor.index < cursor.events.length) open.push(cursor)
  }
  return open
}

/** Events that come before all others, up to the end of one cursor's block. */
function takeRun<T>(open: readonly Cursor<T>[]): readonly FileEvent<T>[] {
  if (open.length === 1) return takeRest(open[0]!)
  const run: FileEvent<T>[] = []
  for (;;) {
    const first = earliest(open)
    run.push(first.events[first.index++]!)
    if (first.index === first.events.length) return run
  }
}

function takeRest<T>(cursor: Cursor<T>): readonly FileEvent<T>[] {
  const rest = cursor.index === 0 ? cursor.events : cursor.events.slice(cursor.index)
  cursor.index = cursor.events.length
  return rest
}

/** Of equal times the file given first. */
function earliest<T>(open: readonly Cursor<T>[]): Cursor<T> {
  let first = open[0]!
  for (const cursor of open) {
    if (cursor.events[cursor.index]!.timeMs < first.events[first.index]!.timeMs) first = cursor
  }
  return first
}
