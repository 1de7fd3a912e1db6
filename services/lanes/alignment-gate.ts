// How far the lanes of this process may run: alignment by event time, inside and across processes.
//
// Inside a process the merge waits for a dry lane that still has events in the topic; across
// processes a head more than `driftMsMax` of event time ahead of the slowest lane that is not idle
// waits. Both waits end after `waitMsMax`, are counted, and the lanes go on: alignment makes
// windows right under backlog, it never stops the river.
// Invariant: a lane that is idle, or whose owner has not advanced for a while, holds nobody back.

import type { WaitingClock } from '../core/clock.ts'
import { WeirError } from '../core/errors.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import type { EntityLogStore, LaneFrontier, OwnFrontier } from '../pipeline/enrich/log-store.ts'
import type { Observe } from '../pipeline/observe/signals.ts'
import type { Lane } from './lane.ts'

/** Lanes that others own are looked at this often. */
const REFRESH_MS = 5
/** A lane that has not advanced for so long belongs to nobody who is working. */
const SILENT_MS = 10_000
const FOREVER_MS = 1000

type GateDeps = {
  readonly store: EntityLogStore
  readonly align: PipelineDefinition['align']
  readonly clock: WaitingClock
  readonly observe: Observe
}

export type AlignmentGate = {
  /** Asks how far the others are; without it, lanes just claimed would run ahead of everybody. */
  readonly begin: () => Promise<void>
  /** Tells the others how far we are and asks how far they are, when something is waiting. */
  readonly refresh: (mine: readonly Lane[]) => Promise<void>
  /** Event time up to which heads may be taken, ms. */
  readonly untilMs: (mine: readonly Lane[]) => number
  /** The wait has lasted long enough: go on without. */
  readonly isPatienceOver: () => boolean
  /** Tells the gate what the merge came to, so that it knows how long it has been waiting. */
  readonly note: (outcome: 'batch' | 'empty' | 'held_back') => void
  /** How long the loop may sleep before it looks again, ms. */
  readonly pauseMs: () => number
}

export function createAlignmentGate({ store, align, clock, observe }: GateDeps): AlignmentGate {
  let waitingSinceMs: number | null = null
  let refreshedMs = 0

  const isPatienceOver = (): boolean =>
    waitingSinceMs !== null && clock.monotonicMs() - waitingSinceMs >= align.waitMsMax

  return {
    begin: () => store.exchangeFrontiers([]).catch(tolerateAbsence),
    refresh: async (mine) => {
      const nowMs = clock.monotonicMs()
      if (waitingSinceMs === null || nowMs - refreshedMs < REFRESH_MS) return
      refreshedMs = nowMs
      await store.exchangeFrontiers(mine.filter(canTell).map(frontierOf)).catch(tolerateAbsence)
    },
    untilMs: (mine) => {
      if (isPatienceOver()) return Number.POSITIVE_INFINITY
      const own = new Set(mine.map(({ address }) => address.laneId))
      return slowestOf(store.knownFrontiers(), own) + align.driftMsMax
    },
    isPatienceOver,
    note: (outcome) => {
      if (outcome === 'held_back') {
        waitingSinceMs ??= clock.monotonicMs()
        return
      }
      if (waitingSinceMs === null) return
      const durationMs = clock.monotonicMs() - waitingSinceMs
      observe({ kind: 'alignment_waited', durationMs, gaveUp: durationMs >= align.waitMsMax })
      waitingSinceMs = null
    },
    pauseMs: () => (waitingSinceMs === null ? FOREVER_MS : REFRESH_MS),
  }
}

/**
 * A lane with a batch on its way says how far it is with that batch: before it is applied, not yet.
 */
const canTell = ({ status, batchesInFlight }: Lane): boolean =>
  status === 'active' && batchesInFlight === 0

export const frontierOf = (lane: Lane): OwnFrontier => ({
  laneId: lane.address.laneId,
  epoch: lane.epoch,
  frontierMs: lane.frontierMs,
  isIdle: lane.isCaughtUp,
  committedOffset: lane.toldOffset,
})

/** While the store is away, what was heard last counts: patience ends the wait, advance tells. */
function tolerateAbsence(error: unknown): void {
  if (!(error instanceof WeirError) || !error.canRetry) throw error
}

function slowestOf(frontiers: readonly LaneFrontier[], own: ReadonlySet<number>): number {
  // The store's own clock tells who is silent: the newest touch is its `now`.
  const nowMs = frontiers.reduce((newest, { touchedMs }) => Math.max(newest, touchedMs), 0)
  let slowestMs = Number.POSITIVE_INFINITY
  for (const { laneId, frontierMs, isIdle, touchedMs } of frontiers) {
    if (own.has(laneId) || isIdle || frontierMs < 0) continue
    if (nowMs - touchedMs > SILENT_MS) continue
    slowestMs = Math.min(slowestMs, frontierMs)
  }
  return slowestMs
}
