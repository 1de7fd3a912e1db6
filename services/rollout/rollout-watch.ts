// What `weir rollout` shows of itself: /metrics, /health/live, /health/ready.
//
// In: judgements, changes, whether Kafka answers and the evidence is whole, the failure that ends
// it. Out: a listening server. Refused: a port that it cannot have (WEIR_SETTINGS_INVALID).
// Invariants: ready = Kafka answers and all events of the trial were read; live stays 200 while
// Kafka is away, which a restart would not bring back.

import packageJson from '../../package.json' with { type: 'json' }
import { type HealthServer, startHealthServer } from '../adapters/http/health-server.ts'
import { createReadiness, type Reason, reason } from '../adapters/http/readiness.ts'
import { createRolloutMetrics, type TrialSight } from '../adapters/prometheus/rollout-metrics.ts'
import { systemClock } from '../core/clock.ts'
import { WeirError } from '../core/errors.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import type { Settings } from '../core/settings.ts'
import { applySignal, openState } from '../pipeline/observe/process-state.ts'
import type { Signal } from '../pipeline/observe/signals.ts'
import type { Judgement, RolloutLine } from './run-rollout.ts'

export type RolloutWatch = {
  readonly http: HealthServer
  readonly judged: (judgement: Judgement | null) => void
  readonly told: (line: RolloutLine) => void
  readonly kafka: (trouble: Error | null) => void
  readonly failed: (error: Error) => void
}

type RolloutWatchOptions = {
  readonly definition: Pick<PipelineDefinition, 'pipeline' | 'hash'>
  readonly settings: Pick<Settings, 'http' | 'commit'>
  readonly isCaughtUp: () => boolean
}

export async function openRolloutWatch(options: RolloutWatchOptions): Promise<RolloutWatch> {
  const { definition, settings, isCaughtUp } = options
  const metrics = createRolloutMetrics({
    version: packageJson.version,
    commit: settings.commit,
    pipeline: definition.pipeline,
    pipelineHash: definition.hash,
  })
  let state = openState(systemClock.nowMs())
  const observe = (signal: Signal): void => {
    state = applySignal(state, signal, systemClock.nowMs())
  }
  const readiness = createReadiness({
    clock: systemClock,
    readState: () => state,
    requiredSystems: ['kafka'],
  })
  let isOnTrial = false
  const reasonsNotReady = (): readonly Reason[] => {
    const reasons = readiness.reasonsNotReady().filter(({ code }) => !ofScorers.includes(code))
    return isOnTrial && !isCaughtUp()
      ? [...reasons, reason('evidence_unread', 'found an end that was not reached')]
      : reasons
  }
  const http = await startHealthServer({
    host: settings.http.host,
    port: settings.http.rolloutPort,
    portSetting: 'WEIR_ROLLOUT_PORT',
    registry: metrics.registry,
    readiness: { ...readiness, reasonsNotReady },
    snapshot: () => ({ streams: { transactions: null, labels: null } }),
  })
  let wasUp: boolean | null = null
  return {
    http,
    judged: (judgement) => {
      isOnTrial = judgement !== null
      metrics.recordTrial(judgement && sightOf(judgement))
    },
    told: (line) => {
      if (line.what === 'changed') metrics.recordChange(line.step.action)
    },
    kafka: (trouble) => {
      const isUp = trouble === null
      if (isUp === wasUp) return
      wasUp = isUp
      metrics.recordKafka(isUp)
      const [found, detail] = isUp
        ? (['up', 'answers'] as const)
        : ['down' as const, trouble.message]
      observe({ kind: 'connection', system: 'kafka', state: found, detail })
    },
    failed: (error) => {
      const code = error instanceof WeirError ? error.code : 'WEIR_INTERNAL_INVARIANT'
      metrics.recordFailure(code)
      observe({ kind: 'failed', code, detail: error.message, stack: error.stack })
    },
  }
}

/** It runs no model and owns no lane. */
const ofScorers: readonly string[] = ['model_not_loaded', 'no_lanes']

function sightOf({ trial, verdict, counts }: Judgement): TrialSight {
  const { challenger, champion, share } = trial
  const { flaggedByBoth, flaggedByChallenger, flaggedByChampion, failed } = counts
  return {
    name: challenger.name,
    version: challenger.version,
    championVersion: champion.version,
    share,
    verdict: verdict.action,
    events: {
      unflagged: counts.events - flaggedByBoth - flaggedByChallenger - flaggedByChampion,
      flagged_by_both: flaggedByBoth,
      flagged_by_challenger: flaggedByChallenger,
      flagged_by_champion: flaggedByChampion,
      failed,
    },
    runs: { within: counts.runs - counts.slowRuns, slow: counts.slowRuns },
    frauds: { champion: counts.fraudsByChampion, challenger: counts.fraudsByChallenger },
  }
}
