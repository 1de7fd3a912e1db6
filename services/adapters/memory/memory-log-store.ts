// The entity logs in this process' memory: for replay and tests. The same port and the same fence
// rules as the Redis store, so that one contract suite holds for both.
//
// In: the records of a batch. Out: the logs with each record's place. Refused: an older epoch and a
// lane that was never claimed. Invariant: a record whose offset its lane has applied is found, not
// appended again; memory per entity is bounded by limits.entityRecordsKeptMax.

import { limits } from '../../core/limits.ts'
import {
  appendRow,
  createEntityLog,
  dropOldestRows,
  type EntityLog,
  findRow,
  offsetOfSource,
} from '../../pipeline/enrich/entity-log.ts'
import {
  type AdvanceReply,
  type AdvanceRequest,
  type EntityLogStore,
  type LaneClaim,
  LaneRefusedError,
  type LogKind,
  type LogRecords,
  type OwnFrontier,
} from '../../pipeline/enrich/log-store.ts'
import type { LaneSlice } from '../../pipeline/records.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type Fence = Mutable<LaneClaim> & { frontierMs: number; isIdle: boolean }

const NEVER_CLAIMED: Fence = {
  epoch: 0,
  appliedOffset: -1,
  committedOffset: 0,
  frontierMs: Number.NEGATIVE_INFINITY,
  isIdle: false,
}

export function createMemoryLogStore(kinds: readonly LogKind[]): EntityLogStore {
  const logs = kinds.map(() => new Map<string, EntityLog>())
  const fences = new Map<number, Fence>()

  const open = (kind: number, key: string): EntityLog => {
    const known = logs[kind]!.get(key)
    if (known !== undefined) return known
    const made = createEntityLog(kinds[kind]!.shape)
    logs[kind]!.set(key, made)
    return made
  }

  const claim = async (laneId: number) => {
    const before = fences.get(laneId) ?? NEVER_CLAIMED
    const fence = { ...before, epoch: before.epoch + 1, isIdle: false }
    fences.set(laneId, fence)
    const { epoch, appliedOffset, committedOffset } = fence
    return { epoch, appliedOffset, committedOffset }
  }

  const advance = async ({ lanes, records }: AdvanceRequest): Promise<AdvanceReply> => {
    const appliedBefore = lanes.map((lane) => checkFence(lane, fences.get(lane.laneId)))
    const reply = {
      logs: new Array<EntityLog>(records.count),
      positions: new Int32Array(records.count).fill(-1),
      visible: new Int32Array(records.count),
    }
    for (let i = 0; i < records.count; i++) {
      const log = open(records.kinds[i]!, records.keys[i]!)
      if (log.count > limits.entityRecordsKeptMax) {
        dropOldestRows(log, limits.entityRecordsKeptAfterTrim)
      }
      reply.logs[i] = log
    }
    const wasApplied = (entry: number): boolean =>
      offsetOfSource(records.sources[entry]!) <= appliedBefore[records.laneIndexes[entry]!]!
    for (let i = 0; i < records.count; i++) {
      const log = reply.logs[i]!
      reply.positions[i] = records.appends[i] === 0 ? -1 : place(log, i, records, wasApplied)
      reply.visible[i] = reply.positions[i]! < 0 ? log.count : reply.positions[i]!
    }
    if (lanes.some((lane, i) => lane.firstOffset <= appliedBefore[i]!)) {
      showAgain(reply, wasApplied)
    }
    for (const lane of lanes) raiseFence(lane, fences.get(lane.laneId)!)
    return reply
  }

  return {
    claim,
    advance,
    knownFrontiers: () => listFrontiers(fences),
    exchangeFrontiers: async (ours) => {
      for (const lane of ours) moveFrontier(lane, fences.get(lane.laneId))
    },
    close: async () => undefined,
  }
}

function place(
  log: EntityLog,
  entry: number,
  { eventTimesMs, sources, values, valueStride }: LogRecords,
  wasApplied: (entry: number) => boolean,
): number {
  const source = sources[entry]!
  return wasApplied(entry)
    ? findRow(log, source)
    : appendRow(log, eventTimesMs[entry]!, source, values, entry * valueStride)
}

/** Entries without a place that were delivered before see no more than lies before the log's next. */
function showAgain(
  { logs, positions, visible }: AdvanceReply,
  wasApplied: (entry: number) => boolean,
): void {
  for (let entry = 0; entry < logs.length; entry++) {
    if (positions[entry]! >= 0 || !wasApplied(entry)) continue
    const isNext = (log: EntityLog, i: number) =>
      i > entry && log === logs[entry] && positions[i]! >= 0
    const next = logs.findIndex(isNext)
    visible[entry] = next < 0 ? logs[entry]!.count : positions[next]!
  }
}

/** Returns the lane's applied offset before the batch. */
function checkFence(lane: LaneSlice, fence: Fence | undefined): number {
  if (fence === undefined) {
    throw new LaneRefusedError('WEIR_ENRICH_STATE_LOST', lane.laneId, 'was never claimed here.')
  }
  if (lane.epoch !== fence.epoch) {
    const detail = `epoch ${lane.epoch}, the store holds ${fence.epoch}.`
    throw new LaneRefusedError('WEIR_ENRICH_FENCED', lane.laneId, detail)
  }
  return fence.appliedOffset
}

function raiseFence(lane: LaneSlice, fence: Fence): void {
  fence.appliedOffset = Math.max(fence.appliedOffset, lane.lastOffset)
  fence.frontierMs = Math.max(fence.frontierMs, lane.frontierMs)
  fence.committedOffset = Math.max(fence.committedOffset, lane.committedOffset)
  fence.isIdle = lane.isIdle
}

const listFrontiers = (fences: ReadonlyMap<number, Fence>) =>
  [...fences].map(([laneId, { frontierMs, isIdle }]) => ({
    laneId,
    frontierMs,
    isIdle,
    touchedMs: 0,
  }))

/** A lane that somebody else has claimed meanwhile is not ours to move. */
function moveFrontier({ epoch, frontierMs, isIdle }: OwnFrontier, fence: Fence | undefined): void {
  if (fence?.epoch !== epoch) return
  fence.frontierMs = Math.max(fence.frontierMs, frontierMs)
  fence.isIdle = isIdle
}
