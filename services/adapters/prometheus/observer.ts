// The one place that turns signals into metrics, log lines and the books of the process.
//
// In: signals from the pipeline, the lanes and the adapters. Out: `observe` for all of them,
// `snapshot` for the demo's table and /health/ready. Refuses nothing and throws only on our own
// mistakes. Invariant: what is measured and what is logged is data (metric-table.ts, log-table.ts);
// a log line is never written per event, a connection is told when it changes, and no label or
// field holds a transaction.

import type { Logger } from 'pino'
import { Registry } from 'prom-client'
import { type Clock, systemClock } from '../../core/clock.ts'
import { errorTable } from '../../core/errors.ts'
import { applySignal, openState, type ProcessState } from '../../pipeline/observe/process-state.ts'
import type { Observe, Signal } from '../../pipeline/observe/signals.ts'
import { type Stream, streams } from '../../pipeline/records.ts'
import { type CountInFlight, createLedger, type Ledger, type StreamBooks } from './ledger.ts'
import { levelOf, logTable } from './log-table.ts'
import { createMetricRecorder } from './metric-recorder.ts'
import { latencyBoundsMs } from './metric-table.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { type BuildFacts, collectProcessMetrics, recordBuild } from './process-metrics.ts'
import { quantileOf } from './spread-histogram.ts'

export type Snapshot = {
  readonly atMs: number
  readonly streams: Readonly<Record<Stream, StreamBooks>>
  readonly batches: { readonly count: number; readonly events: number }
  readonly redelivered: number
  /** Events per latency bucket since the start; see latencyQuantileMs. */
  readonly latencyCounts: readonly number[]
}

export type Observer = {
  readonly observe: Observe
  readonly registry: Registry
  readonly snapshot: () => Snapshot
  /** What the process knows about itself, for whoever judges it. */
  readonly state: () => ProcessState
  /** Lets the lanes' own count prove the books; see ledger.ts for when it has to change. */
  readonly watchInFlight: (count: CountInFlight) => void
}

type ObserverOptions = {
  readonly logger: Logger
  /** Where the metrics go; one of its own where it is left out. */
  readonly registry?: Registry
  readonly clock?: Clock
  readonly build?: BuildFacts
}

export function createObserver(options: ObserverOptions): Observer {
  const { logger, registry = new Registry(), clock = systemClock, build } = options
  const metrics = createMetrics(registry)
  const ledger = createLedger()
  const batches = { count: 0, events: 0 }
  let redelivered = 0
  let state = openState(clock.nowMs())
  const snapshot = (): Snapshot => ({
    atMs: clock.nowMs(),
    streams: { transactions: ledger.read('transactions'), labels: ledger.read('labels') },
    batches: { ...batches },
    redelivered,
    latencyCounts: metrics.latency.readCounts(),
  })
  const record = createMetricRecorder(metrics)
  const log = createSignalLog(logger, clock, snapshot)
  collectProcessMetrics(registry, metrics)
  collectConservation(metrics, ledger)
  if (build !== undefined) recordBuild(metrics, build)
  return {
    observe: (signal) => {
      const before = state
      state = applySignal(before, signal, clock.nowMs())
      // Who speaks to a system tells what it met each time; only a change is news.
      if (signal.kind === 'connection' && state === before) return
      ledger.enter(signal)
      record(signal, before, state)
      if (signal.kind === 'batch_done') {
        batches.count++
        batches.events += signal.events
      }
      if (signal.kind === 'store_round_trip') redelivered += signal.redelivered
      log(signal)
    },
    registry,
    snapshot,
    state: () => state,
    watchInFlight: ledger.watchInFlight,
  }
}

/** Latency of the events between two snapshots (or since the start); null without events. */
export function latencyQuantileMs(
  quantile: number,
  after: Snapshot,
  before?: Snapshot,
): number | null {
  const counts = after.latencyCounts.map(
    (count, bucket) => count - (before?.latencyCounts[bucket] ?? 0),
  )
  return quantileOf(quantile, latencyBoundsMs, counts)
}

function collectConservation(metrics: Metrics, ledger: Ledger): void {
  for (const stream of streams) {
    metrics.gauge('weir_in_flight_events', { stream }).set(0)
    metrics.gauge('weir_conservation_difference_events', { stream }).set(0)
  }
  metrics.onCollect('weir_in_flight_events', () => {
    for (const stream of streams) {
      metrics.gauge('weir_in_flight_events', { stream }).set(ledger.read(stream).inFlight)
    }
  })
  metrics.onCollect('weir_conservation_difference_events', () => {
    for (const stream of streams) {
      const { difference } = ledger.read(stream)
      metrics.gauge('weir_conservation_difference_events', { stream }).set(difference)
    }
  })
}

function createSignalLog(logger: Logger, clock: Clock, snapshot: () => Snapshot): Observe {
  const lastWrittenMs = new Map<string, number>()
  const isQuiet = (signal: Signal, quietMs: number): boolean => {
    if (quietMs === 0) return false
    const key = quietKeyOf(signal)
    const lastMs = lastWrittenMs.get(key)
    if (lastMs !== undefined && clock.nowMs() - lastMs < quietMs) return true
    lastWrittenMs.set(key, clock.nowMs())
    return false
  }
  return (signal) => {
    const rule = logTable[signal.kind]
    if (rule === null || isQuiet(signal, rule.quietMs)) return
    const level = levelOf(signal, rule.level)
    if (!logger.isLevelEnabled(level)) return
    logger[level](describeSignal(signal, snapshot), rule.sentence)
  }
}

function quietKeyOf(signal: Signal): string {
  const partition = 'partition' in signal ? signal.partition : ''
  const code = 'code' in signal ? signal.code : ''
  const operation = 'operation' in signal ? signal.operation : ''
  return `${signal.kind} ${partition} ${code} ${operation}`
}

function describeSignal(signal: Signal, snapshot: () => Snapshot): object {
  const { kind, ...fields } = signal
  if (signal.kind === 'stopped') {
    return { signal: kind, ...fields, streams: snapshot().streams }
  }
  if (signal.kind === 'failed') {
    const { sentence, action } = errorTable[signal.code]
    return { signal: kind, ...fields, sentence, action }
  }
  return { signal: kind, ...fields }
}
