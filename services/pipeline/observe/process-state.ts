// What the process knows about itself, gathered from signals: the one reducer of them.
//
// In: a state, a signal and the time. Out: the next state, the same object where nothing
// changed. Pure and free of I/O. Its readers: readiness.ts judges it, metric-recorder.ts shows it,
// observer.ts logs a connection only where it changed. Refuses nothing. Invariants: a lane stands
// in `lanes` exactly while it is owned, and `progressAtMs` is the last moment at which it was
// surely not stuck; a system is up or down by the last word of whoever spoke to it.

import type { ErrorCode } from '../../core/errors.ts'
import type { Stream } from '../records.ts'
import { type Signal, type System, systems } from './signals.ts'

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

export type ModelFacts = {
  readonly role: 'champion' | 'challenger'
  readonly name: string
  readonly version: string
  readonly provider: string
  readonly sha256: string
}

type Waiting = {
  readonly address: string
  readonly attempt: number
  readonly detail: string
  readonly sinceMs: number
}

export type Failure = { readonly code: ErrorCode; readonly detail: string }

export type ProcessState = {
  readonly systems: Readonly<Record<System, SystemFacts>>
  /** What the start waits for, and since when; empty once it has started. */
  readonly waitsFor: ReadonlyMap<System, Waiting>
  /** Lanes that the last rebalance gave to this process; null before the first one. */
  readonly assignedLanes: number | null
  readonly lanes: ReadonlyMap<string, LaneFacts>
  readonly models: readonly ModelFacts[]
  /** A lane asked for a schema in vain, and the registry has not answered since. */
  readonly isSchemaMissing: boolean
  readonly draining: string | null
  readonly failure: Failure | null
}

export function openState(nowMs: number): ProcessState {
  const notYet: SystemFacts = { state: 'not_yet', detail: 'not connected yet', sinceMs: nowMs }
  return {
    systems: Object.fromEntries(systems.map((system) => [system, notYet])) as Record<
      System,
      SystemFacts
    >,
    waitsFor: new Map(),
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
    case 'waiting':
      return { ...state, waitsFor: applyWaiting(state.waitsFor, signal, nowMs) }
    case 'started':
      return { ...state, waitsFor: new Map() }
    case 'rebalanced':
      // Whose lane asked for the schema is not known any more; who needs it asks again.
      return { ...state, assignedLanes: signal.lanes, isSchemaMissing: false }
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
      return signal.operation === 'learn_schema' && signal.code === 'WEIR_REGISTRY_AWAY'
        ? { ...state, isSchemaMissing: true }
        : state
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
  if (state.systems[system].state === next) return state
  const isAnswer = system === 'registry' && next === 'up'
  return {
    ...state,
    systems: { ...state.systems, [system]: { state: next, detail, sinceMs: nowMs } },
    isSchemaMissing: state.isSchemaMissing && !isAnswer,
  }
}

/** One attempt tells of all that it missed: what an earlier one missed is there now. */
function applyWaiting(
  before: ReadonlyMap<System, Waiting>,
  { system, address, attempt, detail }: Extract<Signal, { kind: 'waiting' }>,
  nowMs: number,
): ReadonlyMap<System, Waiting> {
  const kept = [...before].filter(([, waiting]) => waiting.attempt === attempt)
  const sinceMs = before.get(system)?.sinceMs ?? nowMs
  return new Map([...kept, [system, { address, attempt, detail, sinceMs }]])
}

type LaneSignal = Extract<Signal, { kind: 'lane_claimed' | 'lane_released' | 'committed' | 'lag' }>

/** The key of a lane in `lanes`. */
export const laneKeyOf = ({ stream, partition }: Pick<LaneFacts, 'stream' | 'partition'>): string =>
  `${stream} ${partition}`

function applyToLanes(
  lanes: ReadonlyMap<string, LaneFacts>,
  signal: LaneSignal,
  nowMs: number,
): ReadonlyMap<string, LaneFacts> {
  const { stream, partition } = signal
  const key = laneKeyOf(signal)
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

/**
 * Challengers that left the roster score no more; the champion was replaced by the one that came.
 */
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

/** Systems without which no lane gets anywhere; who asks the registry in vain says so by itself. */
const vital: readonly System[] = ['kafka', 'redis']

export const isVitalAway = ({ systems }: ProcessState): boolean =>
  vital.some((system) => systems[system].state === 'down')
