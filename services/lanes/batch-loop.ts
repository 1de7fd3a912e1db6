// The loop that takes batches from the lanes and sends them through the pipeline.
//
//   merge by event time ─► send (several at once) ─► tallies ─┬─► committed
//                                                              └─► failed: lanes in doubt, smaller batches
//
// In: the lane book. Out: nothing but what the book is told; the pipeline publishes. What fails in
// a batch never leaves here as a rejection: bad batches put their lanes in doubt, our own mistakes
// go to `fail`. Invariants: a batch holds lanes of one claim only; batches in flight are bounded,
// and one at a time while an event is looked for that others fail with (isolation.ts).

import type { Clock } from '../core/clock.ts'
import { WeirError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Observe } from '../pipeline/observe/signals.ts'
import { BatchAbandoned, type Pipeline } from '../pipeline/pipeline.ts'
import type { LaneTally } from '../pipeline/publish/publish.ts'
import type { Batch, Rejection } from '../pipeline/records.ts'
import type { AlignmentGate } from './alignment-gate.ts'
import type { Flight } from './flight.ts'
import { createIsolation, type Isolation } from './isolation.ts'
import type { Lane } from './lane.ts'
import type { LaneBook } from './lane-book.ts'
import type { LaneInput } from './lane-input.ts'
import { learnSchemas } from './learn-schemas.ts'
import { type MergeResult, mergeLanes } from './merge-lanes.ts'
import { countByLane, observeReceived, observeTimes } from './observe-tallies.ts'
import { asError } from './outside.ts'
import type { Wake } from './wake.ts'
import type { Watchdog } from './watchdog.ts'

type BatchLoopDeps = {
  readonly book: LaneBook
  readonly gate: AlignmentGate
  readonly flight: Flight
  readonly watchdog: Watchdog
  readonly wake: Wake
  readonly input: Pick<LaneInput, 'resume'>
  readonly pipeline: Pipeline
  readonly batchEventsMax: number
  /**
   * Queued events that are worth a second batch at once; limits.batchEventsWorthwhile unless given.
   */
  readonly batchEventsWorthwhile?: number
  readonly clock: Clock
  readonly observe: Observe
  readonly pause: (durationMs: number) => Promise<unknown>
  readonly fail: (error: Error) => void
}

type Loop = BatchLoopDeps & { readonly isolation: Isolation }
type Merged = Extract<MergeResult, { readonly kind: 'batch' }>

type BatchLoop = {
  /** Runs until `isOver`; `idle` is called at each turn. */
  readonly run: (isOver: () => boolean, idle: () => void) => Promise<void>
  /** To be called when lanes come or go. */
  readonly lanesChanged: () => void
}

export function createBatchLoop(deps: BatchLoopDeps): BatchLoop {
  const loop: Loop = { ...deps, isolation: createIsolation() }
  return {
    lanesChanged: loop.isolation.forget,
    run: async (isOver, idle) => {
      while (!isOver()) {
        if (!hasRoom(loop) || !(await takeBatch(loop))) await loop.wake.wait(loop.gate.pauseMs())
        idle()
      }
    },
  }
}

/**
 * While a batch is on its way the next one sets out only when it is a big one: under little load,
 * events gather for the time of one transaction instead of paying for a transaction each.
 */
function hasRoom({ flight, isolation, book, batchEventsWorthwhile }: Loop): boolean {
  if (flight.batches() === 0) return true
  if (flight.batches() >= limits.batchesInFlightMax || isolation.isActive()) return false
  let queued = 0
  for (const lane of book.lanes()) queued += lane.queuedEvents
  return queued >= (batchEventsWorthwhile ?? limits.batchEventsWorthwhile)
}

/** Sends one batch on its way if there is one; false = nothing to do until something happens. */
async function takeBatch(loop: Loop): Promise<boolean> {
  const { book, gate, pipeline, isolation } = loop
  const lanes = book.lanes()
  await gate.refresh(lanes)
  const merged = mergeLanes(lanes, {
    admit: pipeline.admit,
    eventsMax: isolation.eventsMax(loop.batchEventsMax),
    untilMs: gate.untilMs(lanes),
    ignoreDry: gate.isPatienceOver(),
  })
  if (merged.kind === 'unknown_schema') {
    void learnSchemas(merged.lane, merged.ids, loop).then(loop.wake.ring)
    return true
  }
  gate.note(merged.kind)
  if (merged.kind === 'held_back') loop.watchdog.heldBack()
  if (merged.kind !== 'batch') return false
  resumeFetching(loop, merged.lanes)
  void send(loop, merged)
  return true
}

function resumeFetching({ input }: Loop, taken: readonly Lane[]): void {
  for (const lane of taken) {
    if (!lane.isPaused || !lane.isHalfEmpty) continue
    lane.isPaused = false
    input.resume(lane.address)
  }
}

/** Never rejects: whatever happens on the way has its treatment here. */
async function send(loop: Loop, { batch, lanes, bytes }: Merged): Promise<void> {
  const startedMs = performance.now()
  const eventsByLane = countByLane(batch)
  setOut(loop, lanes, eventsByLane)
  try {
    settleAll(loop, batch, lanes, await process(loop, batch, lanes))
    observeTimes(batch, loop)
  } catch (error) {
    handleFailure(loop, { batch, lanes, eventsByLane }, error)
  }
  loop.flight.landed()
  for (const lane of lanes) lane.batchesInFlight--
  const durationMs = performance.now() - startedMs
  const events = batch.arrivals.length
  loop.observe({ kind: 'batch_done', events, lanes: lanes.length, bytes, durationMs })
  for (const lane of lanes) loop.book.recover(lane)
  loop.wake.ring()
}

function setOut(
  { flight, watchdog, observe }: Loop,
  lanes: readonly Lane[],
  eventsByLane: Uint32Array,
): void {
  flight.setOut()
  for (const [i, lane] of lanes.entries()) {
    watchdog.setOut(lane)
    lane.batchesInFlight++
    flight.count(lane.address.stream, eventsByLane[i]!)
    observeReceived(lane, eventsByLane[i]!, observe)
  }
}

function process(
  { pipeline, isolation }: Loop,
  batch: Batch,
  lanes: readonly Lane[],
): Promise<readonly LaneTally[]> {
  const isWanted = () => lanes.every(({ status }) => status === 'active' || status === 'learning')
  const refusal = isolation.refusalFor(batch)
  if (refusal === undefined) return pipeline.process(batch, isWanted)
  // What fails in enrich was not counted, and never gets there again; nor does what was rejected.
  return refusal.stage === 'enrich' || batch.arrivals[0]!.rejection !== null
    ? pipeline.process(rejectAll(batch, refusal), isWanted)
    : pipeline.process(batch, isWanted, refusal)
}

const rejectAll = (batch: Batch, rejection: Rejection): Batch => ({
  ...batch,
  arrivals: batch.arrivals.map(({ raw }) => ({ raw, transaction: null, label: null, rejection })),
})

function settleAll(
  { book, isolation }: Loop,
  batch: Batch,
  lanes: readonly Lane[],
  tallies: readonly LaneTally[],
): void {
  for (const [i, tally] of tallies.entries()) {
    if (tally.outcome === 'committed') isolation.committed(batch, i)
    book.settle(lanes[i]!, batch.lanes[i]!.lastOffset, tally)
  }
  if (tallies.some(({ outcome }) => outcome === 'too_large')) {
    isolation.failed(batch, new WeirError('WEIR_PUBLISH_TOO_LARGE', 'The broker refused a batch.'))
  }
}

type Failed = {
  readonly batch: Batch
  readonly lanes: readonly Lane[]
  readonly eventsByLane: Uint32Array
}

function handleFailure(loop: Loop, { batch, lanes, eventsByLane }: Failed, error: unknown): void {
  const { book, isolation, fail } = loop
  for (const [i, lane] of lanes.entries()) book.abandon(lane, eventsByLane[i]!)
  if (error instanceof BatchAbandoned) {
    for (const lane of lanes) book.doubt(lane, 'WEIR_PUBLISH_IN_DOUBT')
    return
  }
  if (!(error instanceof WeirError) || error.code.startsWith('WEIR_INTERNAL')) {
    fail(asError(error))
    return
  }
  isolation.failed(batch, error)
  for (const lane of lanes) book.doubt(lane, error.code)
  if (error.code === 'WEIR_ENRICH_STORE_UNSURE') book.doubtAll(error.code)
}
