// Live traffic under watch: sent in open loop, a table row each second, until all has an outcome.
//
// In: a place with a scorer at work and a watch on the outputs. Out: what was sent, and how long
// each event took. Refused: a scorer that ends, a reader or a generator that fails. Waiting for the
// last outcomes is bounded: what is missing then is left to the settlement.

import { setTimeout as pause } from 'node:timers/promises'
import { countReceived } from '../generator/counts.ts'
import { startOpenLoop } from '../generator/open-loop.ts'
import type { Progress, Schedule } from '../generator/schedule.ts'
import type { ScorerProcess } from '../scorer/scorer-process.ts'
import type { DemoEnvironment, Say } from './demo-environment.ts'
import { formatRow, headerBefore, quantileOf } from './live-table.ts'
import type { OutcomeWatch } from './outcome-watch.ts'
import { readLag } from './settlement.ts'

export type TrafficOptions = {
  readonly seconds: number
  readonly rate: number
  readonly seed: number
  readonly say: Say
  readonly stop: AbortSignal
  readonly place: DemoEnvironment
  readonly scorer: ScorerProcess
  readonly watch: OutcomeWatch
}

export type Traffic = {
  readonly sent: Progress
  readonly latenciesMs: readonly number[]
  /** From the first message to the last outcome. */
  readonly seconds: number
}

/** A little of everything that goes wrong on a real topic. */
const disturbances = { lateShare: 0.005, duplicateShare: 0.002, poisonShare: 0.005 }
/** The history that is sent ends now and is about so long: people pay about twice a day. */
const HISTORY_DAYS = 21
const PAYMENTS_PER_DAY = 2
const CUSTOMERS_MIN = 100
const CATCH_UP_MS_MAX = 60_000
const LOOK_EVERY_MS = 50
const ROW_EVERY_MS = 1000

export async function sendTraffic(options: TrafficOptions): Promise<Traffic> {
  const { say, stop, scorer, watch, rate, seconds, seed } = options
  say(`traffic    ${rate} events a second for ${seconds} s in open loop, seed ${seed}`)
  const schedule = await startSchedule(options)
  const startedMs = performance.now()
  const stopSending = () => void schedule.stop().catch(() => undefined)
  stop.addEventListener('abort', stopSending)
  if (stop.aborted) stopSending()
  const table = startTable(options, schedule)
  const failed = Promise.race([watch.failed, table.failed, failWhenEnded(scorer)])
  failed.catch(() => undefined)
  try {
    const sent = await Promise.race([schedule.done, failed])
    await Promise.race([catchUp(options, sent), failed])
    const latenciesMs = await table.end()
    return { sent, latenciesMs, seconds: (performance.now() - startedMs) / 1000 }
  } finally {
    stop.removeEventListener('abort', stopSending)
    stopSending()
    await table.end().catch(() => undefined)
  }
}

function startSchedule({ place, seconds, rate, seed }: TrafficOptions): Promise<Schedule> {
  const { stack, definition, schemaIds } = place
  const payments = seconds * rate
  const customers = Math.round(payments / (HISTORY_DAYS * PAYMENTS_PER_DAY))
  return startOpenLoop({
    brokers: stack.kafkaBrokers,
    transactionsTopic: definition.topics.transactions,
    labelsTopic: definition.topics.labels,
    schemaIds,
    rate,
    seconds,
    generator: {
      seed,
      customers: Math.max(CUSTOMERS_MIN, customers),
      terminals: 2 * Math.max(CUSTOMERS_MIN, customers),
      transactionsPerCustomerPerDay: PAYMENTS_PER_DAY,
    },
    disturbances: { seed, ...disturbances },
  })
}

async function failWhenEnded(scorer: ScorerProcess): Promise<never> {
  await scorer.ended
  scorer.assertRunning()
  throw new Error('the scorer ended')
}

/** Waits until every message has an outcome and every offset is committed, but not for ever. */
async function catchUp({ place, watch }: TrafficOptions, sent: Progress): Promise<void> {
  const deadlineMs = Date.now() + CATCH_UP_MS_MAX
  const received = countReceived(sent)
  const hasAllOutcomes = () => countOutcomes(watch) >= received
  const isCommitted = async () =>
    (await readLag(place.kafka, place.groupId, place.definition)) === 0
  while (Date.now() < deadlineMs) {
    if (hasAllOutcomes() && (await isCommitted())) return
    await pause(LOOK_EVERY_MS)
  }
}

function countOutcomes({ totals }: OutcomeWatch): number {
  const { scored, rejected, diverted } = totals()
  return scored + rejected + diverted
}

function startTable(options: TrafficOptions, schedule: Schedule) {
  const { say, scorer, watch } = options
  const latenciesMs: number[] = []
  const ending = new AbortController()
  let batches = { events: 0, count: 0 }
  let outcomesBefore = 0
  let lookedMs = performance.now()

  const printRow = async (second: number): Promise<void> => {
    const { transactions, duplicates, poison } = schedule.progress()
    // A scorer that does not answer is no reason to stop looking at its topics.
    const batchesNow = await scorer.readMetrics().then(readBatches, () => batches)
    const taken = watch.takeLatenciesMs()
    for (const latencyMs of taken) latenciesMs.push(latencyMs)
    const totals = watch.totals()
    const received = transactions + duplicates + poison
    const outcomes = countOutcomes(watch)
    const nowMs = performance.now()
    const batchCount = batchesNow.count - batches.count
    for (const line of headerBefore(second - 1)) say(line)
    const row = {
      second,
      ...totals,
      received,
      lag: Math.max(0, received - outcomes),
      p50Ms: quantileOf(0.5, taken),
      p99Ms: quantileOf(0.99, taken),
      batchEvents: batchCount === 0 ? null : (batchesNow.events - batches.events) / batchCount,
      eventsPerSecond: Math.round((1000 * (outcomes - outcomesBefore)) / (nowMs - lookedMs)),
    }
    say(formatRow(row))
    batches = batchesNow
    outcomesBefore = outcomes
    lookedMs = nowMs
  }

  const loop = (async () => {
    const startedMs = performance.now()
    for (let second = 1; ; second++) {
      const waitMs = Math.max(0, startedMs + second * ROW_EVERY_MS - performance.now())
      await pause(waitMs, undefined, { signal: ending.signal }).catch(() => undefined)
      await printRow(second)
      if (ending.signal.aborted) return
    }
  })()
  const failed = loop.then(() => new Promise<never>(() => undefined))
  failed.catch(() => undefined)
  return {
    failed,
    /** Prints the last row; the latencies of the whole run. */
    end: async (): Promise<readonly number[]> => {
      ending.abort()
      await loop
      return latenciesMs
    },
  }
}

/** Micro-batches and their events so far, from the text of /metrics. */
function readBatches(metrics: string): { readonly events: number; readonly count: number } {
  const sample = (name: string): number => {
    const line = metrics.split('\n').find((candidate) => candidate.startsWith(`${name} `))
    return line === undefined ? 0 : Number(line.slice(name.length + 1))
  }
  return { events: sample('weir_batch_events_sum'), count: sample('weir_batch_events_count') }
}
