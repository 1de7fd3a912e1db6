// Traffic under which a campaign runs, and what a bad producer adds to it.
//
// In: a place, a rate, the shares of what is late, doubled or poison. Out: an open loop that stops
// when it is told; the messages of the last moments, to be produced once more. Refused: brokers
// away for longer than the generator's retries last. Invariant: what the input topics hold is
// counted by reading them, never by what was meant to be sent.

import type { Disturbances } from '../generator/disturbances.ts'
import { connectKafkaSink } from '../generator/kafka-sink.ts'
import { startOpenLoop } from '../generator/open-loop.ts'
import type { DueMessage } from '../generator/schedule.ts'
import type { ChaosEnvironment } from './chaos-environment.ts'
import { openLastingSink } from './lasting-sink.ts'

export type ChaosTraffic = {
  /** Transactions sent last, the oldest first. */
  readonly recent: () => readonly DueMessage[]
  /** Sends them again as they are, in this order. */
  readonly produce: (messages: readonly DueMessage[]) => Promise<void>
  /** Rejects when the generator cannot go on. */
  readonly failed: Promise<never>
  readonly stop: () => Promise<void>
}

type ChaosTrafficOptions = {
  readonly seed: number
  readonly rate: number
  /** It is stopped earlier as a rule; event time is laid out for so long. */
  readonly secondsMax: number
  readonly disturbances: Partial<Disturbances>
}

const RECENT_MAX = 2000
const HISTORY_DAYS = 21
const PAYMENTS_PER_DAY = 2
const CUSTOMERS_MIN = 200
/** Of all traffic, to one terminal: its logs are folded again and again. */
const HOT_TERMINAL_SHARE = 0.1
/** Labels are what a lane of its own is for: more frauds than in life make more of them. */
const FRAUD_SHARE = 0.03

export async function startChaosTraffic(
  place: ChaosEnvironment,
  { seed, rate, secondsMax, disturbances }: ChaosTrafficOptions,
): Promise<ChaosTraffic> {
  const { brokers, definition, schemaIds } = place
  const { transactions, labels } = definition.topics
  const payments = secondsMax * rate
  const customers = Math.max(
    CUSTOMERS_MIN,
    Math.round(payments / (HISTORY_DAYS * PAYMENTS_PER_DAY)),
  )
  const target = { brokers, transactionsTopic: transactions, labelsTopic: labels }
  const connect = () => openLastingSink(() => connectKafkaSink(target))
  const recent: DueMessage[] = []
  const schedule = await startOpenLoop({
    ...target,
    connect,
    schemaIds,
    rate,
    seconds: secondsMax,
    generator: {
      seed,
      customers,
      // Few terminals: their logs are shared by lanes and scorers.
      terminals: Math.round(customers / 2),
      transactionsPerCustomerPerDay: PAYMENTS_PER_DAY,
      hotTerminalShare: HOT_TERMINAL_SHARE,
      fraudShare: FRAUD_SHARE,
    },
    disturbances,
    onSend: (messages) => {
      for (const message of messages) if (message.kind !== 'label') recent.push(message)
      recent.splice(0, Math.max(0, recent.length - RECENT_MAX))
    },
  })
  const repeats = await connect()
  const failed = schedule.done.then(() => new Promise<never>(() => undefined))
  failed.catch(() => undefined)
  return {
    recent: () => [...recent],
    produce: repeats.send,
    failed,
    stop: async () => {
      await schedule.stop().finally(repeats.close)
    },
  }
}
