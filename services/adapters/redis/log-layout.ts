// The bytes that pass between the scorer and the functions in weir-functions.lua: requests out,
// logs in. The layouts stand at the head of that file; both sides change together or not at all.
//
// Invariant: every number is a little-endian double unless the layout says otherwise, so offsets,
// times and values pass exactly (all are integers below 2^53, or doubles as they are).

import { limits } from '../../core/limits.ts'
import { appendRow, type EntityLog, type RowShape } from '../../pipeline/enrich/entity-log.ts'
import type { LaneWatermark, LogRecords } from '../../pipeline/enrich/log-store.ts'
import type { LaneSlice } from '../../pipeline/records.ts'
import type { CachedLog } from './log-cache.ts'

const REQUEST_HEAD_SIZE = 4 + 8 + 4 + 4 + 1 + 2 + 4
const LANE_SIZE = 2 + 6 * 8
const KEY_SIZE = 4 + 8 + 2 + 1 + 2
const RECORD_HEAD_SIZE = 16
const TOLD_SIZE = 4 + 4 + 8 + 8
const WATERMARK_SIZE = 32

/** Where the told logs begin in a reply, behind status, watermarks and applied offsets. */
export const TOLD_FROM = 3

export const recordSize = (shape: RowShape): number => RECORD_HEAD_SIZE + 8 * shape.values

/** One bucket's share of a batch: its logs, and how many bytes of records they get. */
export type BucketDraft = {
  readonly logs: CachedLog[]
  recordBytes: number
}

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
    REQUEST_HEAD_SIZE + lanes.length * LANE_SIZE + draft.logs.length * KEY_SIZE + draft.recordBytes,
  )
  let at = buffer.writeUInt32LE(frame.nonce, 0)
  at = buffer.writeDoubleLE(frame.retentionMs, at)
  at = buffer.writeUInt32LE(limits.entityRecordsKeptMax, at)
  at = buffer.writeUInt32LE(limits.entityRecordsKeptAfterTrim, at)
  at = buffer.writeUInt8(frame.wantsLanes ? 1 : 0, at)
  at = buffer.writeUInt16LE(lanes.length, at)
  at = buffer.writeUInt32LE(draft.logs.length, at)
  for (let i = 0; i < lanes.length; i++) {
    at = encodeLane(buffer, at, lanes[i]!, frame.appliedBefore[i]!)
  }
  for (const log of draft.logs) at = encodeLog(buffer, at, log, frame)
  return buffer
}

function encodeLane(buffer: Buffer, from: number, lane: LaneSlice, appliedBefore: number): number {
  let at = buffer.writeUInt16LE(lane.laneId, from)
  at = buffer.writeDoubleLE(lane.epoch, at)
  at = buffer.writeDoubleLE(appliedBefore, at)
  at = buffer.writeDoubleLE(lane.firstOffset, at)
  at = buffer.writeDoubleLE(lane.lastOffset, at)
  at = buffer.writeDoubleLE(lane.watermarkMs, at)
  return buffer.writeDoubleLE(lane.isIdle ? 1 : 0, at)
}

function encodeLog(buffer: Buffer, from: number, cached: CachedLog, frame: RequestFrame): number {
  const { records, nextEntries } = frame
  const { log } = cached
  let at = buffer.writeUInt32LE(cached.generation, from)
  at = buffer.writeDoubleLE(log.base + log.count, at)
  at = buffer.writeUInt16LE(recordSize(log.shape), at)
  at = buffer.writeUInt8(cached.needsExpiry ? 1 : 0, at)
  at = buffer.writeUInt16LE(cached.appendCount, at)
  for (let entry = cached.firstEntry; entry >= 0; entry = nextEntries[entry]!) {
    if (records.appends[entry] === 0) continue
    at = buffer.writeDoubleLE(records.eventTimesMs[entry]!, at)
    at = buffer.writeDoubleLE(records.sources[entry]!, at)
    const values = entry * records.valueStride
    for (let v = 0; v < log.shape.values; v++) {
      at = buffer.writeDoubleLE(records.values[values + v]!, at)
    }
  }
  return at
}

/** What the function says of a log that is not as the caller thought. */
export type ToldLog = {
  readonly place: number
  readonly generation: number
  readonly base: number
  /** Ordinal of the first record in the bytes that follow. */
  readonly from: number
}

export function decodeTold(bytes: Buffer): ToldLog {
  if (bytes.length !== TOLD_SIZE) throw new Error(`told log of ${bytes.length} bytes`)
  return {
    place: bytes.readUInt32LE(0),
    generation: bytes.readUInt32LE(4),
    base: bytes.readDoubleLE(8),
    from: bytes.readDoubleLE(16),
  }
}

/** Appends records as they are stored to a decoded log. */
export function decodeRecords(bytes: Buffer, log: EntityLog): void {
  const size = recordSize(log.shape)
  const values = new Float64Array(log.shape.values)
  for (let at = 0; at + size <= bytes.length; at += size) {
    for (let v = 0; v < values.length; v++) {
      values[v] = bytes.readDoubleLE(at + RECORD_HEAD_SIZE + 8 * v)
    }
    appendRow(log, bytes.readDoubleLE(at), bytes.readDoubleLE(at + 8), values, 0)
  }
}

/** The lanes' applied offsets before the call, in the request's order. */
export function decodeOffsets(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length / 8 }, (_, i) => bytes.readDoubleLE(8 * i))
}

export function decodeWatermarks(bytes: Buffer): LaneWatermark[] {
  const watermarks: LaneWatermark[] = []
  for (let at = 0; at < bytes.length; at += WATERMARK_SIZE) {
    watermarks.push({
      laneId: bytes.readDoubleLE(at),
      watermarkMs: bytes.readDoubleLE(at + 8),
      isIdle: bytes.readDoubleLE(at + 16) === 1,
      touchedMs: bytes.readDoubleLE(at + 24),
    })
  }
  return watermarks
}
