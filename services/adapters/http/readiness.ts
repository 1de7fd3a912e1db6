// Ready and alive, judged from what the process knows about itself.
//
// In: the state of the process (process-state.ts) and the time. Out: the reasons why the process is
// not ready, or dead, each with what to do about it. Not ready means "do not count on me now" and
// may pass by itself; dead means "restart me", and is said only where a restart helps: not while
// something outside is away. Invariant: no reasons = ready; the judgement changes nothing.

import type { Clock } from '../../core/clock.ts'
import { errorTable } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import type { Failure, LaneFacts, ProcessState } from '../../pipeline/observe/process-state.ts'
import type { System } from '../../pipeline/observe/signals.ts'

type ReasonEntry = { readonly sentence: string; readonly action: string }

export const reasonTable = {
  kafka_down: {
    sentence: 'Kafka does not answer.',
    action: errorTable.WEIR_KAFKA_AWAY.action,
  },
  redis_down: {
    sentence: 'The feature store does not answer.',
    action: errorTable.WEIR_ENRICH_STORE_AWAY.action,
  },
  registry_down: {
    sentence: 'The schema registry is needed and does not answer.',
    action: errorTable.WEIR_REGISTRY_AWAY.action,
  },
  mlflow_down: {
    sentence: 'The model registry is needed and does not answer.',
    action: errorTable.WEIR_CLASSIFY_REGISTRY_AWAY.action,
  },
  model_not_loaded: {
    sentence: 'No champion model is loaded yet.',
    action: 'Wait for the load; if it does not come, see the log for WEIR_CLASSIFY_ codes.',
  },
  no_lanes: {
    sentence: 'No lane is claimed yet.',
    action: 'Wait for the rebalance; if it does not come, check group, topic and permissions.',
  },
  evidence_unread: {
    sentence: 'The events of the trial are still read.',
    action: 'Wait: verdicts begin when they are; a challenger without scores goes back meanwhile.',
  },
  lane_stuck: {
    sentence: 'A lane has work but committed nothing within the watchdog time.',
    action: errorTable.WEIR_LANE_STUCK.action,
  },
  event_loop_stalled: {
    sentence: 'The main thread was blocked for longer than the watchdog time.',
    action: 'Restart the process; report it with a CPU profile if it comes back.',
  },
  draining: {
    sentence: 'The process finishes its work and ends.',
    action: 'Nothing: its lanes go on elsewhere or at the next start.',
  },
  failed: {
    sentence: 'The process met a failure that it cannot mend.',
    action: 'See the log line of level error with this code; docs/reference/errors.md has it.',
  },
} as const satisfies Record<string, ReasonEntry>

type ReasonCode = keyof typeof reasonTable

export type Reason = {
  readonly code: ReasonCode
  readonly sentence: string
  readonly detail: string
  readonly action: string
}

/** Without the inference server the local model scores: never a reason. */
export type RequiredSystem = Exclude<System, 'inference'>

type ReadinessOptions = {
  readonly clock: Clock
  /** What the process knows about itself now. */
  readonly readState: () => ProcessState
  /**
   * What this entry point cannot work without; a registry counts only where something of it is
   * missing.
   */
  readonly requiredSystems: readonly RequiredSystem[]
  readonly watchdogMsMax?: number
}

export type Readiness = {
  readonly reasonsNotReady: () => readonly Reason[]
  /** @param worstStallMs longest stall of the event loop since the last time it was asked for. */
  readonly reasonsDead: (worstStallMs: number) => readonly Reason[]
  readonly state: () => ProcessState
}

export function createReadiness(options: ReadinessOptions): Readiness {
  const { clock, readState, requiredSystems, watchdogMsMax = limits.watchdogMsMax } = options
  const rules = { requiredSystems, watchdogMsMax }
  return {
    reasonsNotReady: () => judgeReady(readState(), rules, clock.nowMs()),
    reasonsDead: (worstStallMs) => judgeAlive(readState(), rules, clock.nowMs(), worstStallMs),
    state: readState,
  }
}

type Rules = {
  readonly requiredSystems: readonly RequiredSystem[]
  readonly watchdogMsMax: number
}

function judgeReady(state: ProcessState, rules: Rules, nowMs: number): readonly Reason[] {
  const reasons: Reason[] = []
  if (state.failure !== null) reasons.push(describeFailure(state.failure))
  if (state.draining !== null) reasons.push(reason('draining', state.draining))
  for (const system of rules.requiredSystems) {
    if (isAway(state, system)) {
      reasons.push(reason(`${system}_down`, describeAway(state, system, nowMs)))
    }
  }
  if (!hasChampion(state)) {
    reasons.push(reason('model_not_loaded', 'found no champion, expected one'))
  }
  // A spare process, to which the group gave no lane, is ready: it stands by.
  if (state.lanes.size === 0 && state.assignedLanes !== 0) {
    const assigned = state.assignedLanes ?? 'not known yet'
    reasons.push(reason('no_lanes', `lanes claimed: 0, assigned: ${assigned}`))
  }
  return [...reasons, ...findStuck(state, rules, nowMs).map((lane) => describeStuck(lane, nowMs))]
}

function judgeAlive(
  state: ProcessState,
  rules: Rules,
  nowMs: number,
  worstStallMs: number,
): readonly Reason[] {
  const reasons: Reason[] = []
  if (state.failure !== null) reasons.push(describeFailure(state.failure))
  if (worstStallMs > rules.watchdogMsMax) {
    const detail = `blocked for ${worstStallMs} ms, at most ${rules.watchdogMsMax} ms expected`
    reasons.push(reason('event_loop_stalled', detail))
  }
  return [...reasons, ...findStuck(state, rules, nowMs).map((lane) => describeStuck(lane, nowMs))]
}

/**
 * Schema ids that are known need no registry, and a model that is loaded no MLflow: they count only
 * once something was asked of them in vain.
 */
function isAway(state: ProcessState, system: RequiredSystem): boolean {
  // Of what the start does not wait for nothing is known, or that it is there.
  if (state.waitsFor.size > 0) return state.waitsFor.has(system)
  const { state: found } = state.systems[system]
  if (system === 'registry') return state.isSchemaMissing && found === 'down'
  if (system === 'mlflow') return !hasChampion(state) && found === 'down'
  return found !== 'up'
}

function describeAway(state: ProcessState, system: RequiredSystem, nowMs: number): string {
  const waiting = state.waitsFor.get(system)
  const { state: found, detail, sinceMs } = state.systems[system]
  const secondsSince = (ms: number): number => Math.round((nowMs - ms) / 1000)
  if (waiting === undefined) return `${found} for ${secondsSince(sinceMs)} s: ${detail}`
  const { address, attempt } = waiting
  const waited = `the start waits for ${address} for ${secondsSince(waiting.sinceMs)} s`
  return `${waited}, attempt ${attempt}: ${waiting.detail}`
}

const hasChampion = ({ models }: ProcessState): boolean =>
  models.some(({ role }) => role === 'champion')

/** A lane that cannot move because something outside is away is waiting, not stuck. */
function findStuck(state: ProcessState, rules: Rules, nowMs: number): readonly LaneFacts[] {
  if (state.draining !== null) return []
  if (rules.requiredSystems.some((system) => isAway(state, system))) return []
  const upSinceMs = Math.max(0, ...rules.requiredSystems.map((name) => state.systems[name].sinceMs))
  return [...state.lanes.values()].filter(
    (lane) => lane.lag > 0 && nowMs - Math.max(lane.progressAtMs, upSinceMs) > rules.watchdogMsMax,
  )
}

function describeStuck(lane: LaneFacts, nowMs: number): Reason {
  const seconds = Math.round((nowMs - lane.progressAtMs) / 1000)
  const name = `${lane.stream} ${lane.partition}`
  return reason('lane_stuck', `${name}: ${lane.lag} events wait, no commit for ${seconds} s`)
}

function describeFailure(failure: Failure): Reason {
  const { sentence, action } = errorTable[failure.code]
  return { code: 'failed', sentence, detail: `${failure.code}: ${failure.detail}`, action }
}

export function reason(code: ReasonCode, detail: string): Reason {
  return { code, ...reasonTable[code], detail }
}
