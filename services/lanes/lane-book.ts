// Who holds which lanes, from assignment to release: claimed, active, in doubt, claimed again.
//
//   assigned ─► claim all together ─► active ─► doubtful ─► (batches in flight end) ─► claim ─► active
//   revoked, reassigned, drained ─► released: nothing is taken any more, doubts are given up
//
// In: assignments, and what became of the lanes' batches. Out: lanes that may be taken from, and
// signals. Trouble: while something outside is away a claim waits, and Kafka holds the data; what
// is refused is final and goes to `fail`. Invariants: whoever claims waits for the claims and
// batches before it; an answer to an older assignment changes nothing; no promise of a claim ever
// rejects.

import type { WaitingClock } from '../core/clock.ts'
import { type ErrorCode, WeirError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Observe } from '../pipeline/observe/signals.ts'
import type { LaneTally } from '../pipeline/publish/publish.ts'
import { type ClaimDeps, type ClaimTerms, claimLane, type LaneStart } from './claim-lane.ts'
import type { Flight } from './flight.ts'
import { Lane } from './lane.ts'
import type { LaneAddress, LaneInput } from './lane-input.ts'
import {
  observeAbandoned,
  observeClaimed,
  observeCommitted,
  observeLag,
} from './observe-tallies.ts'
import { asError, codeOf, isOutside, isOutsideCode, observeRetry } from './outside.ts'
import type { Watchdog } from './watchdog.ts'

export type LaneBook = {
  readonly lanes: () => readonly Lane[]
  readonly find: (laneId: number) => Lane | undefined
  readonly assigned: (addresses: readonly LaneAddress[]) => void
  readonly revoked: (reason: string) => void
  /** What became of a delivery: committed, or in doubt until the committed offset tells. */
  readonly settle: (lane: Lane, lastOffset: number, tally: LaneTally) => void
  /** Events that are read again. */
  readonly abandon: (lane: Lane, events: number) => void
  /** The lane takes nothing more until it was claimed again. */
  readonly doubt: (lane: Lane, reason: ErrorCode) => void
  readonly doubtAll: (reason: ErrorCode) => void
  /** Claims a doubtful lane again once nothing of it is in flight any more. */
  readonly recover: (lane: Lane) => void
  /** No claim is begun or tried again from now on. */
  readonly stopClaiming: () => void
  readonly untilClaimed: () => Promise<unknown>
  readonly release: (reason: string) => void
}

type LaneBookDeps = ClaimDeps & {
  readonly input: Pick<LaneInput, 'seek' | 'pause'>
  readonly flight: Flight
  readonly watchdog: Watchdog
  readonly clock: WaitingClock
  readonly observe: Observe
  readonly fail: (error: Error) => void
  /** Asks how far other processes are, before the first lane runs. */
  readonly beginAlignment: () => Promise<void>
  /** A lane can be taken from again. */
  readonly ring: () => void
}

type Book = LaneBookDeps & {
  readonly held: Map<number, Lane>
  /** Lanes with a producer, whether they are still ours or not. */
  readonly opened: Set<number>
  /** On their way: what they open must be there before it can be closed or opened again. */
  readonly claims: Set<Promise<void>>
  /** Rises with every assignment and revocation; answers to an older one are dropped. */
  generation: number
  isStopping: boolean
}

export function createLaneBook(deps: LaneBookDeps): LaneBook {
  const book: Book = {
    ...deps,
    held: new Map(),
    opened: new Set(),
    claims: new Set(),
    generation: 0,
    isStopping: false,
  }
  return {
    lanes: () => [...book.held.values()],
    find: (laneId) => book.held.get(laneId),
    assigned: (addresses) => assign(book, addresses),
    revoked: (reason) => {
      book.generation++
      release(book, reason)
    },
    settle: (lane, lastOffset, tally) => settle(book, lane, { lastOffset, tally }),
    abandon: (lane, events) => abandon(book, lane, events),
    doubt: (lane, reason) => doubt(book, lane, reason),
    doubtAll: (reason) => {
      for (const lane of book.held.values()) {
        doubt(book, lane, reason)
        noteClaim(book, recover(book, lane))
      }
    },
    recover: (lane) => noteClaim(book, recover(book, lane)),
    stopClaiming: () => {
      book.isStopping = true
    },
    untilClaimed: () => Promise.all(book.claims),
    release: (reason) => release(book, reason),
  }
}

function assign(book: Book, addresses: readonly LaneAddress[]): void {
  const tooMany = addresses.find(({ laneId }) => laneId >= limits.lanesMax)
  if (tooMany !== undefined) {
    const { topic, partition } = tooMany
    const detail = `Found ${topic}/${partition}, expected partitions below ${limits.lanesMax / 2}.`
    book.fail(new WeirError('WEIR_LANE_LIMIT', detail))
    return
  }
  const mine = ++book.generation
  release(book, 'reassigned')
  const nowMs = book.clock.monotonicMs()
  for (const address of addresses) book.held.set(address.laneId, new Lane(address, nowMs))
  book.observe({ kind: 'rebalanced', lanes: book.held.size })
  noteClaim(book, claimAll(book, [...book.held.values()], mine))
}

function noteClaim({ claims, fail }: Book, claim: Promise<void>): void {
  const noted = claim.catch((error) => fail(asError(error)))
  claims.add(noted)
  void noted.then(() => claims.delete(noted))
}

function release(book: Book, reason: string): void {
  for (const lane of book.held.values()) {
    lane.status = 'released'
    settleDoubts(book, lane, 0)
    const { stream, partition } = lane.address
    book.observe({ kind: 'lane_released', stream, partition, reason })
  }
  book.held.clear()
}

/** Lanes start together, so that none runs ahead of one that is still being claimed. */
async function claimAll(book: Book, lanes: readonly Lane[], mine: number): Promise<void> {
  await Promise.all([...book.claims, book.flight.untilEmpty()])
  await releaseMoved(book, lanes)
  const ready = new Set<Lane>()
  let isThrough = false
  const areAllReady = (lane: Lane, isReady: boolean): boolean => {
    if (isReady) ready.add(lane)
    else ready.delete(lane)
    // Once for all of them: whoever looks a moment later must not wait for those who have gone on.
    isThrough ||= ready.size === lanes.length
    return isThrough
  }
  const claim = (lane: Lane) =>
    claimWithRetry(book, lane, { mine, areAllReady: (isReady) => areAllReady(lane, isReady) })
  const starts = await Promise.all(lanes.map(claim))
  await book.beginAlignment()
  if (!isCurrent(book, mine)) return
  for (const [i, start] of starts.entries()) {
    if (start !== null) activate(book, lanes[i]!, start)
  }
  book.ring()
}

const isCurrent = ({ generation, isStopping }: Book, mine: number): boolean =>
  mine === generation && !isStopping

/** Closes what lanes that are somebody else's now still hold open. */
async function releaseMoved({ opened, transactions }: Book, lanes: readonly Lane[]): Promise<void> {
  const kept = new Set(lanes.map(({ address }) => address.laneId))
  const moved = [...opened].filter((laneId) => !kept.has(laneId))
  await Promise.all(moved.map((laneId) => transactions.release(laneId)))
  opened.clear()
  for (const laneId of kept) opened.add(laneId)
}

type ClaimTogether = Pick<ClaimTerms, 'areAllReady'> & { readonly mine: number }

async function claimWithRetry(
  book: Book,
  lane: Lane,
  { mine, areAllReady }: ClaimTogether,
): Promise<LaneStart | null> {
  const { watchdog, observe } = book
  const noteWaiting = (isWaiting: boolean): void => {
    if (isWaiting) watchdog.freeze(lane)
    else watchdog.run(lane)
  }
  const terms = { isWanted: () => isCurrent(book, mine), noteWaiting, areAllReady, observe }
  let fences = 0
  for (let attempt = 1; isCurrent(book, mine); attempt++) {
    watchdog.run(lane)
    areAllReady(false)
    try {
      return await claimLane(lane, book, terms)
    } catch (error) {
      if (mine !== book.generation) return null
      if (isFenced(error)) fences++
      if (!mayPass(error, fences)) {
        book.fail(asError(error))
        return null
      }
      noteFault(book, lane, error)
      observeRetry(observe, { operation: 'claim', attempt, error })
      await book.pause(Math.min(limits.retryPauseMsMax, 50 * 2 ** attempt))
    }
  }
  return null
}

const isFenced = (error: unknown): boolean =>
  error instanceof WeirError && error.code === 'WEIR_ENRICH_FENCED'

/** Another owner's claim may cross ours for a while; all else passes by itself or is final. */
const mayPass = (error: unknown, fences: number): boolean =>
  isFenced(error) ? fences < limits.retryAttemptsMax : error instanceof WeirError && error.canRetry

function noteFault({ watchdog }: Book, lane: Lane, error: unknown): void {
  lane.lastFault = codeOf(error)
  if (isOutside(error)) watchdog.freeze(lane)
  else watchdog.charge(lane)
}

function activate(book: Book, lane: Lane, start: LaneStart): void {
  settleDoubts(book, lane, start.offset)
  lane.begin(start)
  observeClaimed(lane, start.durationMs, book.observe)
  observeLag(lane, book.observe)
  lane.status = 'active'
  book.watchdog.run(lane)
  book.input.seek(lane.address, start.offset)
}

type Settled = { readonly lastOffset: number; readonly tally: LaneTally }

function settle(book: Book, lane: Lane, settled: Settled): void {
  if (settled.tally.outcome === 'committed') {
    commit(book, lane, settled)
    return
  }
  lane.doubts.push(settled)
  doubt(book, lane, 'WEIR_PUBLISH_IN_DOUBT')
  if (lane.status === 'released') settleDoubts(book, lane, 0)
}

function commit(book: Book, lane: Lane, { lastOffset, tally }: Settled): void {
  lane.committedOffset = lastOffset + 1
  lane.hasCommitted = true
  lane.lastFault = null
  book.watchdog.committed(lane)
  observeCommitted(lane, tally, book.observe)
  book.flight.count(lane.address.stream, -tally.events)
}

/** What is in doubt was committed or it was not: the committed offset tells. */
function settleDoubts(book: Book, lane: Lane, committedOffset: number): void {
  for (const settled of lane.doubts.splice(0)) {
    if (settled.lastOffset < committedOffset) commit(book, lane, settled)
    else abandon(book, lane, settled.tally.events)
  }
}

function abandon({ observe, flight }: Book, lane: Lane, events: number): void {
  observeAbandoned(lane, events, observe)
  flight.count(lane.address.stream, -events)
}

function doubt(book: Book, lane: Lane, reason: ErrorCode): void {
  if (lane.status !== 'active' && lane.status !== 'learning') return
  lane.status = 'doubtful'
  lane.lastFault = reason
  if (isOutsideCode(reason)) book.watchdog.freeze(lane)
  else book.watchdog.charge(lane)
  book.input.pause(lane.address)
  book.observe({ kind: 'producer_recreated', partition: lane.address.partition, reason })
}

async function recover(book: Book, lane: Lane): Promise<void> {
  if (lane.status !== 'doubtful' || lane.batchesInFlight > 0 || book.isStopping) return
  const mine = book.generation
  lane.status = 'claiming'
  // A zombie learns from its next heartbeat that the lane is somebody else's; claiming before that
  // would fence the rightful owner.
  await book.pause(limits.reclaimPauseMs)
  const areAllReady = (isReady: boolean): boolean => isReady
  const start = await claimWithRetry(book, lane, { mine, areAllReady })
  if (start === null || !isCurrent(book, mine)) return
  activate(book, lane, start)
  book.ring()
}
