/**
 * The world's history: transactions and labels in the order in which they become known.
 *
 * In: the options. Out: a lazy stream of transactions, each with the truth beside it, merged with
 * the labels by label time. Refused: options out of range.
 * Invariants: event times never fall; a transaction holds exactly the fields of the Avro schema; a
 * day is the same whatever range it is part of; memory holds two days and the labels still due.
 */

import type { PlannedTransaction } from './customer-day.ts'
import { createWorld, DayPlanner, planDay } from './day-planner.ts'
import type { FraudScenario } from './frauds.ts'
import type { SimulatedLabel } from './labels.ts'
import { type Label, LabelQueue } from './labels.ts'
import { dayMs, type GeneratorOptions, resolveOptions } from './options.ts'
import { dayOf } from './rhythms.ts'

/** The fields of schemas/transaction.avsc, in its order. Amounts in minor units, times in ms. */
export type Transaction = {
  readonly transactionId: string
  readonly eventTime: number
  readonly customerId: string
  readonly terminalId: string
  readonly amountMinor: number
  readonly currency: string
  readonly mcc: string | null
  readonly country: string | null
  readonly channel: string | null
  readonly deviceId: string | null
  readonly ipAddress: string | null
}

export interface SimulatedTransaction {
  readonly kind: 'transaction'
  readonly transaction: Transaction
  /** The truth, which no field of the transaction tells. */
  readonly fraud: FraudScenario | null
}

export type TimelineItem = SimulatedTransaction | SimulatedLabel

export interface History {
  readonly transactions: readonly Transaction[]
  readonly labels: readonly Label[]
  readonly fraudById: ReadonlyMap<string, FraudScenario>
}

export function* generateTransactions(
  given?: Partial<GeneratorOptions>,
): Generator<SimulatedTransaction, void, undefined> {
  for (const item of generateTimeline(given)) if (item.kind === 'transaction') yield item
}

/** Everything in arrays: for tests and small histories. */
export function generateHistory(given?: Partial<GeneratorOptions>): History {
  const transactions: Transaction[] = []
  const labels: Label[] = []
  const fraudById = new Map<string, FraudScenario>()
  for (const item of generateTimeline(given)) {
    if (item.kind === 'label') labels.push(item.label)
    else {
      transactions.push(item.transaction)
      if (item.fraud !== null) fraudById.set(item.transaction.transactionId, item.fraud)
    }
  }
  return { transactions, labels, fraudById }
}

export function* generateTimeline(
  given?: Partial<GeneratorOptions>,
): Generator<TimelineItem, void, undefined> {
  const options = resolveOptions(given)
  const world = createWorld(options)
  const endTimeMs = options.startTimeMs + options.days * dayMs
  const labels = new LabelQueue(options)
  let left = options.count
  let planner = new DayPlanner(world, dayOf(options.startTimeMs))
  while (planner.day * dayMs < endTimeMs && left > 0) {
    const today = planner.day
    const planned = planner.finish()
    const from = countBefore(planned, options.startTimeMs)
    const to = Math.min(countBefore(planned, endTimeMs), from + left)
    const items = planned.slice(from, to)
    const idOf = (index: number) => `t${options.seed}-${today}-${from + index}`
    items.forEach((item, index) => {
      labels.consider(item, idOf(index))
    })
    planner = new DayPlanner(world, today + 1)
    const customersPerItem = Math.ceil(options.customers / items.length)
    for (let index = 0; index < items.length; index++) {
      const item = items[index]!
      planner.planSome(customersPerItem)
      yield* labels.takeUntil(item.eventTimeMs)
      yield {
        kind: 'transaction',
        transaction: toTransaction(item, idOf(index)),
        fraud: item.fraud,
      }
    }
    left -= items.length
  }
  yield* labels.takeUntil(Number.POSITIVE_INFINITY)
}

/**
 * The start time from which `count` transactions end at the last one before `endTimeMs`, found by
 * planning days backwards. For a live run whose event time must end now and never lie ahead.
 */
export function findStartTime(given: Partial<GeneratorOptions>, endTimeMs: number): number {
  const options = resolveOptions({ ...given, startTimeMs: 0 })
  if (!Number.isFinite(options.count) || options.count < 1) {
    throw new RangeError(`count is ${options.count}, expected 1 or more to find the start of a run`)
  }
  const world = createWorld(options)
  let left = Math.ceil(options.count)
  for (let day = dayOf(endTimeMs); day >= 0; day--) {
    const planned = planDay(world, day)
    const count = countBefore(planned, endTimeMs + 1)
    if (count >= left) return planned[count - left]!.eventTimeMs
    left -= count
  }
  throw new RangeError(
    `${options.count} transactions reach back before 1970: raise customers (${options.customers}) ` +
      `or transactionsPerCustomerPerDay (${options.transactionsPerCustomerPerDay})`,
  )
}

/** How many transactions of a sorted plan come before a moment. */
function countBefore(planned: readonly PlannedTransaction[], timeMs: number): number {
  const index = planned.findIndex(({ eventTimeMs }) => eventTimeMs >= timeMs)
  return index < 0 ? planned.length : index
}

function toTransaction(planned: PlannedTransaction, transactionId: string): Transaction {
  const { customer, terminal } = planned
  return {
    transactionId,
    eventTime: planned.eventTimeMs,
    customerId: customer.id,
    terminalId: terminal.id,
    amountMinor: planned.amountMinor,
    currency: terminal.currency,
    mcc: terminal.mcc,
    country: terminal.country,
    channel: terminal.channel,
    deviceId: planned.device,
    ipAddress: planned.ipAddress,
  }
}
