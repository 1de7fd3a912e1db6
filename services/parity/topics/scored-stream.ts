// The scored topic as one stream, nearly in the order in which it was written.
//
// In: the partitions of the scored topic. Out: decoded records in runs, the partition whose next
// record was scored first going first. So the lanes' events come as they were scored, and what has
// to wait for a row of another partition waits briefly. Records that cannot be decoded are told and
// skipped.

import { decodeLearning } from '../../pipeline/decode/decode-learning.ts'
import type { Decoder } from '../../pipeline/decode/message-decoder.ts'
import type { ScoredTransactionRecord } from '../../pipeline/publish/output-records.ts'
import type { RawMessage } from '../../pipeline/records.ts'

type ScoredPartition = {
  readonly partition: number
  readonly messages: AsyncIterable<readonly RawMessage[]>
}

export type UnreadableRecord = {
  readonly partition: number
  readonly offset: number
  readonly detail: string
}

type ScoredStreamOptions = {
  readonly decoder: Decoder<ScoredTransactionRecord>
  readonly tellUnreadable: (record: UnreadableRecord) => void
}

const RUN_MAX = 1000

type Cursor = {
  readonly iterator: AsyncIterator<readonly RawMessage[]>
  readonly partition: number
  records: readonly ScoredTransactionRecord[]
  index: number
}

export async function* streamScored(
  partitions: readonly ScoredPartition[],
  options: ScoredStreamOptions,
): AsyncGenerator<readonly ScoredTransactionRecord[], void, undefined> {
  let open: Cursor[] = partitions.map(({ partition, messages }) => ({
    partition,
    iterator: messages[Symbol.asyncIterator](),
    records: [],
    index: 0,
  }))
  for (;;) {
    open = await refill(open, options)
    if (open.length === 0) return
    yield takeRun(open)
  }
}

/** The cursors that have a record, after fetching for those that ran out. */
async function refill(cursors: readonly Cursor[], options: ScoredStreamOptions): Promise<Cursor[]> {
  const open: Cursor[] = []
  for (const cursor of cursors) {
    let isOver = false
    while (!isOver && cursor.index === cursor.records.length) {
      const { value, done } = await cursor.iterator.next()
      if (done === true) isOver = true
      else {
        cursor.records = await decodeRecords(cursor.partition, value, options)
        cursor.index = 0
      }
    }
    if (!isOver) open.push(cursor)
  }
  return open
}

async function decodeRecords(
  partition: number,
  messages: readonly RawMessage[],
  { decoder, tellUnreadable }: ScoredStreamOptions,
): Promise<ScoredTransactionRecord[]> {
  const { values, rejections } = await decodeLearning(messages, decoder)
  return values.flatMap((value, i) => {
    if (value !== null) return [value]
    tellUnreadable({ partition, offset: messages[i]!.offset, detail: rejections[i]!.detail })
    return []
  })
}

/** Records that come before all others, until one partition's are used up. */
function takeRun(open: readonly Cursor[]): ScoredTransactionRecord[] {
  const run: ScoredTransactionRecord[] = []
  while (run.length < RUN_MAX) {
    const first = earliest(open)
    run.push(first.records[first.index++]!)
    if (first.index === first.records.length) return run
  }
  return run
}

function earliest(open: readonly Cursor[]): Cursor {
  let first = open[0]!
  let firstMs = first.records[first.index]!.scoredTime
  for (let i = 1; i < open.length; i++) {
    const timeMs = open[i]!.records[open[i]!.index]!.scoredTime
    if (timeMs >= firstMs) continue
    first = open[i]!
    firstMs = timeMs
  }
  return first
}
