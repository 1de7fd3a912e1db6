// The state of a trial as metrics: what `weir rollout` knows, for graphs and for the alert on
// "pause".
//
// In: the trial with its verdict and counts after each look, changes, connections, the failure that
// ends it. Out: gauges and counters in one registry, of those that this process has something to
// say about. Refused: nothing. Invariants: nobody on trial leaves no verdict and no share standing;
// names of models are the only labels that are not from a closed set, one pair at a time.

import { Registry } from 'prom-client'
import type { ErrorCode } from '../../core/errors.ts'
import {
  comparedOutcomes,
  modelRoles,
  rolloutActions,
  runSpeeds,
  verdicts,
} from './metric-table.ts'
import { createMetrics, type LabelsOf } from './metrics.ts'
import { type BuildFacts, collectProcessMetrics, recordBuild } from './process-metrics.ts'

export type TrialSight = {
  readonly name: string
  readonly version: string
  readonly championVersion: string
  readonly share: number
  readonly verdict: (typeof verdicts)[number]
  readonly events: Readonly<Record<(typeof comparedOutcomes)[number], number>>
  readonly runs: Readonly<Record<(typeof runSpeeds)[number], number>>
  readonly frauds: Readonly<Record<(typeof modelRoles)[number], number>>
}

type RolloutMetrics = {
  readonly registry: Registry
  /** null: nobody is on trial. */
  readonly recordTrial: (sight: TrialSight | null) => void
  readonly recordChange: (action: string) => void
  readonly recordKafka: (isUp: boolean) => void
  readonly recordFailure: (code: ErrorCode) => void
}

const kafka = { system: 'kafka' } as const

export function createRolloutMetrics(build: BuildFacts): RolloutMetrics {
  const registry = new Registry()
  const metrics = createMetrics(registry, isOfRollout)
  collectProcessMetrics(registry, metrics)
  recordBuild(metrics, build)
  const up = metrics.gauge('weir_connection_up', kafka)
  const lost = metrics.counter('weir_lost_connections_total', kafka)
  for (const action of rolloutActions) metrics.counter('weir_rollout_changes_total', { action })
  let wasUp = false
  return {
    registry,
    recordTrial: createTrialRecorder(metrics),
    recordChange: (action) => metrics.counter('weir_rollout_changes_total', { action }).inc(),
    recordKafka: (isUp) => {
      if (wasUp && !isUp) lost.inc()
      wasUp = isUp
      up.set(isUp ? 1 : 0)
    },
    recordFailure: (code) => metrics.counter('weir_process_failures_total', { code }).inc(),
  }
}

const isOfRollout = (name: string): boolean =>
  name.startsWith('weir_rollout_') ||
  name.startsWith('weir_event_loop_') ||
  [
    'weir_connection_up',
    'weir_lost_connections_total',
    'weir_process_failures_total',
    'weir_build_info',
  ].includes(name)

function createTrialRecorder(metrics: ReturnType<typeof createMetrics>) {
  let shown: LabelsOf<'weir_rollout_trial_info'> | null = null

  const withdraw = (): void => {
    if (shown === null) return
    const { name, version } = shown
    metrics.removeGauge('weir_rollout_trial_info', shown)
    metrics.removeGauge('weir_rollout_share_ratio', { name, version })
    shown = null
  }

  return (sight: TrialSight | null): void => {
    withdraw()
    for (const verdict of verdicts) {
      const isGiven = verdict === sight?.verdict
      metrics.gauge('weir_rollout_verdict_info', { verdict }).set(isGiven ? 1 : 0)
    }
    for (const outcome of comparedOutcomes) {
      const events = sight?.events[outcome] ?? 0
      metrics.gauge('weir_rollout_compared_events', { outcome }).set(events)
    }
    for (const speed of runSpeeds) {
      metrics.gauge('weir_rollout_compared_runs', { speed }).set(sight?.runs[speed] ?? 0)
    }
    for (const flagged_by of modelRoles) {
      const frauds = sight?.frauds[flagged_by] ?? 0
      metrics.gauge('weir_rollout_missed_frauds', { flagged_by }).set(frauds)
    }
    if (sight === null) return
    const { name, version, championVersion: champion_version, share } = sight
    shown = { name, version, champion_version, stage: share > 0 ? 'canary' : 'shadow' }
    metrics.gauge('weir_rollout_trial_info', shown).set(1)
    metrics.gauge('weir_rollout_share_ratio', { name, version }).set(share)
  }
}
