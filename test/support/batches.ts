// Batches as the lanes would merge them.
//
// In: lanes, each a list of arrivals in offset order with the lateness that the lane saw, and which
// lane gives the next event, event by event. Out: a Batch.

import type { Label as GeneratedLabel } from '../../load/generator/labels.ts'
import type { Transaction as GeneratedTransaction } from '../../load/generator/timeline.ts'
import type {
  Arrival,
  Batch,
  Label,
  LaneSlice,
  Stream,
  Transaction,
} from '../../services/pipeline/records.ts'

export const EPOCH_MS = Date.UTC(2026, 0, 5)

/** As card-fraud has them: the fields of the shipped schema. */
export type CardTransaction = GeneratedTransaction
export type CardLabel = GeneratedLabel

export function transactionOf(wanted: Partial<CardTransaction> = {}): CardTransaction {
  return {
    transactionId: 't-0',
    eventTime: EPOCH_MS,
    customerId: 'c-0',
    terminalId: 'p-0',
    amountMinor: 1000,
    currency: 'EUR',
    mcc: null,
    country: null,
    channel: null,
    deviceId: null,
    ipAddress: null,
    ...wanted,
  }
}

export function fraudLabelOf(
  transaction: CardTransaction,
  wanted: Partial<CardLabel> = {},
): CardLabel {
  const { transactionId, eventTime, customerId, terminalId } = transaction
  return {
    transactionId,
    eventTime,
    customerId,
    terminalId,
    isFraud: true,
    labelTime: eventTime,
    source: 'analyst',
    ...wanted,
  }
}

export type TestLane = {
  readonly laneId: number
  readonly stream: Stream
  readonly arrivals: Arrival[]
  /** The lane's highest event time before each arrival, and the arrival's lateness; ms. */
  readonly highestBefore: number[]
  readonly latenessMs: number[]
}

export function createLane(laneId: number, stream: Stream = 'transactions'): TestLane {
  return { laneId, stream, arrivals: [], highestBefore: [], latenessMs: [] }
}

/**
 * Adds an event at the lane's next offset. Offsets may have gaps, as control records leave them.
 */
export function addArrival(lane: TestLane, event: Transaction | Label, gap = 0): Arrival {
  const label = 'isFraud' in event ? (event as Label) : null
  const last = lane.arrivals.at(-1)
  const arrival: Arrival = {
    raw: {
      offset: (last?.raw.offset ?? -1) + 1 + gap,
      brokerTimeMs: event.eventTime,
      key: null,
      value: null,
    },
    transaction: label === null ? (event as Transaction) : null,
    label,
    rejection: null,
  }
  const highest = last === undefined ? Number.NEGATIVE_INFINITY : highestAfter(lane)
  lane.arrivals.push(arrival)
  lane.highestBefore.push(highest)
  lane.latenessMs.push(Math.max(0, highest - event.eventTime))
  return arrival
}

const eventTimeOf = ({ transaction, label }: Arrival): number => (transaction ?? label!).eventTime

/** The lane's highest event time after its arrival at `index` (the last one). */
export function highestAfter(lane: TestLane, index = lane.arrivals.length - 1): number {
  return Math.max(lane.highestBefore[index]!, eventTimeOf(lane.arrivals[index]!))
}

export type Share = {
  readonly lane: TestLane
  readonly epoch: number
  /** Index of the first arrival in the batch, and how many follow with it. */
  readonly from: number
  readonly count: number
  /** Index of the lane's next arrival to commit. */
  readonly committed?: number
}

/** Merges the shares; `order` names the share of each event and keeps each lane's own order. */
export function batchOf(shares: readonly Share[], order: readonly number[]): Batch {
  const taken = shares.map(() => 0)
  const arrivals: Arrival[] = []
  const lateness: number[] = []
  for (const share of order) {
    const { lane, from } = shares[share]!
    const index = from + taken[share]!++
    arrivals.push(lane.arrivals[index]!)
    lateness.push(lane.latenessMs[index]!)
  }
  return {
    lanes: shares.map(sliceOf),
    arrivals,
    laneIndexes: Uint16Array.from(order),
    latenessMs: Float64Array.from(lateness),
    brakes: shares.map(() => ({ events: 0, flagged: 0, eventsBefore: 0, flaggedBefore: 0 })),
  }
}

function sliceOf({ lane, epoch, from, count, committed = 0 }: Share): LaneSlice {
  const last = from + count - 1
  return {
    laneId: lane.laneId,
    stream: lane.stream,
    partition: lane.laneId,
    epoch,
    fromOffset: offsetBefore(lane, from),
    committedOffset: offsetBefore(lane, committed),
    firstOffset: lane.arrivals[from]!.raw.offset,
    lastOffset: lane.arrivals[last]!.raw.offset,
    watermarkMs: highestAfter(lane, last),
    frontierMs: highestAfter(lane, last),
    isIdle: false,
  }
}

/** Offset behind the arrival before `index`: what a commit up to there says. */
export const offsetBefore = ({ arrivals }: TestLane, index: number): number =>
  index === 0 ? 0 : arrivals[index - 1]!.raw.offset + 1

/** All of one lane's arrivals from `from` on as a batch of their own. */
export function laneBatch(lane: TestLane, epoch: number, from = 0, count?: number): Batch {
  const taken = count ?? lane.arrivals.length - from
  return batchOf([{ lane, epoch, from, count: taken }], new Array(taken).fill(0))
}
