// A whole log as Redis stores it, for putting lost state back. The layout stands at the head of
// weir-functions.lua; in the hot path logs are only ever extended there.
//
// Invariant: decoding what was encoded gives the same rows, tiles and ordinals.

import {
  type EntityLog,
  emptyLog,
  SOURCE,
  TIME,
  VALUES,
} from '../../../pipeline/enrich/entity-log.ts'
import type { LogHistory } from '../../../pipeline/enrich/fold-log.ts'
import { decodeFoldedPart, encodeFoldedPart, viewOf } from './folded-part.ts'
import { decodeRecords, RECORD_HEAD_SIZE, recordSize } from './log-layout.ts'

const HEADER_SIZE = 16
export const LAYOUT_VERSION = 2

export function encodeStoredLog(log: EntityLog, history: LogHistory, generation: number): Buffer {
  const { shape, rows, stride, count } = log
  const isFolded = log.base > 0 || log.tiles.length > 0
  const part = isFolded ? encodeFoldedPart(log, history) : Buffer.alloc(0)
  const foldedSize = isFolded ? 4 + part.length : 0
  const size = recordSize(shape)
  const bytes = Buffer.alloc(HEADER_SIZE + foldedSize + count * size)
  const view = viewOf(bytes)
  view.setUint8(0, LAYOUT_VERSION)
  view.setUint8(1, isFolded ? 1 : 0)
  view.setUint16(2, shape.values, true)
  view.setUint32(4, generation, true)
  view.setFloat64(8, log.base, true)
  if (isFolded) {
    view.setUint32(HEADER_SIZE, part.length, true)
    part.copy(bytes, HEADER_SIZE + 4)
  }
  let at = HEADER_SIZE + foldedSize
  for (let row = 0; row < count; row++, at += size) {
    const from = row * stride
    view.setFloat64(at, rows[from + TIME]!, true)
    view.setFloat64(at + 8, rows[from + SOURCE]!, true)
    for (let v = 0; v < shape.values; v++) {
      view.setFloat64(at + RECORD_HEAD_SIZE + 8 * v, rows[from + VALUES + v]!, true)
    }
  }
  return bytes
}

/** Fills a log with what Redis stores of it. */
export function decodeStoredLog(bytes: Buffer, log: EntityLog, history: LogHistory): void {
  const version = bytes.readUInt8(0)
  if (version !== LAYOUT_VERSION) throw new Error(`stored log of layout version ${version}`)
  emptyLog(log, bytes.readDoubleLE(8))
  const isFolded = bytes.readUInt8(1) === 1
  const foldedBytes = isFolded ? bytes.readUInt32LE(HEADER_SIZE) : 0
  const rowsFrom = HEADER_SIZE + (isFolded ? 4 + foldedBytes : 0)
  if (isFolded) decodeFoldedPart(bytes.subarray(HEADER_SIZE + 4, rowsFrom), log, history)
  decodeRecords(bytes.subarray(rowsFrom), log)
}
