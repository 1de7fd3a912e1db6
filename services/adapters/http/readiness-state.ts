// What the process knows about itself, gathered from signals.
//
// In: a state, a signal and the time. Out: the next state. Pure and free of I/O; readiness.ts
// judges it. Refuses nothing. Invariant: a lane stands in `lanes` exactly while it is owned, and
// `progressAtMs` is the last moment at which it was surely not stuck.

import type { ErrorCode } from '../../core/errors.ts'
import type { Signal } from '../../pipeline/observe/signals.ts'
import type { Stream } from '../../pipeline/records.ts'

export type System = Extract<Signal, { kind: 'connection' }>['system']

export type LaneFacts = {
  readonly stream: Stream
  readonly partition: number
  readonly lag: number
  readonly progressAtMs: number
}

type SystemFacts = {
  readonly state: 'up' | 'down' | 'not_yet'
  readonly detail: string
  readonly sinceMs: number
}

type ModelFacts = {
  readonly role: 'champion' | 'challenger'
  readonly name: string
  readonly version: string
  readonly provider: string
  readonly sha256: string
}

export type Failure = { readonly code: ErrorCode; readonly detail: string }

export type ProcessState = {
  readonly systems: Readonly<Record<System, SystemFacts>>
  /** Lanes that the last rebalance gave to this process; null before the first one. */
  readonly assignedLanes: number | null
  readonly lanes: ReadonlyMap<string, LaneFacts>
  readonly models: readonly ModelFacts[]
  /** A schema was asked for in vain, and no batch has passed since. */
  readonly isSchemaMissing: boolean
  readonly draining: string | null
  readonly failure: Failure | null
}

export function openState(nowMs: number): ProcessState {
  const notYet: SystemFacts = { state: 'not_yet', detail: 'not connected yet', sinceMs: nowMs }
  return {
    systems: { kafka: notYet, redis: notYet, registry: notYet, inference: notYet },
    assignedLanes: null,
    lanes: new Map(),
    models: [],
    isSchemaMissing: false,
    draining: null,
    failure: null,
  }
}

export function applySignal(state: ProcessState, signal: Signal, nowMs: number): ProcessState {
  switch (signal.kind) {
    case 'connection':
      return applyConnection(state, signal, nowMs)
    case 'rebalanced':
      return { ...state, assignedLanes: signal.lanes }
    case 'lane_claimed':
    case 'lane_released':
    case 'committed':
    case 'lag':
      return { ...state, lanes: applyToLanes(state.lanes, signal, nowMs) }
    case 'model_loaded':
      return { ...state, models: applyModel(state.models, signal) }
    case 'roster_applied':
      return { ...state, models: keepModels(state.models, signal.challengers) }
    case 'retried':
      return signal.code === 'WEIR_REGISTRY_AWAY' ? { ...state, isSchemaMissing: true } : state
    case 'batch_done':
      return state.isSchemaMissing ? { ...state, isSchemaMissing: false } : state
    case 'draining':
      return { ...state, draining: signal.reason }
    case 'failed':
      return { ...state, failure: { code: signal.code, detail: signal.detail } }
    default:
      return state
  }
}

function applyConnection(
  state: ProcessState,
  { system, state: next, detail }: Extract<Signal, { kind: 'connection' }>,
  nowMs: number,
): ProcessState {
  const before = state.systems[system]
  const sinceMs = before.state === next ? before.sinceMs : nowMs
  return { ...state, systems: { ...state.systems, [system]: { state: next, detail, sinceMs } } }
}

type LaneSignal = Extract<Signal, { kind: 'lane_claimed' | 'lane_released' | 'committed' | 'lag' }>

function applyToLanes(
  lanes: ReadonlyMap<string, LaneFacts>,
  signal: LaneSignal,
  nowMs: number,
): ReadonlyMap<string, LaneFacts> {
  const { stream, partition } = signal
  const key = `${stream} ${partition}`
  const lane = lanes.get(key)
  const next = new Map(lanes)
  if (signal.kind === 'lane_released') next.delete(key)
  else if (signal.kind === 'lane_claimed') {
    // Claimed again after doubt is no progress: a lane in doubt for ever is stuck.
    if (lane === undefined) next.set(key, { stream, partition, lag: 0, progressAtMs: nowMs })
  } else if (lane === undefined) return lanes
  else if (signal.kind === 'committed') next.set(key, { ...lane, progressAtMs: nowMs })
  else {
    // Until this moment there was nothing to do: the wait begins now.
    const progressAtMs = lane.lag === 0 ? nowMs : lane.progressAtMs
    next.set(key, { ...lane, lag: signal.events, progressAtMs })
  }
  return next
}

/** Challengers that left the roster score no more; the champion was replaced by the one that came. */
const keepModels = (
  models: readonly ModelFacts[],
  challengers: Extract<Signal, { kind: 'roster_applied' }>['challengers'],
): readonly ModelFacts[] =>
  models.filter(
    ({ role, name, version }) =>
      role === 'champion' ||
      challengers.some((kept) => kept.name === name && kept.version === version),
  )

/** One champion, and one role per version: what the new model replaces is no longer in use. */
function applyModel(
  models: readonly ModelFacts[],
  { role, name, version, provider, sha256 }: Extract<Signal, { kind: 'model_loaded' }>,
): readonly ModelFacts[] {
  const kept = models.filter(
    (other) =>
      !(role === 'champion' && other.role === 'champion') &&
      !(other.name === name && other.version === version),
  )
  return [...kept, { role, name, version, provider, sha256 }]
}
