// Taking a lane over: fence first, then read what is committed, then ask whether the store is
// whole.
//
//   claim (store's epoch) ─► open (producer's epoch, committed offset) ─► confirm ─┬─► ready: go
//                                                          ▲        waiting, lost ─┘ put back, ask again
//
// In: a lane that was assigned to this process. Out: where it starts, with the memory of its last
// commit; null when the lane is no longer wanted. What a store has lost is put back from the topics
// before anybody goes on: scoring on would count short, silently. Refused: a group whose committed
// offset is gone, or behind what the store remembers (WEIR_KAFKA_OFFSETS_GONE): going on there
// would publish again what has been published. Invariant: once the store's epoch and the producer's
// epoch are raised, nobody else can move this lane, so what is read and confirmed here stays true.

import { WeirError } from '../core/errors.ts'
import type { EntityLogStore } from '../pipeline/enrich/log-store.ts'
import type { Observe } from '../pipeline/observe/signals.ts'
import {
  decodeLaneMemory,
  freshMemory,
  type LaneMemory,
} from '../pipeline/publish/lane-metadata.ts'
import type { Brake } from '../pipeline/records.ts'
import type { Lane } from './lane.ts'
import type { LaneAddress } from './lane-input.ts'
import type { LaneTransactions } from './lane-transactions.ts'

export type LaneStart = {
  readonly offset: number
  readonly endOffset: number
  readonly hasCommitted: boolean
  readonly watermarkMs: number
  readonly brake: Brake
  /** What the claim took. */
  readonly durationMs: number
}

export type ClaimDeps = {
  readonly store: EntityLogStore
  readonly transactions: LaneTransactions
  /** All lanes of the pipeline, whoever holds them. */
  readonly laneIds: () => Promise<readonly number[]>
  /** Puts back what the store has lost, unless another process is at it. */
  readonly restore: () => Promise<void>
  readonly pause: (durationMs: number) => Promise<unknown>
}

export type ClaimTerms = {
  readonly isWanted: () => boolean
  /** The store is being put back, or others are not through yet: true while it lasts. */
  readonly noteWaiting: (isWaiting: boolean) => void
  /** Told at each answer; whether all that are claimed together are ready now. */
  readonly areAllReady: (isReady: boolean) => boolean
  readonly observe: Observe
}

/** Between two questions whether the store is whole. */
const CONFIRM_PAUSE_MS = 100
/** The same while only others are not through yet. */
const READY_PAUSE_MS = 500

export async function claimLane(
  lane: Lane,
  deps: ClaimDeps,
  { isWanted, noteWaiting, areAllReady, observe }: ClaimTerms,
): Promise<LaneStart | null> {
  const startedMs = performance.now()
  const { laneId, partition, topic } = lane.address
  const { epoch, committedOffset } = await deps.store.claim(laneId)
  const opened = await deps.transactions.open(lane.address)
  const hasCommitted = opened.metadata !== null
  const ofGroup = hasCommitted ? opened.nextOffset : 0
  if (committedOffset > ofGroup) {
    const found = hasCommitted ? `stands at ${ofGroup}` : 'has none'
    const detail = `${topic}/${partition}: offset ${committedOffset} was committed, the group ${found}.`
    throw new WeirError('WEIR_KAFKA_OFFSETS_GONE', detail)
  }
  const confirmed = { laneId, epoch, committedOffset: ofGroup }
  for (;;) {
    const state = await deps.store.confirm(confirmed, await deps.laneIds())
    // A server that restarts meanwhile forgets who had confirmed: each speaks up until all are
    // through.
    if (areAllReady(state === 'ready')) break
    if (!isWanted()) return null
    noteWaiting(true)
    if (state === 'lost') await deps.restore()
    await deps.pause(state === 'ready' ? READY_PAUSE_MS : CONFIRM_PAUSE_MS)
  }
  noteWaiting(false)
  lane.epoch = epoch
  const memory = readMemory(lane.address, opened.metadata, observe)
  const durationMs = performance.now() - startedMs
  const { nextOffset: offset, endOffset } = opened
  return { offset, endOffset, hasCommitted, durationMs, ...memory }
}

/**
 * A group without an offset has none yet; one whose memory is not Weir's has lost it, and says so.
 */
function readMemory(
  { stream, partition }: LaneAddress,
  metadata: string | null,
  observe: Observe,
): LaneMemory {
  const memory = decodeLaneMemory(metadata ?? '')
  if (memory !== null) return memory
  if (metadata !== null) {
    const detail = `found ${JSON.stringify(metadata.slice(0, 80))} with the committed offset`
    observe({ kind: 'lane_memory_lost', stream, partition, detail })
  }
  return freshMemory()
}
