// Batches of the fold case: one lane, terminals in turn, a day's worth of a million events.
//
// In: which events of the row, over how many terminals. Out: a batch as the lanes would merge it.
// Invariant: the same numbers give the same batch; one event in a hundred is late, by less than
// allowed.

import { hashToShare } from '../../../services/core/hash.ts'
import type { Arrival, Batch, Transaction } from '../../../services/pipeline/records.ts'

export const hotStart = Date.UTC(2026, 0, 1)
const dayMs = 86_400_000
const eventsPerDay = 1_000_000
const lateShare = 0.01
const lateMsMax = 500_000

type HotBatchOptions = {
  readonly from: number
  readonly count: number
  readonly entities: number
  readonly epoch: number
  readonly watermarkMs: number
}

export function hotBatch(options: HotBatchOptions): Batch {
  const { from, count, entities, epoch } = options
  const arrivals: Arrival[] = []
  const latenessMs = new Float64Array(count)
  let { watermarkMs } = options
  for (let i = 0; i < count; i++) {
    const offset = from + i
    const nowMs = hotStart + Math.floor((offset * dayMs) / eventsPerDay)
    const chance = hashToShare(String(offset))
    const isLate = chance < lateShare
    const eventTime = isLate ? nowMs - Math.floor((chance / lateShare) * lateMsMax) : nowMs
    latenessMs[i] = Math.max(0, watermarkMs - eventTime)
    watermarkMs = Math.max(watermarkMs, eventTime)
    const raw = { offset, brokerTimeMs: nowMs, key: null, value: null }
    const transaction = hotTransaction(offset, eventTime, `T${offset % entities}`)
    arrivals.push({ raw, transaction, label: null, rejection: null })
  }
  const slice = {
    laneId: 0,
    stream: 'transactions' as const,
    partition: 0,
    epoch,
    fromOffset: from,
    committedOffset: from,
    firstOffset: from,
    lastOffset: from + count - 1,
    watermarkMs,
    frontierMs: watermarkMs,
    isIdle: false,
  }
  return {
    lanes: [slice],
    arrivals,
    laneIndexes: new Uint16Array(count),
    latenessMs,
    brakes: [{ events: 0, flagged: 0, eventsBefore: 0, flaggedBefore: 0 }],
  }
}

const hotTransaction = (offset: number, eventTime: number, terminalId: string): Transaction => ({
  transactionId: String(offset),
  eventTime,
  customerId: 'C',
  terminalId,
  amountMinor: 1 + ((offset * 7_919) % 100_000),
  currency: 'EUR',
  mcc: null,
  country: null,
  channel: null,
  deviceId: null,
  ipAddress: null,
})
