// Files to the batches that the stages know: transactions in time order, labels merged in between.
//
// In: the ordered events of both streams. Out: batches of at most `batchEvents` arrivals, one lane
// per stream. A label enters before the first transaction whose event time is not before its label
// time; labels that become known after the last transaction enter at the end. Refused rows (a cell
// of the wrong kind, what validate rejects) go to `reject` with their place and never into a batch.
// Invariants: the clock of an event is its own time; received = in batches + rejected.

import type { FileEvent, RowFault } from '../adapters/event-files/event-block.ts'
import type {
  Arrival,
  Batch,
  Brake,
  Label,
  LaneSlice,
  RawMessage,
  Rejection,
  Stream,
  Transaction,
} from '../pipeline/records.ts'
import {
  type ValidateRules,
  validateLabel,
  validateTransaction,
} from '../pipeline/validate/validate.ts'

type RefusedRow = {
  readonly stream: Stream
  readonly file: number
  readonly row: number
  readonly rejection: Rejection
}

type Blocks<T> = AsyncGenerator<readonly FileEvent<T>[], void, undefined>

type BatchSource = {
  readonly transactions: Blocks<Transaction>
  readonly labels: Blocks<Label>
  readonly rules: ValidateRules
  readonly batchEvents: number
  /** The store's claims on the lanes of transactions (0) and labels (1). */
  readonly epochs: readonly [number, number]
  readonly brakes: readonly [Brake, Brake]
  readonly reject: (refused: RefusedRow) => void
}

export const TRANSACTION_LANE = 0
export const LABEL_LANE = 1
const laneStreams = ['transactions', 'labels'] as const

export async function* replayBatches(source: BatchSource): AsyncGenerator<Batch, void, undefined> {
  const draft = createDraft(source)
  const labels = createQueue(source.labels)
  await labels.fill()
  for await (const events of source.transactions) {
    for (const event of events) {
      for (;;) {
        const label = labels.peek()
        if (label === null || label.timeMs > event.timeMs) break
        draft.addLabel(label)
        if (labels.drop()) await labels.fill()
        if (draft.isFull()) yield draft.take()
      }
      draft.addTransaction(event)
      if (draft.isFull()) yield draft.take()
    }
  }
  for (let label = labels.peek(); label !== null; label = labels.peek()) {
    draft.addLabel(label)
    if (labels.drop()) await labels.fill()
    if (draft.isFull()) yield draft.take()
  }
  if (!draft.isEmpty()) yield draft.take()
}

/** The events of a stream one by one, without a promise per event. */
function createQueue<T>(blocks: Blocks<T>) {
  let events: readonly FileEvent<T>[] = []
  let index = 0
  return {
    peek: (): FileEvent<T> | null => events[index] ?? null,
    /** True where the block is used up and has to be filled. */
    drop: (): boolean => ++index >= events.length,
    fill: async (): Promise<void> => {
      const next = await blocks.next()
      events = next.done ? [] : next.value
      index = 0
    },
  }
}

function createDraft({ rules, batchEvents, epochs, brakes, reject }: BatchSource) {
  let arrivals: Arrival[] = []
  let lanes: number[] = []
  const offsets: [number, number] = [0, 0]
  const firstOffsets: [number, number] = [0, 0]
  const watermarksMs: [number, number] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]

  const add = <T>(
    lane: 0 | 1,
    event: FileEvent<T>,
    validate: (value: T, raw: RawMessage) => Rejection | null,
    toArrival: (raw: RawMessage, value: T) => Arrival,
  ): void => {
    const { value, fault, file, row, timeMs } = event
    const raw = { offset: offsets[lane], brokerTimeMs: timeMs, key: null, value: null }
    const rejection = value === null ? rejectRow(fault!) : validate(value, raw)
    if (value === null || rejection !== null) {
      reject({ stream: laneStreams[lane], file, row, rejection: rejection! })
      return
    }
    offsets[lane]++
    watermarksMs[lane] = timeMs
    arrivals.push(toArrival(raw, value))
    lanes.push(lane)
  }

  const sliceOf = (lane: 0 | 1): LaneSlice => ({
    laneId: lane,
    stream: laneStreams[lane],
    partition: 0,
    epoch: epochs[lane],
    fromOffset: firstOffsets[lane],
    committedOffset: firstOffsets[lane],
    firstOffset: firstOffsets[lane],
    lastOffset: offsets[lane] - 1,
    watermarkMs: watermarksMs[lane],
    frontierMs: watermarksMs[lane],
    isIdle: false,
  })

  return {
    isEmpty: () => arrivals.length === 0,
    isFull: () => arrivals.length >= batchEvents,
    addTransaction: (event: FileEvent<Transaction>) =>
      add(TRANSACTION_LANE, event, (value, raw) => validateTransaction(value, raw, rules), admit),
    addLabel: (event: FileEvent<Label>) =>
      add(LABEL_LANE, event, (value, raw) => validateLabel(value, raw, rules), admitLabel),
    take: (): Batch => {
      const batch = {
        lanes: [sliceOf(TRANSACTION_LANE), sliceOf(LABEL_LANE)],
        arrivals,
        laneIndexes: Uint16Array.from(lanes),
        // Files are merged in the order of time: nothing is late.
        latenessMs: new Float64Array(arrivals.length),
        brakes,
      }
      firstOffsets[0] = offsets[0]
      firstOffsets[1] = offsets[1]
      arrivals = []
      lanes = []
      return batch
    },
  }
}

const admit = (raw: RawMessage, transaction: Transaction): Arrival => ({
  raw,
  transaction,
  label: null,
  rejection: null,
})

const admitLabel = (raw: RawMessage, label: Label): Arrival => ({
  raw,
  transaction: null,
  label,
  rejection: null,
})

const rejectRow = (fault: RowFault): Rejection => ({
  ...fault,
  stage: fault.code.startsWith('WEIR_VALIDATE') ? 'validate' : 'decode',
})
