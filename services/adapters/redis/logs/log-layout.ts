// The bytes that pass between the scorer and the functions in weir-functions.lua: requests out,
// logs in. The layouts stand at the head of that file; both sides change together or not at all.
//
// Invariant: every number is a little-endian double unless the layout says otherwise, so offsets,
// times and values pass exactly (all are integers below 2^53, or doubles as they are).

import { appendRow, type EntityLog, type RowShape } from '../../../pipeline/enrich/entity-log.ts'
import type { LaneFrontier, LogRecords, OwnFrontier } from '../../../pipeline/enrich/log-store.ts'
import type { LaneSlice } from '../../../pipeline/records.ts'
import { viewOf } from './folded-part.ts'
import type { CachedLog, Fold } from './log-cache.ts'

const REQUEST_HEAD_SIZE = 4 + 8 + 1 + 2 + 4
const LANE_SIZE = 2 + 7 * 8
const KEY_SIZE = 4 + 8 + 2 + 1 + 2
const FOLD_HEAD_SIZE = 8 + 8 + 4
export const RECORD_HEAD_SIZE = 16
const TOLD_SIZE = 4 + 4 + 8 + 4
const FRONTIER_SIZE = 40
const NOTHING_FOLDED_TOLD = 2 ** 32 - 1

const REFRESH_EXPIRY = 1
const FOLD = 2

/** Where the told logs begin in a reply, behind status, frontiers and applied offsets. */
export const TOLD_FROM = 3

export const recordSize = (shape: RowShape): number => RECORD_HEAD_SIZE + 8 * shape.values

/** One bucket's share of a batch: its logs, and how many bytes of records they get. */
export type BucketDraft = {
  readonly logs: CachedLog[]
  recordBytes: number
  /** Of the logs that are folded with this batch. */
  foldBytes: number
}

export const foldSize = ({ part }: Fold): number => FOLD_HEAD_SIZE + part.length

export type RequestFrame = {
  readonly nonce: number
  readonly retentionMs: number
  readonly wantsLanes: boolean
  readonly lanes: readonly LaneSlice[]
  readonly appliedBefore: readonly number[]
  readonly records: LogRecords
  /** Next entry of the same log within the batch; -1 at its end. */
  readonly nextEntries: Int32Array
}

export function encodeAdvance(draft: BucketDraft, frame: RequestFrame): Buffer {
  const { lanes } = frame
  const buffer = Buffer.allocUnsafe(
    REQUEST_HEAD_SIZE +
      lanes.length * LANE_SIZE +
      draft.logs.length * KEY_SIZE +
      draft.foldBytes +
      draft.recordBytes,
  )
  // A DataView's setters are compiled in place, Buffer's are called: this is the hot path.
  const view = viewOf(buffer)
  view.setUint32(0, frame.nonce, true)
  view.setFloat64(4, frame.retentionMs, true)
  view.setUint8(12, frame.wantsLanes ? 1 : 0)
  view.setUint16(13, lanes.length, true)
  view.setUint32(15, draft.logs.length, true)
  let at = REQUEST_HEAD_SIZE
  for (let i = 0; i < lanes.length; i++) {
    encodeLane(view, at, lanes[i]!, frame.appliedBefore[i]!)
    at += LANE_SIZE
  }
  for (const log of draft.logs) at = encodeLog(view, at, log, frame)
  return buffer
}

function encodeLane(view: DataView, at: number, lane: LaneSlice, appliedBefore: number): void {
  view.setUint16(at, lane.laneId, true)
  view.setFloat64(at + 2, lane.epoch, true)
  view.setFloat64(at + 10, appliedBefore, true)
  view.setFloat64(at + 18, lane.firstOffset, true)
  view.setFloat64(at + 26, lane.lastOffset, true)
  view.setFloat64(at + 34, lane.frontierMs, true)
  view.setFloat64(at + 42, lane.isIdle ? 1 : 0, true)
  view.setFloat64(at + 50, lane.committedOffset, true)
}

/** Returns where the next log begins. */
function encodeLog(view: DataView, from: number, cached: CachedLog, frame: RequestFrame): number {
  const { eventTimesMs, sources, values, valueStride, appends } = frame.records
  const { log } = cached
  const width = log.shape.values
  view.setUint32(from, cached.generation, true)
  view.setFloat64(from + 4, log.base + log.count, true)
  view.setUint16(from + 12, recordSize(log.shape), true)
  const { fold } = cached
  view.setUint8(from + 14, (cached.needsExpiry ? REFRESH_EXPIRY : 0) + (fold === null ? 0 : FOLD))
  view.setUint16(from + 15, cached.appendCount, true)
  let at = from + KEY_SIZE
  if (fold !== null) at = encodeFold(view, at, fold, log.base)
  for (let entry = cached.firstEntry; entry >= 0; entry = frame.nextEntries[entry]!) {
    if (appends[entry] === 0) continue
    view.setFloat64(at, eventTimesMs[entry]!, true)
    view.setFloat64(at + 8, sources[entry]!, true)
    at += RECORD_HEAD_SIZE
    for (let v = 0; v < width; v++, at += 8) {
      view.setFloat64(at, values[entry * valueStride + v]!, true)
    }
  }
  return at
}

function encodeFold(view: DataView, at: number, { knownBase, part }: Fold, base: number): number {
  view.setFloat64(at, knownBase, true)
  view.setFloat64(at + 8, base, true)
  view.setUint32(at + 16, part.length, true)
  new Uint8Array(view.buffer, view.byteOffset + at + FOLD_HEAD_SIZE, part.length).set(part)
  return at + FOLD_HEAD_SIZE + part.length
}

/** What the function says of a log that is not as the caller thought. */
type ToldLog = {
  readonly place: number
  readonly generation: number
  /** Ordinal of the first record in the bytes that follow. */
  readonly from: number
  /** Bytes of the folded part before the records; null where only newer records are told. */
  readonly foldedBytes: number | null
}

export function decodeTold(bytes: Buffer): ToldLog {
  if (bytes.length !== TOLD_SIZE) throw new Error(`told log of ${bytes.length} bytes`)
  const foldedBytes = bytes.readUInt32LE(16)
  return {
    place: bytes.readUInt32LE(0),
    generation: bytes.readUInt32LE(4),
    from: bytes.readDoubleLE(8),
    foldedBytes: foldedBytes === NOTHING_FOLDED_TOLD ? null : foldedBytes,
  }
}

/** Appends records as they are stored to a decoded log. */
export function decodeRecords(bytes: Buffer, log: EntityLog): void {
  const view = viewOf(bytes)
  const size = recordSize(log.shape)
  const values = new Float64Array(log.shape.values)
  for (let at = 0; at + size <= bytes.length; at += size) {
    for (let v = 0; v < values.length; v++) {
      values[v] = view.getFloat64(at + RECORD_HEAD_SIZE + 8 * v, true)
    }
    appendRow(log, view.getFloat64(at, true), view.getFloat64(at + 8, true), values, 0)
  }
}

/** The lanes' applied offsets before the call, in the request's order. */
export function decodeOffsets(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length / 8 }, (_, i) => bytes.readDoubleLE(8 * i))
}

/** Our lanes for touch: lane, epoch, frontier, idle and committed, a double each. */
export function encodeFrontiers(ours: readonly OwnFrontier[]): Buffer {
  const columns = ours.flatMap((lane) => [
    lane.laneId,
    lane.epoch,
    lane.frontierMs,
    lane.isIdle ? 1 : 0,
    lane.committedOffset,
  ])
  const buffer = Buffer.allocUnsafe(columns.length * 8)
  columns.forEach((value, i) => {
    buffer.writeDoubleLE(value, i * 8)
  })
  return buffer
}

/** With what the lane had committed when it last spoke. */
export type HeardFrontier = LaneFrontier & { readonly committedOffset: number }

export function decodeFrontiers(bytes: Buffer): HeardFrontier[] {
  const frontiers: HeardFrontier[] = []
  for (let at = 0; at < bytes.length; at += FRONTIER_SIZE) {
    frontiers.push({
      laneId: bytes.readDoubleLE(at),
      frontierMs: bytes.readDoubleLE(at + 8),
      isIdle: bytes.readDoubleLE(at + 16) === 1,
      touchedMs: bytes.readDoubleLE(at + 24),
      committedOffset: bytes.readDoubleLE(at + 32),
    })
  }
  return frontiers
}
