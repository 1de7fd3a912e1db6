// Encodes the records of one batch into one buffer of the exact size, in two passes: plan, write.
// In: messages as the caller gave them. Out: the records' bytes, equal to the stock encoder's.
//
//   size varint | attributes int8 = 0 | timestamp delta varint | offset delta varint |
//   key size varint | key | value size varint | value | header count varint = 0
//
// A null key or value has size -1 and no bytes. Whatever this layout does not cover (headers, odd
// types, deltas beyond 51 bits) is encoded by the stock code, which also throws for what is wrong.

import type { OutgoingMessage } from './stock-modules.ts'
import { sizeOfVarint, varintMagnitudeMax, writeVarint } from './varint.ts'

export type StockRecordEncoder = (record: object) => { readonly buffer: Buffer }

type RecordPlan = {
  readonly bytes: number
  readonly bodySizes: Int32Array
  readonly timestampDeltas: Float64Array
  /** Records by index that the stock encoder made. */
  readonly stockRecords: ReadonlyMap<number, Buffer>
}

type PlainBytes = Buffer | string | null | undefined

const isPlainBytes = (bytes: unknown): bytes is PlainBytes =>
  bytes == null || typeof bytes === 'string' || Buffer.isBuffer(bytes)

const isWithoutHeaders = (headers: unknown): boolean =>
  headers === undefined ||
  (typeof headers === 'object' && headers !== null && Object.keys(headers).length === 0)

const sizeOfBytes = (bytes: PlainBytes): number =>
  bytes == null ? -1 : typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.length

export function planRecords(
  messages: readonly OutgoingMessage[],
  firstTimestamp: unknown,
  nowMs: number,
  encodeStockRecord: StockRecordEncoder,
): RecordPlan {
  const bodySizes = new Int32Array(messages.length)
  const timestampDeltas = new Float64Array(messages.length)
  const stockRecords = new Map<number, Buffer>()
  let bytes = 0
  for (let index = 0; index < messages.length; index++) {
    const message = messages[index]!
    // As in the stock code: text counts as a number here, and a timestamp of 0 as none.
    const delta = ((message.timestamp || nowMs) as number) - (firstTimestamp as number)
    if (isPlain(message, delta)) {
      const size = sizeOfBody(message, delta, index)
      bodySizes[index] = size
      timestampDeltas[index] = delta
      bytes += sizeOfVarint(size) + size
    } else {
      const record = { ...message, offsetDelta: index, timestampDelta: delta }
      const encoded = encodeStockRecord(record).buffer
      stockRecords.set(index, encoded)
      bytes += encoded.length
    }
  }
  return { bytes, bodySizes, timestampDeltas, stockRecords }
}

type PlainMessage = { readonly key: PlainBytes; readonly value: PlainBytes }

const isPlain = (
  message: OutgoingMessage,
  delta: number,
): message is OutgoingMessage & PlainMessage =>
  isPlainBytes(message.key) &&
  isPlainBytes(message.value) &&
  isWithoutHeaders(message.headers) &&
  Number.isInteger(delta) &&
  Math.abs(delta) < varintMagnitudeMax

function sizeOfBody({ key, value }: PlainMessage, delta: number, index: number): number {
  const keySize = sizeOfBytes(key)
  const valueSize = sizeOfBytes(value)
  const attributesAndHeaderCount = 2
  return (
    attributesAndHeaderCount +
    sizeOfVarint(delta) +
    sizeOfVarint(index) +
    sizeOfVarint(keySize) +
    Math.max(keySize, 0) +
    sizeOfVarint(valueSize) +
    Math.max(valueSize, 0)
  )
}

export function writeRecords(messages: readonly OutgoingMessage[], plan: RecordPlan): Buffer {
  const buffer = Buffer.allocUnsafe(plan.bytes)
  let at = 0
  for (let index = 0; index < messages.length; index++) {
    const encoded = plan.stockRecords.get(index)
    if (encoded !== undefined) {
      at += encoded.copy(buffer, at)
      continue
    }
    const { key, value } = messages[index] as PlainMessage
    at = writeVarint(buffer, at, plan.bodySizes[index]!)
    buffer[at++] = 0
    at = writeVarint(buffer, at, plan.timestampDeltas[index]!)
    at = writeVarint(buffer, at, index)
    at = writeBytes(buffer, at, key)
    at = writeBytes(buffer, at, value)
    buffer[at++] = 0
  }
  return buffer
}

function writeBytes(buffer: Buffer, position: number, bytes: PlainBytes): number {
  const size = sizeOfBytes(bytes)
  const at = writeVarint(buffer, position, size)
  if (bytes == null) return at
  if (typeof bytes === 'string') buffer.write(bytes, at, size)
  else buffer.set(bytes, at)
  return at + size
}
