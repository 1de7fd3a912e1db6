// `bench latency`: from the moment when an event is due to the moment when a reader may see its
// score.
//
//   due ─(tick, send)─► brokerTime ─(fetch, score)─► scoredTime ─(transaction)─► visible
//
// In: a place. Out: quantiles over all events that were due after the warm-up. Open loop: the
// schedule is kept whatever the pipeline does, and an event that waits to be sent is waiting
// already. Refused: a scorer that ends. Invariant: an event counts with the first record that shows
// it; one that never shows is lost, and the case fails.

import { setTimeout as pause } from 'node:timers/promises'
import { startOpenLoop } from '../../generator/open-loop.ts'
import { benchPreset } from '../../generator/options.ts'
import type { DueMessage } from '../../generator/schedule.ts'
import type { BenchEnvironment } from '../environment/bench-environment.ts'
import { startBenchScorers } from '../environment/bench-scorers.ts'
import { compareReadings, readProcesses, type Usage } from '../measure/process-usage.ts'
import { quantileOf, sortValues } from '../measure/quantiles.ts'
import { readScorerFigures } from '../measure/scorer-metrics.ts'
import { watchRecords } from '../measure/visible-records.ts'
import { openDecoder } from '../verify/reference-vectors.ts'
import { rehearse } from './rehearse.ts'

/** Where the time goes; the stages' quantiles do not add up to those of the whole. */
export type Stages = { readonly produce: number; readonly score: number; readonly publish: number }

export type LatencyCase = Usage & {
  readonly case: 'latency'
  readonly rate: number
  readonly seconds: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly lost: number
  readonly duplicated: number
  /** Sent before the measured seconds, and not counted. */
  readonly warmUpSeconds: number
  readonly rehearsedEvents: number
  readonly events: number
  readonly batchMean: number
  /** How late the generator was at worst; part of the latencies, since due times never move. */
  readonly behindMaxMs: number
  readonly stagesP50Ms: Stages
  readonly stagesP99Ms: Stages
}

export type LatencyOptions = {
  readonly rate: number
  readonly seconds: number
  readonly warmUpSeconds: number
  /** Events of the rehearsal; 0 = none. */
  readonly rehearsedEvents: number
  readonly say: (line: string) => void
}

type Scored = {
  readonly transactionId: string
  readonly brokerTime: number
  readonly scoredTime: number
}

/**
 * The generator collects what is due so often, as Kafka's own producers do by default (linger.ms of
 * 4.0); on average half of it is part of every latency.
 */
const tickMs = 5
const stragglersMsMax = 30_000
const pollMs = 50

export async function runLatency(
  place: BenchEnvironment,
  options: LatencyOptions,
): Promise<LatencyCase> {
  const { rate, seconds, warmUpSeconds, rehearsedEvents, say } = options
  await rehearse(place, rehearsedEvents, say)
  const decode = await openDecoder<Scored>(
    place,
    'scored-transaction',
    place.definition.topics.scored,
  )
  const book = createBook(warmUpSeconds * 1_000)
  const scorers = await startBenchScorers(place, 1)
  const reader = await watchRecords(place, (values, visibleMs) => {
    for (const value of values) book.see(decode(value), visibleMs)
  })
  try {
    await scorers.untilFirstClaim()
    say(`sending ${rate} events/s for ${warmUpSeconds} s of warm-up and ${seconds} s`)
    const before = readProcesses(place.stack, scorers.all)
    const sending = send(place, options, book.expect)
    const behindMaxMs = await Promise.race([sending, scorers.failed, reader.failed])
    await Promise.race([awaitAll(book), scorers.failed, reader.failed])
    const { batchMean } = readScorerFigures([await scorers.all[0]!.readMetrics()])
    const sentEvents = rate * (seconds + warmUpSeconds)
    const usage = compareReadings(before, readProcesses(place.stack, scorers.all), sentEvents)
    const circumstances = { warmUpSeconds, rehearsedEvents, batchMean, behindMaxMs }
    return { case: 'latency', rate, seconds, ...book.close(), ...circumstances, ...usage }
  } finally {
    await reader.stop()
    await scorers.stop()
  }
}

async function send(
  place: BenchEnvironment,
  { rate, seconds, warmUpSeconds }: LatencyOptions,
  onSend: (messages: readonly DueMessage[]) => void,
): Promise<number> {
  // Its days follow from rate and seconds: the history ends now.
  const { days: _, ...world } = benchPreset
  const loop = await startOpenLoop({
    brokers: place.stack.kafkaBrokers,
    transactionsTopic: place.definition.topics.transactions,
    labelsTopic: null,
    schemaIds: place.schemaIds,
    rate,
    seconds: warmUpSeconds + seconds,
    generator: world,
    tickMs,
    onSend,
  })
  const { behindMaxMs } = await loop.done
  return behindMaxMs
}

async function awaitAll(book: { readonly waiting: () => number }): Promise<void> {
  const deadlineMs = Date.now() + stragglersMsMax
  while (book.waiting() > 0 && Date.now() < deadlineMs) await pause(pollMs)
}

/** Who is due when, and who was seen. */
export function createBook(warmUpMs: number) {
  const dueMs = new Map<string, number>()
  const seen = new Set<string>()
  let countFromMs: number | null = null
  let duplicated = 0
  const latencies: number[] = []
  const stages = { produce: [] as number[], score: [] as number[], publish: [] as number[] }

  const expect = (messages: readonly DueMessage[]): void => {
    countFromMs ??= messages[0]!.dueMs + warmUpMs
    for (const message of messages) dueMs.set(message.transactionId!, message.dueMs)
  }

  const see = ({ transactionId, brokerTime, scoredTime }: Scored, visibleMs: number): void => {
    const due = dueMs.get(transactionId)
    if (due === undefined || seen.has(transactionId)) {
      duplicated++
      return
    }
    seen.add(transactionId)
    if (due < countFromMs!) return
    latencies.push(visibleMs - due)
    stages.produce.push(brokerTime - due)
    stages.score.push(scoredTime - brokerTime)
    stages.publish.push(visibleMs - scoredTime)
  }

  const stagesAt = (quantile: number): Stages => ({
    produce: quantileOf(sortValues(stages.produce), quantile),
    score: quantileOf(sortValues(stages.score), quantile),
    publish: quantileOf(sortValues(stages.publish), quantile),
  })

  const waiting = (): number => dueMs.size - seen.size

  const close = () => {
    const sorted = sortValues(latencies)
    return {
      p50Ms: quantileOf(sorted, 0.5),
      p95Ms: quantileOf(sorted, 0.95),
      p99Ms: quantileOf(sorted, 0.99),
      p999Ms: quantileOf(sorted, 0.999),
      lost: waiting(),
      duplicated,
      events: sorted.length,
      stagesP50Ms: stagesAt(0.5),
      stagesP99Ms: stagesAt(0.99),
    }
  }

  return { expect, see, waiting, close }
}
