// The Parquet file of a replay: ids, times, one float32 column per feature, scores, decisions,
// labels.
//
//   rows ─► a row group on the desk ─► (thread) parquet-thread.ts: encoded, compressed, written
//
// In: rows in batches of any size, vectors row after row. Out: a file with the columns
//
//   transactionId STRING, eventTime TIMESTAMP(ms, UTC), <feature> FLOAT ..., [<score> FLOAT ...,
//   decision STRING,] isFraud BOOLEAN (null where no label is known)
//
// with one score per model. Refused: a path that cannot be written, by the next append or by close.
// Invariants: row groups are of a fixed size, so the bytes do not depend on the batches; memory
// holds two row groups, one being filled and one being written; float32 values are written bit for
// bit.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { type Decision, decisions } from '../../pipeline/records.ts'
import {
  type FeatureColumns,
  type RowGroup,
  rowGroupSize,
  type ThreadStart,
  UNKNOWN,
} from './parquet-messages.ts'

export type FeatureRows = {
  readonly count: number
  readonly transactionIds: readonly string[]
  readonly eventTimesMs: readonly number[]
  /** count x features. */
  readonly vectors: Float32Array
  /** One array per score column, in their order. */
  readonly scores: readonly Float32Array[]
  /** Null where nothing is scored. */
  readonly decisions: readonly Decision[] | null
  readonly isFraud: readonly (boolean | null)[]
}

type FeatureFile = {
  /** Takes the rows at once; resolves when there is room for more. */
  readonly append: (rows: FeatureRows) => Promise<void>
  readonly close: () => Promise<void>
}

export function openFeatureFile(path: string, names: FeatureColumns): FeatureFile {
  const thread = startThread({ path, names })
  let group = createRowGroup(names)
  let written: Promise<void> = Promise.resolve()
  /** Resolves when the group before this one is written: then two are in memory. */
  const handOver = (): Promise<void> => {
    const before = written
    written = thread.send(group, transferables(group))
    group = createRowGroup(names)
    return before
  }
  return {
    append: (rows) => {
      let room: Promise<void> = Promise.resolve()
      for (let from = 0; from < rows.count; ) {
        const to = Math.min(rows.count, from + rowGroupSize - group.count)
        lay(group, rows, from, to)
        from = to
        if (group.count === rowGroupSize) room = handOver()
      }
      return room
    },
    close: async () => {
      try {
        if (group.count > 0) await handOver()
        await written
        await thread.send('finish', [])
      } finally {
        await thread.end()
      }
    },
  }
}

/** Answers come in the order of what was sent; a failure answers all that is and will be asked. */
function startThread(start: ThreadStart) {
  const worker = new Worker(new URL('./parquet-thread.ts', import.meta.url), { workerData: start })
  const waiting: { resolve: () => void; reject: (error: Error) => void }[] = []
  let failure: Error | null = null
  worker.on('message', () => waiting.shift()!.resolve())
  worker.on('error', (error: Error) => {
    failure = error
    for (const { reject } of waiting.splice(0)) reject(error)
  })
  const ended = once(worker, 'exit').catch(() => undefined)
  return {
    send: (message: RowGroup | 'finish', transfer: readonly ArrayBuffer[]): Promise<void> => {
      if (failure !== null) return Promise.reject(failure)
      worker.postMessage(message, transfer)
      const answer = new Promise<void>((resolve, reject) => waiting.push({ resolve, reject }))
      // Its failure is met when it is awaited; until then it must not count as unhandled.
      answer.catch(() => undefined)
      return answer
    },
    end: async (): Promise<void> => {
      await worker.terminate()
      await ended
    },
  }
}

const createRowGroup = ({ features, scores }: FeatureColumns): RowGroup => ({
  transactionIds: [],
  eventTimesMs: new BigInt64Array(rowGroupSize),
  features: features.map(() => new Float32Array(rowGroupSize)),
  scores: scores.map(() => new Float32Array(rowGroupSize)),
  decisions: new Uint8Array(rowGroupSize),
  isFraud: new Uint8Array(rowGroupSize),
  count: 0,
})

const transferables = (group: RowGroup): ArrayBuffer[] => {
  const { eventTimesMs, features, scores, decisions, isFraud } = group
  return [eventTimesMs, ...features, ...scores, decisions, isFraud].map(({ buffer }) => buffer)
}

/** Rows [from, to) into the group, turned from rows into columns. */
function lay(group: RowGroup, rows: FeatureRows, from: number, to: number): void {
  const { features: columns, count } = group
  const features = columns.length
  for (let i = from, at = count; i < to; i++, at++) {
    const verdict = rows.isFraud[i]!
    group.transactionIds.push(rows.transactionIds[i]!)
    group.eventTimesMs[at] = BigInt(rows.eventTimesMs[i]!)
    group.isFraud[at] = verdict === null ? UNKNOWN : Number(verdict)
    if (rows.decisions !== null) group.decisions[at] = decisions.indexOf(rows.decisions[i]!)
  }
  for (let f = 0; f < features; f++) {
    const column = columns[f]!
    for (let i = from, at = count; i < to; i++, at++) column[at] = rows.vectors[i * features + f]!
  }
  for (const [s, column] of group.scores.entries()) {
    column.set(rows.scores[s]!.subarray(from, to), count)
  }
  group.count += to - from
}
