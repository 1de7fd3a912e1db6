// The conductor: claims lanes, feeds them, merges them into batches, sends those through the
// pipeline.
//
//   fetched ─► lane queues ─► batch-loop.ts: merge, pipeline (several batches at once), tallies
//                   ▲                                                     │
//                   └──── lane-book.ts: claim again from what is committed ◄──── in doubt
//
// Here the parts are only wired: flight.ts counts what is on its way, watchdog.ts ends the process
// when a lane gets nowhere, isolation.ts finds the event that a batch fails on. In: assignments and
// messages from the input port. Out: nothing but signals; the pipeline publishes. Invariant: after
// drain or revocation nothing is taken any more, whatever hangs or fails.

import { setTimeout } from 'node:timers/promises'
import type { Clock, WaitingClock } from '../core/clock.ts'
import { limits } from '../core/limits.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import type { Observe } from '../pipeline/observe/signals.ts'
import type { Pipeline } from '../pipeline/pipeline.ts'
import type { Stream } from '../pipeline/records.ts'
import { createAlignmentGate } from './alignment-gate.ts'
import { createBatchLoop } from './batch-loop.ts'
import type { ClaimDeps } from './claim-lane.ts'
import { createFlight } from './flight.ts'
import { createLaneBook, type LaneBook } from './lane-book.ts'
import type { Fetched, LaneAddress, LaneInput } from './lane-input.ts'
import { createStoreTouch } from './touch-store.ts'
import { createWake } from './wake.ts'
import { createWatchdog } from './watchdog.ts'

type ConductorDeps = ClaimDeps & {
  readonly input: LaneInput
  readonly pipeline: Pipeline
  readonly align: PipelineDefinition['align']
  /** Events of a batch at most: batchEventsFor the pipeline. */
  readonly batchEventsMax: number
  /**
   * Queued events that are worth a second batch at once; limits.batchEventsWorthwhile unless given.
   */
  readonly batchEventsWorthwhile?: number
  readonly clock: Clock & WaitingClock
  readonly observe: Observe
  /** Whether Kafka, the store or the registry is known to be away: nobody is stuck by then. */
  readonly isOutsideAway: () => boolean
  /** Trouble that this process cannot get over: it has to end. */
  readonly fail: (error: Error) => void
}

export type Conductor = {
  readonly start: () => Promise<void>
  /** The conductor's own count, against which the books of the observer are proved. */
  readonly eventsInFlight: (stream: Stream) => number
  /** Takes no more events, lets batches in flight commit, gives the lanes back. Never rejects. */
  readonly drain: () => Promise<void>
}

export function createConductor(deps: ConductorDeps): Conductor {
  const { input, fail } = deps
  const wake = createWake()
  const gate = createAlignmentGate(deps)
  const flight = createFlight(wake)
  /** Putting a store back takes its time, and whoever claims waits for it. */
  let restores = 0
  const restore = async (): Promise<void> => {
    restores++
    await deps.restore().finally(() => restores--)
  }
  const isOutsideAway = () => restores > 0 || deps.isOutsideAway()
  const watchdog = createWatchdog({ ...deps, isOutsideAway })
  const book = createLaneBook({
    ...deps,
    restore,
    flight,
    watchdog,
    beginAlignment: gate.begin,
    ring: wake.ring,
  })
  const batches = createBatchLoop({ ...deps, book, gate, flight, watchdog, wake })
  const unsure = () => book.doubtAll('WEIR_ENRICH_STORE_UNSURE')
  const touchStore = createStoreTouch({ ...deps, unsure })
  let isDraining = false
  let loop: Promise<void> = Promise.resolve()

  const idle = (): void => {
    const lanes = book.lanes()
    touchStore(lanes).catch(fail)
    if (!isDraining) watchdog.check(lanes)
  }
  const fetched = (laneId: number, batch: Fetched): void => {
    acceptFetch(book, input, laneId, batch)
    wake.ring()
  }

  return {
    eventsInFlight: flight.events,
    start: async () => {
      const { revoked } = book
      const assigned = (addresses: readonly LaneAddress[]): void => {
        batches.lanesChanged()
        book.assigned(addresses)
      }
      await input.start({ assigned, revoked, fetched, crashed: fail })
      loop = batches.run(() => isDraining, idle).catch(fail)
    },
    drain: async () => {
      isDraining = true
      book.stopClaiming()
      wake.ring()
      const deadline = setTimeout(limits.drainMsMax * 0.7, undefined, { ref: false })
      const landed = Promise.all([loop, flight.untilEmpty(), book.untilClaimed()])
      await Promise.race([landed, deadline])
      book.release('drained')
      await input.stop()
    },
  }
}

function acceptFetch(book: LaneBook, input: LaneInput, laneId: number, batch: Fetched): void {
  const lane = book.find(laneId)
  if (lane === undefined || (lane.status !== 'active' && lane.status !== 'learning')) return
  lane.accept(batch)
  if (!lane.isFull || lane.isPaused) return
  lane.isPaused = true
  input.pause(lane.address)
}
