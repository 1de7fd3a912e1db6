// The conductor: claims lanes, feeds them, merges them into batches and sends those through the pipeline.
//
//   fetched ─► lane queues ─► merge by event time ─► pipeline (several batches at once) ─► tallies
//                   ▲                                                                     │
//                   └──────────── claim again from what is committed ◄──── in doubt ◄─────┘
//
// In: assignments and messages from the input port. Out: nothing but signals; the pipeline publishes.
// Trouble: a lane in doubt takes no more events, waits until its batches in flight have ended, and is
// claimed anew: the store's epoch is raised, the producer made new, the committed offset read again.
// Invariants: a batch holds lanes of one claim only; batches in flight and queues are bounded; after
// drain or revocation nothing is taken any more.

import { setTimeout } from 'node:timers/promises'
import type { Clock } from '../core/clock.ts'
import { type ErrorCode, WeirError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import type { Observe } from '../pipeline/observe/signals.ts'
import { BatchAbandoned, type Pipeline } from '../pipeline/pipeline.ts'
import type { LaneTally } from '../pipeline/publish/publish.ts'
import type { Batch, Stream } from '../pipeline/records.ts'
import { createAlignmentGate } from './alignment-gate.ts'
import { type ClaimDeps, claimLane, type LaneStart } from './claim-lane.ts'
import { Lane } from './lane.ts'
import type { Fetched, LaneAddress, LaneInput } from './lane-input.ts'
import { mergeLanes } from './merge-lanes.ts'
import {
  countByLane,
  observeAbandoned,
  observeClaimed,
  observeCommitted,
  observeLag,
  observeReceived,
  observeTimes,
} from './observe-tallies.ts'
import { createStoreTouch } from './touch-store.ts'
import { createWake } from './wake.ts'

type ConductorDeps = ClaimDeps & {
  readonly input: LaneInput
  readonly pipeline: Pipeline
  readonly align: PipelineDefinition['align']
  /** Events of a batch at most: batchEventsFor the pipeline. */
  readonly batchEventsMax: number
  readonly clock: Clock
  readonly observe: Observe
  /** Trouble that this process cannot get over: it has to end. */
  readonly fail: (error: Error) => void
}

export type Conductor = {
  readonly start: () => Promise<void>
  /** The conductor's own count, against which the books of the observer are proved. */
  readonly eventsInFlight: (stream: Stream) => number
  /** Takes no more events, lets batches in flight commit, gives the lanes back. */
  readonly drain: () => Promise<void>
}

export function createConductor(deps: ConductorDeps): Conductor {
  const lanes = new Map<number, Lane>()
  const wake = createWake()
  const gate = createAlignmentGate(deps)
  /** Lanes with a producer, whether they are still ours or not. */
  const opened = new Set<number>()
  let generation = 0
  let inFlight = 0
  /** Events that have set out and whose outcome is not known yet. */
  const eventsInFlight: Record<Stream, number> = { transactions: 0, labels: 0 }
  let isDraining = false
  let lastProgressMs = deps.clock.nowMs()
  let loop: Promise<void> = Promise.resolve()
  /** Claims on their way: what they open must be there before it can be closed or opened again. */
  const claims = new Set<Promise<void>>()

  const noteProgress = (): void => {
    lastProgressMs = deps.clock.nowMs()
  }

  const noteClaim = (claim: Promise<void>): void => {
    claims.add(claim)
    void claim.finally(() => claims.delete(claim))
  }

  const assigned = (addresses: readonly LaneAddress[]): void => {
    const mine = ++generation
    release('reassigned')
    for (const address of addresses) lanes.set(address.laneId, new Lane(address))
    deps.observe({ kind: 'rebalanced', lanes: lanes.size })
    noteClaim(claimAll([...lanes.values()], mine))
  }

  const release = (reason: string): void => {
    for (const lane of lanes.values()) {
      lane.status = 'released'
      settleDoubts(lane, 0)
      const { stream, partition } = lane.address
      deps.observe({ kind: 'lane_released', stream, partition, reason })
    }
    lanes.clear()
  }

  const revoked = (reason: string): void => {
    generation++
    release(reason)
  }

  /** Lanes start together, so that none runs ahead of one that is still being claimed. */
  const claimAll = async (claimed: readonly Lane[], mine: number): Promise<void> => {
    await Promise.all([...claims, settleInFlight()])
    await releaseMoved(claimed)
    const starts = await Promise.all(claimed.map((lane) => claimWithRetry(lane, mine)))
    await gate.begin()
    if (mine !== generation) return
    for (const [i, start] of starts.entries()) {
      if (start !== null) activate(claimed[i]!, start)
    }
    wake.ring()
  }

  /** Closes what lanes that are somebody else's now still hold open. */
  const releaseMoved = async (claimed: readonly Lane[]): Promise<void> => {
    const kept = new Set(claimed.map(({ address }) => address.laneId))
    const moved = [...opened].filter((laneId) => !kept.has(laneId))
    await Promise.all(moved.map((laneId) => deps.transactions.release(laneId)))
    opened.clear()
    for (const laneId of kept) opened.add(laneId)
  }

  const activate = (lane: Lane, start: LaneStart): void => {
    settleDoubts(lane, start.offset)
    lane.begin(start)
    observeClaimed(lane, start.durationMs, deps.observe)
    observeLag(lane, deps.observe)
    lane.status = 'active'
    deps.input.seek(lane.address, start.offset)
  }

  /** What is in doubt was committed or it was not: the committed offset tells. */
  const settleDoubts = (lane: Lane, committedOffset: number): void => {
    for (const { lastOffset, tally } of lane.doubts.splice(0)) {
      if (lastOffset < committedOffset) {
        lane.committedOffset = lastOffset + 1
        observeCommitted(lane, tally, deps)
      } else observeAbandoned(lane, tally.events, deps.observe)
      eventsInFlight[lane.address.stream] -= tally.events
    }
  }

  /** While a system is away the lane waits, and Kafka holds the data; what is refused is final. */
  const claimWithRetry = async (lane: Lane, mine: number): Promise<LaneStart | null> => {
    for (let attempt = 1; ; attempt++) {
      if (mine !== generation || isDraining) return null
      try {
        return await claimLane(lane, deps, () => mine === generation && !isDraining)
      } catch (error) {
        if (mine !== generation) return null
        const isPassing = error instanceof WeirError && error.canRetry
        const isFenced = error instanceof WeirError && error.code === 'WEIR_ENRICH_FENCED'
        if (!isPassing && !(isFenced && attempt < limits.retryAttemptsMax)) {
          deps.fail(error as Error)
          return null
        }
        noteProgress()
        observeRetry(deps.observe, 'claim', attempt, error)
        await deps.pause(Math.min(limits.retryPauseMsMax, 50 * 2 ** attempt))
      }
    }
  }

  const fetched = (laneId: number, batch: Fetched): void => {
    const lane = lanes.get(laneId)
    if (lane === undefined || (lane.status !== 'active' && lane.status !== 'learning')) return
    lane.accept(batch)
    if (lane.isFull && !lane.isPaused) {
      lane.isPaused = true
      deps.input.pause(lane.address)
    }
    wake.ring()
  }

  const run = async (): Promise<void> => {
    while (!isDraining) {
      if (!hasRoom() || !(await takeBatch())) {
        await wake.wait(gate.pauseMs())
      }
      touchStore([...lanes.values()]).catch(deps.fail)
      checkWatchdog()
    }
  }

  /** The store may lack what any of our lanes applied: all of them have to be claimed anew. */
  const doubtAll = (): void => {
    for (const lane of lanes.values()) {
      doubt(lane, 'WEIR_ENRICH_STORE_UNSURE')
      noteClaim(recover(lane))
    }
  }

  const touchStore = createStoreTouch({ ...deps, unsure: doubtAll })

  /**
   * While a batch is on its way the next one sets out only when it is a big one: under little load,
   * events gather for the time of one transaction instead of paying for a transaction each.
   */
  const hasRoom = (): boolean => {
    if (inFlight === 0) return true
    if (inFlight >= limits.batchesInFlightMax) return false
    let queued = 0
    for (const lane of lanes.values()) queued += lane.queuedEvents
    return queued >= limits.batchEventsWorthwhile
  }

  /** Sends one batch on its way if there is one; false = nothing to do until something happens. */
  const takeBatch = async (): Promise<boolean> => {
    const all = [...lanes.values()]
    await gate.refresh(all)
    const merged = mergeLanes(all, {
      admit: deps.pipeline.admit,
      eventsMax: deps.batchEventsMax,
      untilMs: gate.untilMs(all),
      ignoreDry: gate.isPatienceOver(),
    })
    if (merged.kind === 'unknown_schema') {
      void learn(merged.lane, merged.ids)
      return true
    }
    gate.note(merged.kind)
    if (merged.kind !== 'batch') {
      if (merged.kind === 'empty') noteProgress()
      return false
    }
    resumeFetching(merged.lanes)
    void send(merged.batch, merged.lanes, merged.bytes)
    return true
  }

  const resumeFetching = (taken: readonly Lane[]): void => {
    for (const lane of taken) {
      if (!lane.isPaused || !lane.isHalfEmpty) continue
      lane.isPaused = false
      deps.input.resume(lane.address)
    }
  }

  const learn = async (lane: Lane, ids: ReadonlySet<number>): Promise<void> => {
    lane.status = 'learning'
    lane.isAsking = true
    for (let attempt = 1; lane.status === 'learning'; attempt++) {
      try {
        await deps.pipeline.learn(lane.address.stream, ids)
        break
      } catch (error) {
        lane.isAsking = false
        observeRetry(deps.observe, 'learn_schema', attempt, error)
        await deps.pause(limits.retryPauseMsMax)
      }
    }
    lane.isAsking = false
    if (lane.status === 'learning') lane.status = 'active'
    wake.ring()
  }

  const send = async (batch: Batch, taken: readonly Lane[], bytes: number): Promise<void> => {
    const startedMs = performance.now()
    inFlight++
    for (const lane of taken) lane.batchesInFlight++
    const eventsByLane = countByLane(batch)
    eventsByLane.forEach((events, i) => {
      eventsInFlight[taken[i]!.address.stream] += events
      observeReceived(taken[i]!, events, deps.observe)
    })
    const isWanted = () => taken.every(({ status }) => status === 'active' || status === 'learning')
    try {
      const tallies = await deps.pipeline.process(batch, isWanted)
      tallies.forEach((tally, i) => {
        settle(taken[i]!, batch.lanes[i]!.lastOffset, tally)
      })
      observeTimes(batch, deps)
      // A delivery that is in doubt again and again is no progress.
      if (tallies.some(({ outcome }) => outcome === 'committed')) noteProgress()
    } catch (error) {
      handleFailure(eventsByLane, taken, error)
    } finally {
      inFlight--
      for (const lane of taken) lane.batchesInFlight--
      const durationMs = performance.now() - startedMs
      const events = batch.arrivals.length
      deps.observe({ kind: 'batch_done', events, lanes: taken.length, bytes, durationMs })
      for (const lane of taken) noteClaim(recover(lane))
      wake.ring()
    }
  }

  const settle = (lane: Lane, lastOffset: number, tally: LaneTally): void => {
    if (tally.outcome === 'in_doubt') {
      lane.doubts.push({ lastOffset, tally })
      doubt(lane, 'WEIR_PUBLISH_IN_DOUBT')
      if (lane.status === 'released') settleDoubts(lane, 0)
      return
    }
    lane.committedOffset = lastOffset + 1
    observeCommitted(lane, tally, deps)
    eventsInFlight[lane.address.stream] -= tally.events
  }

  const handleFailure = (
    eventsByLane: Uint32Array,
    taken: readonly Lane[],
    error: unknown,
  ): void => {
    eventsByLane.forEach((events, i) => {
      observeAbandoned(taken[i]!, events, deps.observe)
      eventsInFlight[taken[i]!.address.stream] -= events
    })
    if (error instanceof WeirError) {
      for (const lane of taken) doubt(lane, error.code)
      if (error.code === 'WEIR_ENRICH_STORE_UNSURE') doubtAll()
      if (error.code.startsWith('WEIR_HOUSE')) deps.fail(error)
    } else if (error instanceof BatchAbandoned) {
      for (const lane of taken) doubt(lane, 'WEIR_PUBLISH_IN_DOUBT')
    } else {
      deps.fail(error instanceof Error ? error : new Error(String(error)))
    }
  }

  const doubt = (lane: Lane, reason: ErrorCode): void => {
    if (lane.status !== 'active' && lane.status !== 'learning') return
    lane.status = 'doubtful'
    deps.input.pause(lane.address)
    deps.observe({ kind: 'producer_recreated', partition: lane.address.partition, reason })
  }

  /** Claims a doubtful lane again once nothing of it is in flight any more. */
  const recover = async (lane: Lane): Promise<void> => {
    if (lane.status !== 'doubtful' || lane.batchesInFlight > 0 || isDraining) return
    const mine = generation
    lane.status = 'claiming'
    // A zombie learns from its next heartbeat that the lane is somebody else's; claiming before that
    // would fence the rightful owner.
    await deps.pause(limits.reclaimPauseMs)
    const start = await claimWithRetry(lane, mine)
    if (start === null || mine !== generation || isDraining) return
    activate(lane, start)
    wake.ring()
  }

  const settleInFlight = async (): Promise<void> => {
    while (inFlight > 0) await wake.wait(limits.retryPauseMsMax)
  }

  const checkWatchdog = (): void => {
    const stuckMs = deps.clock.nowMs() - lastProgressMs
    if (stuckMs <= limits.watchdogMsMax || isDraining) return
    const detail = `no batch finished for ${stuckMs} ms, at most ${limits.watchdogMsMax} are allowed`
    deps.fail(new WeirError('WEIR_LANE_STUCK', detail))
  }

  return {
    eventsInFlight: (stream) => eventsInFlight[stream],
    start: async () => {
      await deps.input.start({ assigned, revoked, fetched, crashed: deps.fail })
      loop = run().catch(deps.fail)
    },
    drain: async () => {
      isDraining = true
      wake.ring()
      const deadline = setTimeout(limits.drainMsMax * 0.7, undefined, { ref: false })
      await Promise.race([Promise.all([loop, settleInFlight(), ...claims]), deadline])
      release('drained')
      await deps.input.stop()
    },
  }
}

function observeRetry(observe: Observe, operation: string, attempt: number, error: unknown): void {
  const code = error instanceof WeirError ? error.code : 'WEIR_KAFKA_AWAY'
  const detail = error instanceof Error ? error.message : String(error)
  observe({ kind: 'retried', operation, attempt, code, detail })
}
