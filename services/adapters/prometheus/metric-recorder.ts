// Which signal moves which metric.
//
// In: one signal, per batch or rarer, and the state of the process before and after it
// (process-state.ts). Out: counters, gauges and histograms moved. Refuses nothing at run time: the
// table below has one entry per kind, so that a new kind does not compile until somebody has
// decided what it counts. Invariant: children of small closed label sets are made once, at start,
// so that a rate over the first event is right and the hot path looks nothing up.

import type { RejectionCode } from '../../core/errors.ts'
import { latenessBuckets } from '../../pipeline/observe/lateness-buckets.ts'
import {
  laneKeyOf,
  type ModelFacts,
  type ProcessState,
} from '../../pipeline/observe/process-state.ts'
import { modelOrigins, type Signal, type System, stages } from '../../pipeline/observe/signals.ts'
import { type Stream, streams } from '../../pipeline/records.ts'
import { operations, rejectionCodes, remoteCodes } from './metric-table.ts'
import type { Metrics } from './metrics.ts'

type Kind = Signal['kind']
type Of<K extends Kind> = Extract<Signal, { kind: K }>
type Recorder<K extends Kind> = (signal: Of<K>, before: ProcessState, after: ProcessState) => void
type Recorders<K extends Kind> = { readonly [P in K]: Recorder<P> }

const none = {}
const doNothing = (): void => undefined

export function createMetricRecorder(metrics: Metrics): Recorder<Kind> {
  const recorders: Recorders<Kind> = {
    ...recordOutcomes(metrics),
    ...recordBatches(metrics),
    ...recordLanes(metrics),
    ...recordStore(metrics),
    ...recordModels(metrics),
    ...recordLife(metrics),
  }
  return (signal, before, after) =>
    (recorders[signal.kind] as Recorder<Kind>)(signal, before, after)
}

function recordOutcomes(
  metrics: Metrics,
): Recorders<'received' | 'committed' | 'abandoned' | 'lateness'> {
  const received = forEach(streams, (stream) =>
    metrics.counter('weir_received_events_total', { stream }),
  )
  const abandoned = forEach(streams, (stream) =>
    metrics.counter('weir_abandoned_events_total', { stream }),
  )
  const rejected = forEach(streams, (stream) =>
    forEach(rejectionCodes as RejectionCode[], (code) =>
      metrics.counter('weir_rejected_events_total', { stream, code }),
    ),
  )
  const scored = metrics.counter('weir_scored_events_total', none)
  const labels = metrics.counter('weir_applied_labels_total', none)
  const diverted = metrics.counter('weir_diverted_events_total', none)
  const skipped = metrics.counter('weir_skipped_events_total', none)
  const review = metrics.counter('weir_flagged_events_total', { decision: 'review' })
  const block = metrics.counter('weir_flagged_events_total', { decision: 'block' })
  const braked = metrics.counter('weir_braked_events_total', none)
  const samples = metrics.counter('weir_drift_sampled_events_total', none)
  const lateness = latenessBuckets.map((bucket) =>
    metrics.counter('weir_lateness_events_total', { bucket }),
  )
  return {
    received: ({ stream, events }) => received[stream].inc(events),
    abandoned: ({ stream, events }) => abandoned[stream].inc(events),
    committed: (batch) => {
      scored.inc(batch.scored)
      labels.inc(batch.labels)
      diverted.inc(batch.diverted)
      skipped.inc(batch.skipped)
      review.inc(batch.flagged.review)
      block.inc(batch.flagged.block)
      braked.inc(batch.braked)
      samples.inc(batch.samples)
      for (const [code, events] of batch.rejected) rejected[batch.stream][code].inc(events)
    },
    lateness: ({ bucketCounts }) => {
      for (const [bucket, events] of bucketCounts.entries()) lateness[bucket]?.inc(events)
    },
  }
}

function recordBatches(
  metrics: Metrics,
): Recorders<'stage_done' | 'batch_done' | 'latency' | 'alignment_waited'> {
  const stageChildren = forEach(stages, (stage) => ({
    duration: metrics.histogram('weir_stage_duration_seconds', { stage }),
    events: metrics.histogram('weir_stage_batch_events', { stage }),
    refused: metrics.counter('weir_stage_refused_events_total', { stage }),
  }))
  const events = metrics.histogram('weir_batch_events', none)
  const bytes = metrics.histogram('weir_batch_bytes', none)
  const lanes = metrics.histogram('weir_batch_lanes', none)
  const duration = metrics.histogram('weir_batch_duration_seconds', none)
  const waited = metrics.histogram('weir_alignment_wait_duration_seconds', none)
  const abandonedWaits = metrics.counter('weir_alignment_abandoned_waits_total', none)
  return {
    stage_done: (done) => {
      const stage = stageChildren[done.stage]
      stage.duration.observe(done.durationMs / 1000)
      stage.events.observe(done.events)
      stage.refused.inc(done.events - done.passed)
    },
    batch_done: (batch) => {
      events.observe(batch.events)
      bytes.observe(batch.bytes)
      lanes.observe(batch.lanes)
      duration.observe(batch.durationMs / 1000)
    },
    latency: ({ newestMs, oldestMs, events: count }) => {
      if (count === 0) return
      // The broker's clock may be ahead of ours by a little: a negative age is none.
      const newest = Math.max(0, newestMs)
      metrics.latency.observeSpread(newest / 1000, Math.max(newest, oldestMs) / 1000, count)
    },
    alignment_waited: ({ durationMs, gaveUp }) => {
      waited.observe(durationMs / 1000)
      if (gaveUp) abandonedWaits.inc()
    },
  }
}

function recordLanes(
  metrics: Metrics,
): Recorders<
  | 'lag'
  | 'lane_claimed'
  | 'lane_released'
  | 'producer_recreated'
  | 'lane_memory_lost'
  | 'retried'
  | 'rebalanced'
  | 'braked'
> {
  const children = forEach(streams, (stream) => ({
    owned: metrics.gauge('weir_owned_lanes', { stream }),
    claimed: metrics.counter('weir_claimed_lanes_total', { stream }),
    released: metrics.counter('weir_released_lanes_total', { stream }),
  }))
  const showOwned = (stream: Stream, { lanes }: ProcessState): void => {
    const owned = [...lanes.values()].filter((lane) => lane.stream === stream)
    children[stream].owned.set(owned.length)
  }
  const claim = metrics.histogram('weir_lane_claim_duration_seconds', none)
  const recreated = metrics.counter('weir_recreated_producers_total', none)
  const memoriesLost = metrics.counter('weir_lost_lane_memories_total', none)
  const rebalances = metrics.counter('weir_group_rebalances_total', none)
  return {
    lag: ({ stream, partition, events }, _before, { lanes }) => {
      // A last word from a lane that is already gone must not bring its lag back.
      if (!lanes.has(laneKeyOf({ stream, partition }))) return
      metrics.gauge('weir_lag_events', { stream, partition: String(partition) }).set(events)
    },
    lane_claimed: ({ stream, durationMs }, _before, after) => {
      // A lane that is positioned again after doubt is claimed twice and still owned once.
      showOwned(stream, after)
      children[stream].claimed.inc()
      claim.observe(durationMs / 1000)
    },
    lane_released: ({ stream, partition }, _before, after) => {
      children[stream].released.inc()
      showOwned(stream, after)
      metrics.removeGauge('weir_lag_events', { stream, partition: String(partition) })
      if (stream === 'transactions') {
        metrics.removeGauge('weir_flagged_share_ratio', { partition: String(partition) })
      }
    },
    producer_recreated: () => recreated.inc(),
    lane_memory_lost: () => memoriesLost.inc(),
    retried: ({ operation, code }) =>
      metrics
        .counter('weir_retried_operations_total', { operation: nameOperation(operation), code })
        .inc(),
    rebalanced: () => rebalances.inc(),
    braked: ({ partition, share }) =>
      metrics.gauge('weir_flagged_share_ratio', { partition: String(partition) }).set(share),
  }
}

function recordStore(
  metrics: Metrics,
): Recorders<'store_round_trip' | 'store_size' | 'restoring' | 'restored'> {
  const duration = metrics.histogram('weir_store_round_trip_duration_seconds', none)
  const sent = metrics.counter('weir_store_sent_bytes_total', none)
  const received = metrics.counter('weir_store_received_bytes_total', none)
  const advanced = metrics.counter('weir_store_advanced_logs_total', none)
  const hits = metrics.counter('weir_store_cache_hit_logs_total', none)
  const misses = metrics.counter('weir_store_cache_missed_logs_total', none)
  const redelivered = metrics.counter('weir_store_redelivered_events_total', none)
  const folded = metrics.counter('weir_store_folded_logs_total', none)
  const restores = metrics.counter('weir_store_restores_total', none)
  const restored = metrics.counter('weir_store_restored_logs_total', none)
  const restoring = metrics.histogram('weir_store_restore_duration_seconds', none)
  const cachedLogs = metrics.gauge('weir_store_cached_logs', none)
  const cachedBytes = metrics.gauge('weir_store_cached_bytes', none)
  return {
    store_round_trip: (trip) => {
      duration.observe(trip.durationMs / 1000)
      sent.inc(trip.bytesSent)
      received.inc(trip.bytesReceived)
      advanced.inc(trip.logs)
      hits.inc(trip.cacheHits)
      misses.inc(trip.logs - trip.cacheHits)
      redelivered.inc(trip.redelivered)
      folded.inc(trip.folded)
    },
    restoring: doNothing,
    restored: ({ logs, durationMs }) => {
      restores.inc()
      restored.inc(logs)
      restoring.observe(durationMs / 1000)
    },
    store_size: (size) => {
      cachedLogs.set(size.cachedLogs)
      cachedBytes.set(size.cachedBytes)
    },
  }
}

function recordModels(
  metrics: Metrics,
): Recorders<
  | 'model_fetched'
  | 'model_registry_away'
  | 'model_loaded'
  | 'roster_applied'
  | 'roster_refused'
  | 'model_ran'
  | 'challenger_failed'
  | 'remote_ran'
  | 'fell_back'
> {
  const fetched = forEach(modelOrigins, (from) =>
    metrics.counter('weir_model_fetches_total', { from }),
  )
  const away = metrics.counter('weir_model_registry_failures_total', none)
  const loads = metrics.histogram('weir_model_load_duration_seconds', none)
  const rosterEpoch = metrics.gauge('weir_roster_epoch', none)
  const rostersApplied = metrics.counter('weir_applied_rosters_total', none)
  const rostersRefused = metrics.counter('weir_refused_rosters_total', none)
  const runs = metrics.histogram('weir_model_run_duration_seconds', none)
  const rows = metrics.histogram('weir_model_run_rows', none)
  const withoutScore = metrics.counter('weir_challenger_failed_events_total', none)
  const reasonRows = metrics.counter('weir_model_reason_rows_total', none)
  const remoteRuns = metrics.histogram('weir_remote_run_duration_seconds', none)
  const remoteEvents = metrics.counter('weir_remote_scored_events_total', none)
  const degraded = forEach(remoteCodes, (code) =>
    metrics.counter('weir_degraded_events_total', { code }),
  )
  return {
    model_fetched: ({ from }) => fetched[from].inc(),
    model_registry_away: () => away.inc(),
    model_loaded: ({ durationMs }, before, after) => {
      loads.observe(durationMs / 1000)
      showModels(metrics, before.models, after.models)
    },
    roster_applied: ({ epoch }, before, after) => {
      showModels(metrics, before.models, after.models)
      rosterEpoch.set(epoch)
      rostersApplied.inc()
    },
    roster_refused: () => rostersRefused.inc(),
    model_ran: (run) => {
      runs.observe(run.durationMs / 1000)
      rows.observe(run.events)
      reasonRows.inc(run.reasonRows)
    },
    challenger_failed: ({ events }) => withoutScore.inc(events),
    remote_ran: (run) => {
      remoteRuns.observe(run.durationMs / 1000)
      remoteEvents.inc(run.events)
      reasonRows.inc(run.reasonRows)
    },
    fell_back: ({ events, code }) => degraded[code].inc(events),
  }
}

function recordLife(
  metrics: Metrics,
): Recorders<'connection' | 'waiting' | 'started' | 'draining' | 'stopped' | 'failed'> {
  const open = (system: System) => ({
    up: metrics.gauge('weir_connection_up', { system }),
    lost: metrics.counter('weir_lost_connections_total', { system }),
  })
  // Of the others there is no word, and no 0 either, until something is asked of them.
  for (const system of ['kafka', 'redis'] as const) open(system)
  return {
    connection: ({ system, state }, before) => {
      const { up, lost } = open(system)
      up.set(state === 'up' ? 1 : 0)
      if (state === 'down' && before.systems[system].state === 'up') lost.inc()
    },
    waiting: ({ code }) =>
      metrics.counter('weir_retried_operations_total', { operation: 'start', code }).inc(),
    failed: ({ code }) => metrics.counter('weir_process_failures_total', { code }).inc(),
    started: doNothing,
    draining: doNothing,
    stopped: doNothing,
  }
}

/** The models in use, 1 for each: what another replaced, or what left the roster, is gone. */
function showModels(
  metrics: Metrics,
  before: readonly ModelFacts[],
  after: readonly ModelFacts[],
): void {
  const labelsOf = ({ name, version, role, provider, sha256 }: ModelFacts) => {
    return { name, version, role, provider, sha256 }
  }
  for (const model of before) metrics.removeGauge('weir_model_loaded_info', labelsOf(model))
  for (const model of after) metrics.gauge('weir_model_loaded_info', labelsOf(model)).set(1)
}

/** The closed set holds what Weir does; a name that is not in it must not become a label. */
function nameOperation(operation: string): (typeof operations)[number] {
  return operations.find((known) => known === operation) ?? 'other'
}

function forEach<K extends string, V>(keys: readonly K[], make: (key: K) => V): Record<K, V> {
  return Object.fromEntries(keys.map((key) => [key, make(key)])) as Record<K, V>
}
