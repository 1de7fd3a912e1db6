// Taking a lane over: fence first, then read what is committed, then compare it with the store.
//
// In: a lane that was assigned to this process. Out: where it starts, with the memory of its last
// commit. Refused: a store that has applied less than is committed (WEIR_ENRICH_STATE_LOST): scoring
// on would count short, silently; a group whose committed offsets are gone while the store remembers
// some (WEIR_KAFKA_OFFSETS_GONE): starting over would publish everything again. Invariant: once the store's epoch and the producer's epoch are
// raised, nobody else can move this lane, so what is read here stays true.

import { WeirError } from '../core/errors.ts'
import { type EntityLogStore, LaneRefusedError } from '../pipeline/enrich/log-store.ts'
import { decodeLaneMemory, freshMemory } from '../pipeline/publish/lane-metadata.ts'
import type { Brake } from '../pipeline/records.ts'
import type { Lane } from './lane.ts'
import type { LaneTransactions } from './lane-transactions.ts'

export type LaneStart = {
  readonly offset: number
  readonly endOffset: number
  readonly watermarkMs: number
  readonly brake: Brake
  /** What the claim took. */
  readonly durationMs: number
}

type ClaimDeps = {
  readonly store: EntityLogStore
  readonly transactions: LaneTransactions
}

export async function claimLane(lane: Lane, deps: ClaimDeps): Promise<LaneStart> {
  const startedMs = performance.now()
  const { laneId, partition } = lane.address
  const { epoch, appliedOffset, committedOffset } = await deps.store.claim(laneId)
  const opened = await deps.transactions.open(lane.address)
  const hasCommitted = opened.metadata !== null
  if (!hasCommitted && committedOffset > opened.nextOffset) {
    const detail = `${lane.address.topic}/${partition}: offset ${committedOffset} was committed, the group has none.`
    throw new WeirError('WEIR_KAFKA_OFFSETS_GONE', detail)
  }
  if (hasCommitted && appliedOffset < opened.nextOffset - 1) {
    const detail = `committed up to ${opened.nextOffset - 1}, the store has applied ${appliedOffset}.`
    throw new LaneRefusedError('WEIR_ENRICH_STATE_LOST', laneId, detail)
  }
  lane.epoch = epoch
  const memory = decodeLaneMemory(opened.metadata ?? '') ?? freshMemory()
  const durationMs = performance.now() - startedMs
  return { offset: opened.nextOffset, endOffset: opened.endOffset, durationMs, ...memory }
}
