// The store's servers: buckets of entity logs with their fences, which may lose their tail.
//
// In: the calls of weir-functions.lua, bucket by bucket (claim, confirm, advance, touch, restore).
// Out: their answers. A server that was restarted believes nothing of what it holds until all lanes
// have said what they committed. It keeps to the rules of the Lua library, in objects instead of
// bytes; test/contract holds the real one to the same port.

import { hashToBucket } from '../../services/core/hash.ts'
import {
  appendRow,
  createEntityLog,
  type EntityLog,
  findRow,
  laneOfSource,
  offsetOfSource,
} from '../../services/pipeline/enrich/entity-log.ts'
import { type FoldPolicy, foldLog } from '../../services/pipeline/enrich/fold-log.ts'
import type {
  LaneFrontier,
  LogKind,
  LogRecords,
  OwnFrontier,
  StoreState,
} from '../../services/pipeline/enrich/log-store.ts'
import { copyTileTable } from '../../services/pipeline/enrich/tiles.ts'
import type { LaneSlice } from '../../services/pipeline/records.ts'
import type { VirtualTime } from './virtual-time.ts'

type FenceEntry = {
  epoch: number
  appliedOffset: number
  committedOffset: number
  frontierMs: number
  isIdle: boolean
  touchedMs: number
}

type Stored = {
  readonly logs: ReadonlyMap<string, EntityLog>
  readonly fence: ReadonlyMap<number, FenceEntry>
}

type Bucket = {
  logs: Map<string, EntityLog>
  fence: Map<number, FenceEntry>
  /** In the server's memory only: found whole since it began to answer. */
  isWhole: boolean
  /** Epoch with which each lane has spoken since then. */
  readonly confirmed: Map<number, number>
  lease: { readonly token: string; readonly untilMs: number } | null
  /** What a replica or a snapshot holds. */
  readonly kept: Stored[]
}

export type BucketAdvance = {
  readonly lanes: readonly LaneSlice[]
  readonly appliedBefore: readonly number[]
  readonly records: LogRecords
  /** Entries of the records that lie in this bucket. */
  readonly entries: readonly number[]
}

export type BucketReply =
  | {
      readonly status: 'OK'
      readonly logs: ReadonlyMap<number, EntityLog>
      readonly positions: ReadonlyMap<number, number>
      readonly visible: ReadonlyMap<number, number>
    }
  | { readonly status: 'FENCED' | 'LOST' | 'UNSURE'; readonly laneId: number }

const SNAPSHOTS = 8
const nameOf = (kind: number, key: string): string => `${kind}:${key}`

export class SimulatedStore {
  readonly bucketCount: number
  readonly #kinds: readonly LogKind[]
  readonly #policy: FoldPolicy
  readonly #time: VirtualTime
  readonly #buckets: Bucket[]
  awayUntilMs = 0
  /** Whether what was is kept, for restarts that fall back to it. */
  keepsSnapshots = false

  constructor(kinds: readonly LogKind[], count: number, policy: FoldPolicy, time: VirtualTime) {
    this.bucketCount = count
    this.#kinds = kinds
    this.#policy = policy
    this.#time = time
    this.#buckets = Array.from({ length: count }, () => ({
      logs: new Map(),
      fence: new Map(),
      isWhole: false,
      confirmed: new Map(),
      lease: null,
      kept: [],
    }))
  }

  isAway = (): boolean => this.#time.nowMs() < this.awayUntilMs
  bucketOf = (key: string): number => hashToBucket(key, this.bucketCount)

  claim(bucket: number, laneId: number, wanted: number, isExact: boolean) {
    const { fence } = this.#buckets[bucket]!
    const stored = fence.get(laneId) ?? newEntry()
    if (isExact && stored.epoch >= wanted) return { refusedAt: stored.epoch } as const
    const epoch = isExact ? wanted : Math.max(stored.epoch + 1, wanted)
    fence.set(laneId, { ...stored, epoch, isIdle: false, touchedMs: this.#time.nowMs() })
    const { appliedOffset, committedOffset } = stored
    return { refusedAt: null, epoch, appliedOffset, committedOffset } as const
  }

  confirm(
    bucketIndex: number,
    lane: { readonly laneId: number; readonly epoch: number; readonly committedOffset: number },
    laneIds: readonly number[],
  ): { readonly state: StoreState | 'fenced'; readonly appliedOffset: number } {
    const bucket = this.#buckets[bucketIndex]!
    const stored = bucket.fence.get(lane.laneId)
    if (stored?.epoch !== lane.epoch) return { state: 'fenced', appliedOffset: -1 }
    stored.committedOffset = Math.max(stored.committedOffset, lane.committedOffset)
    bucket.confirmed.set(lane.laneId, lane.epoch)
    const { appliedOffset } = stored
    if (appliedOffset >= stored.committedOffset - 1 && bucket.isWhole) {
      return { state: 'ready', appliedOffset }
    }
    bucket.isWhole = false
    const state = this.#judge(bucket, laneIds)
    if (state === 'ready') bucket.isWhole = true
    return { state, appliedOffset }
  }

  #judge({ fence, confirmed, lease }: Bucket, laneIds: readonly number[]): StoreState {
    if (lease !== null) return lease.untilMs > this.#time.nowMs() ? 'waiting' : 'lost'
    let isLost = false
    for (const laneId of laneIds) {
      const stored = fence.get(laneId)
      if (stored === undefined || confirmed.get(laneId) !== stored.epoch) return 'waiting'
      isLost ||= stored.appliedOffset < stored.committedOffset - 1
    }
    return isLost ? 'lost' : 'ready'
  }

  advance(bucketIndex: number, request: BucketAdvance): BucketReply {
    const bucket = this.#buckets[bucketIndex]!
    const { fence } = bucket
    const [first] = request.lanes
    if (!bucket.isWhole) return { status: 'UNSURE', laneId: first!.laneId }
    for (const [i, lane] of request.lanes.entries()) {
      const stored = fence.get(lane.laneId)
      if (stored !== undefined && stored.epoch > lane.epoch) {
        return { status: 'FENCED', laneId: lane.laneId }
      }
      const isLost =
        stored === undefined ||
        stored.epoch < lane.epoch ||
        stored.appliedOffset < request.appliedBefore[i]!
      if (isLost) {
        bucket.isWhole = false
        return { status: 'LOST', laneId: lane.laneId }
      }
    }
    if (this.keepsSnapshots) this.#keep(bucket)
    const reply = this.#append(bucket, request)
    for (const lane of request.lanes) raiseFence(fence.get(lane.laneId)!, lane, this.#time.nowMs())
    return reply
  }

  touch(bucketIndex: number, ours: readonly OwnFrontier[]): boolean {
    const bucket = this.#buckets[bucketIndex]!
    for (const { laneId, epoch, frontierMs, isIdle, committedOffset } of ours) {
      const stored = bucket.fence.get(laneId)
      if (stored?.epoch !== epoch) continue
      stored.frontierMs = Math.max(stored.frontierMs, frontierMs)
      stored.committedOffset = Math.max(stored.committedOffset, committedOffset)
      stored.isIdle = isIdle
      stored.touchedMs = this.#time.nowMs()
    }
    return bucket.isWhole
  }

  frontiers(): readonly LaneFrontier[] {
    return [...this.#buckets[0]!.fence].map(([laneId, { frontierMs, isIdle, touchedMs }]) => ({
      laneId,
      frontierMs,
      isIdle,
      touchedMs,
    }))
  }

  beginRestore(bucketIndex: number, token: string, leaseMs: number) {
    const bucket = this.#buckets[bucketIndex]!
    const nowMs = this.#time.nowMs()
    if (bucket.lease !== null && bucket.lease.token !== token && bucket.lease.untilMs > nowMs) {
      return null
    }
    bucket.lease = { token, untilMs: nowMs + leaseMs }
    bucket.isWhole = false
    return new Map(
      [...bucket.fence].map(([laneId, { appliedOffset, committedOffset }]) => [
        laneId,
        { appliedOffset, committedOffset },
      ]),
    )
  }

  /** false = somebody else holds the bucket meanwhile. */
  holds(bucketIndex: number, token: string, leaseMs: number): boolean {
    const bucket = this.#buckets[bucketIndex]!
    if (bucket.lease?.token !== token) return false
    bucket.lease = { token, untilMs: this.#time.nowMs() + leaseMs }
    return true
  }

  endRestore(bucketIndex: number, applied: ReadonlyMap<number, number>): void {
    const bucket = this.#buckets[bucketIndex]!
    for (const [laneId, offset] of applied) {
      const stored = bucket.fence.get(laneId) ?? newEntry()
      bucket.fence.set(laneId, {
        ...stored,
        appliedOffset: Math.max(stored.appliedOffset, offset),
      })
    }
    bucket.lease = null
  }

  readLog(bucketIndex: number, kind: number, key: string): EntityLog | null {
    const log = this.#buckets[bucketIndex]!.logs.get(nameOf(kind, key))
    return log === undefined ? null : copyLog(log)
  }

  writeLog(bucketIndex: number, kind: number, key: string, log: EntityLog): void {
    this.#buckets[bucketIndex]!.logs.set(nameOf(kind, key), copyLog(log))
  }

  /**
   * The bucket's server is a new one; what it holds is what was kept some advances ago, or nothing.
   */
  restart(bucketIndex: number, stepsBack: number | 'wiped'): void {
    const bucket = this.#buckets[bucketIndex]!
    bucket.isWhole = false
    bucket.confirmed.clear()
    if (stepsBack === 0) return
    const stored = stepsBack === 'wiped' ? undefined : bucket.kept.at(-stepsBack)
    bucket.kept.length = 0
    bucket.lease = null
    bucket.logs = new Map([...(stored?.logs ?? [])].map(([name, log]) => [name, copyLog(log)]))
    bucket.fence = new Map([...(stored?.fence ?? [])].map(([id, entry]) => [id, { ...entry }]))
  }

  #keep({ kept, logs, fence }: Bucket): void {
    kept.push({
      logs: new Map([...logs].map(([name, log]) => [name, copyLog(log)])),
      fence: new Map([...fence].map(([id, entry]) => [id, { ...entry }])),
    })
    if (kept.length > SNAPSHOTS) kept.shift()
  }

  #append(bucket: Bucket, { records, entries }: BucketAdvance): BucketReply {
    const positions = new Map<number, number>()
    const visible = new Map<number, number>()
    const met = new Map<string, EntityLog>()
    const logOf = (entry: number): EntityLog =>
      met.get(nameOf(records.kinds[entry]!, records.keys[entry]!))!
    for (const entry of entries) {
      const name = nameOf(records.kinds[entry]!, records.keys[entry]!)
      if (met.has(name)) continue
      const { shape, history } = this.#kinds[records.kinds[entry]!]!
      const log = bucket.logs.get(name) ?? createEntityLog(shape)
      const isCommitted = (source: number): boolean =>
        offsetOfSource(source) < (bucket.fence.get(laneOfSource(source))?.committedOffset ?? 0)
      foldLog(log, history, isCommitted, this.#policy)
      met.set(name, log)
    }
    const wasApplied = (entry: number): boolean => {
      const source = records.sources[entry]!
      return offsetOfSource(source) <= bucket.fence.get(laneOfSource(source))!.appliedOffset
    }
    for (const entry of entries) {
      const log = logOf(entry)
      const isAppended = records.appends[entry] === 1
      if (isAppended) {
        positions.set(entry, placeRow(log, entry, records, wasApplied(entry)))
        bucket.logs.set(nameOf(records.kinds[entry]!, records.keys[entry]!), log)
      }
      visible.set(entry, isAppended ? positions.get(entry)! : log.count)
    }
    showAgain({ records, entries, positions, visible, logOf, wasApplied })
    const copies = new Map([...met.values()].map((log) => [log, copyLog(log)]))
    const logs = new Map(entries.map((entry) => [entry, copies.get(logOf(entry))!]))
    return { status: 'OK', logs, positions, visible }
  }
}

type Shown = {
  readonly records: LogRecords
  readonly entries: readonly number[]
  readonly positions: ReadonlyMap<number, number>
  readonly visible: Map<number, number>
  readonly logOf: (entry: number) => EntityLog
  readonly wasApplied: (entry: number) => boolean
}

/**
 * Entries without a place that were delivered before see no more than lies before the log's next.
 */
function showAgain({ entries, positions, visible, logOf, wasApplied }: Shown): void {
  for (const [i, entry] of entries.entries()) {
    if (positions.has(entry) || !wasApplied(entry)) continue
    const next = entries
      .slice(i + 1)
      .find((later) => logOf(later) === logOf(entry) && (positions.get(later) ?? -1) >= 0)
    visible.set(entry, next === undefined ? logOf(entry).count : positions.get(next)!)
  }
}

function placeRow(
  log: EntityLog,
  entry: number,
  { eventTimesMs, sources, values, valueStride }: LogRecords,
  wasApplied: boolean,
): number {
  const source = sources[entry]!
  return wasApplied
    ? findRow(log, source)
    : appendRow(log, eventTimesMs[entry]!, source, values, entry * valueStride)
}

function raiseFence(stored: FenceEntry, lane: LaneSlice, nowMs: number): void {
  stored.appliedOffset = Math.max(stored.appliedOffset, lane.lastOffset)
  stored.committedOffset = Math.max(stored.committedOffset, lane.committedOffset)
  stored.frontierMs = Math.max(stored.frontierMs, lane.frontierMs)
  stored.isIdle = lane.isIdle
  stored.touchedMs = nowMs
}

const newEntry = (): FenceEntry => ({
  epoch: 0,
  appliedOffset: -1,
  committedOffset: 0,
  frontierMs: -1,
  isIdle: false,
  touchedMs: 0,
})

const copyLog = (log: EntityLog): EntityLog => ({
  ...log,
  rows: log.rows.slice(),
  tiles: log.tiles.map(copyTileTable),
})
