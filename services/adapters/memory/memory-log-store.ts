// The entity logs in this process' memory: for replay and tests. The same port and the same fence
// rules as the Redis store, so that one contract suite holds for both.
//
// In: the records of a batch. Out: the logs with each record's place. Refused: an older epoch and a
// lane that was never claimed. Invariant: a record whose offset its lane has applied is found, not
// appended again; a log keeps what windows can still see of it, and no more (fold-log.ts). With a
// retention, a log that no event has met for so long is gone, as its key in Redis would be: its
// entity begins anew at ordinal 0. The clock is the highest event time of the transactions so far,
// so it is the same log that is gone whatever the batches; a sweep now and then frees the memory.

import {
  appendRow,
  createEntityLog,
  type EntityLog,
  findRow,
  laneOfSource,
  offsetOfSource,
} from '../../pipeline/enrich/entity-log.ts'
import { type FoldPolicy, foldLog, foldWhenWorthwhile } from '../../pipeline/enrich/fold-log.ts'
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

type HeldLog = EntityLog & {
  /** The clock when an event last met it, ms. */
  touchedMs: number
  /** The advance that last met it: rows that it has given a place must stay where they are. */
  metIn: number
}

/** Part of the retention after which the memory of logs that are gone is freed. */
const SWEEP_SHARE = 1 / 8

/**
 * @param policy decides when folding is worth it; tests fold when chance wills.
 * @param retentionMs of the pipeline file's store section: longer than any window looks back. For a
 * caller that delivers each event once: one that comes again would not find a log that is gone.
 */
export function createMemoryLogStore(
  kinds: readonly LogKind[],
  policy: FoldPolicy = foldWhenWorthwhile,
  retentionMs: number = Number.POSITIVE_INFINITY,
): EntityLogStore {
  const logs = kinds.map(() => new Map<string, HeldLog>())
  /** What a look at an entity without a log is given; nothing is ever appended to it. */
  const absent = kinds.map(({ shape }) => holdLog(createEntityLog(shape)))
  const fences = new Map<number, Fence>()
  let advances = 0
  let clockMs = Number.NEGATIVE_INFINITY
  let sweptMs = Number.NEGATIVE_INFINITY

  const isGone = ({ touchedMs }: HeldLog): boolean => clockMs - touchedMs > retentionMs

  const open = (kind: number, key: string, eventTimeMs: number, appends: number): HeldLog => {
    // Before the first transaction there is no clock, but there may be labels.
    const touchedMs = Math.max(clockMs, eventTimeMs)
    const known = logs[kind]!.get(key)
    if (known !== undefined && !isGone(known)) {
      known.touchedMs = touchedMs
      return known
    }
    if (appends === 0) return absent[kind]!
    const log = holdLog(createEntityLog(kinds[kind]!.shape), touchedMs)
    logs[kind]!.set(key, log)
    return log
  }

  const sweep = (): void => {
    if (!(clockMs - sweptMs > retentionMs * SWEEP_SHARE)) return
    sweptMs = clockMs
    for (const ofKind of logs) {
      for (const [key, held] of ofKind) if (isGone(held)) ofKind.delete(key)
    }
  }

  const isCommitted = (source: number): boolean => {
    const committed = fences.get(laneOfSource(source))?.committedOffset ?? 0
    return offsetOfSource(source) < committed
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
    for (const { laneId, committedOffset } of lanes) {
      raiseCommitted(fences.get(laneId)!, committedOffset)
    }
    const wasApplied = (entry: number): boolean =>
      offsetOfSource(records.sources[entry]!) <= appliedBefore[records.laneIndexes[entry]!]!
    advances++
    const reply = {
      logs: new Array<EntityLog>(records.count),
      positions: new Int32Array(records.count).fill(-1),
      visible: new Int32Array(records.count),
    }
    for (let i = 0; i < records.count; i++) {
      const kind = records.kinds[i]!
      if (lanes[records.laneIndexes[i]!]!.stream === 'transactions') {
        clockMs = Math.max(clockMs, records.eventTimesMs[i]!)
      }
      const log = open(kind, records.keys[i]!, records.eventTimesMs[i]!, records.appends[i]!)
      if (log.metIn !== advances) foldLog(log, kinds[kind]!.history, isCommitted, policy)
      log.metIn = advances
      reply.logs[i] = log
      reply.positions[i] = records.appends[i] === 0 ? -1 : place(log, i, records, wasApplied)
      reply.visible[i] = reply.positions[i]! < 0 ? log.count : reply.positions[i]!
    }
    if (lanes.some((lane, i) => lane.firstOffset <= appliedBefore[i]!)) {
      showAgain(reply, wasApplied)
    }
    for (const lane of lanes) raiseFence(lane, fences.get(lane.laneId)!)
    sweep()
    return reply
  }

  return {
    claim,
    confirm: async ({ laneId, epoch, committedOffset }) => {
      const fence = fences.get(laneId)
      if (fence?.epoch !== epoch) throw fencedError(laneId, epoch, fence)
      raiseCommitted(fence, committedOffset)
      return fence.appliedOffset < committedOffset - 1 ? 'lost' : 'ready'
    },
    advance,
    knownFrontiers: () => listFrontiers(fences),
    exchangeFrontiers: async (ours) => {
      for (const lane of ours) moveFrontier(lane, fences.get(lane.laneId))
    },
    touch: async (ours) => {
      for (const lane of ours) moveFrontier(lane, fences.get(lane.laneId))
    },
    close: async () => undefined,
  }
}

const holdLog = (log: EntityLog, touchedMs = 0): HeldLog => ({ ...log, touchedMs, metIn: 0 })

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

/**
 * Entries without a place that were delivered before see no more than lies before the log's next.
 */
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
    throw new LaneRefusedError('WEIR_ENRICH_STORE_UNSURE', lane.laneId, 'was never claimed here.')
  }
  if (lane.epoch !== fence.epoch) throw fencedError(lane.laneId, lane.epoch, fence)
  return fence.appliedOffset
}

function fencedError(laneId: number, epoch: number, fence: Fence | undefined): LaneRefusedError {
  const detail = `epoch ${epoch}, the store holds ${fence?.epoch ?? 'none'}.`
  return new LaneRefusedError('WEIR_ENRICH_FENCED', laneId, detail)
}

function raiseCommitted(fence: Fence, committedOffset: number): void {
  fence.committedOffset = Math.max(fence.committedOffset, committedOffset)
}

function raiseFence(lane: LaneSlice, fence: Fence): void {
  fence.appliedOffset = Math.max(fence.appliedOffset, lane.lastOffset)
  fence.frontierMs = Math.max(fence.frontierMs, lane.frontierMs)
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
function moveFrontier(
  { epoch, frontierMs, isIdle, committedOffset }: OwnFrontier,
  fence: Fence | undefined,
): void {
  if (fence?.epoch !== epoch) return
  raiseCommitted(fence, committedOffset)
  fence.frontierMs = Math.max(fence.frontierMs, frontierMs)
  fence.isIdle = isIdle
}
