// Reads the records of one batch in place. In: the records' bytes, how many there are, and the
// batch's context. Out: messages as kafkajs hands them to a consumer; offsets and timestamps are
// text there, and stay text here.
//
//   size varint | attributes int8 | timestamp delta varint | offset delta varint |
//   key size varint | key | value size varint | value | header count varint | headers
//
// Refused with UnpackFault: records that reach beyond the bytes. A record that is not plain goes to
// the stock decoder, with what it does about it.

import type { UnreadableBatch } from '../../../../pipeline/records.ts'
import { UnpackFault } from '../unpack-fault.ts'
import { varintMagnitudeMax } from './varint.ts'

export type BatchContext = {
  readonly firstOffset: string
  readonly firstTimestamp: string
  readonly isControlBatch: boolean
  readonly magicByte: number
}

export type IncomingMessage = {
  readonly magicByte: number
  readonly attributes: number
  readonly timestamp: string
  readonly offset: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: object
  readonly isControlRecord: boolean
  readonly batchContext: BatchContext
  /** Set where the message stands for a whole batch that cannot be read. */
  readonly unreadable?: UnreadableBatch
}

export type StockRecordDecoder = (decoder: object, context: BatchContext) => IncomingMessage

type RecordSource = {
  readonly buffer: Buffer
  readonly count: number
  /** Set where the broker stamped the batch: every record then has this timestamp. */
  readonly appendTimestamp: string | undefined
  readonly readStockRecord: (record: Buffer, context: BatchContext) => IncomingMessage
}

const varintBytesMax = 7 // 49 bits: up to here a value adds up exactly in a double

export function readRecords(source: RecordSource, context: BatchContext): IncomingMessage[] {
  const messages = new Array<IncomingMessage>(source.count)
  const reader = new RecordReader(source, context)
  for (let index = 0; index < source.count; index++) messages[index] = reader.next()
  return messages
}

/** A position in the records' bytes; a class because the position is shared by every read. */
class RecordReader {
  private at = 0
  private readonly buffer: Buffer
  private readonly source: RecordSource
  private readonly context: BatchContext
  private readonly firstOffset: number
  private readonly firstTimestamp: number
  private readonly hasPlainBases: boolean
  private lastDelta = Number.NaN
  private lastTimestamp = ''

  constructor(source: RecordSource, context: BatchContext) {
    this.buffer = source.buffer
    this.source = source
    this.context = context
    this.firstOffset = Number(context.firstOffset)
    this.firstTimestamp = Number(context.firstTimestamp)
    this.hasPlainBases =
      Math.abs(this.firstOffset) < varintMagnitudeMax &&
      Math.abs(this.firstTimestamp) < varintMagnitudeMax
  }

  next(): IncomingMessage {
    const size = this.readVarint()
    const start = this.at
    // Not so for a size that is no number, which is what is read behind the end.
    if (!(size >= 0 && start + size <= this.buffer.length)) {
      throw new UnpackFault(`a record of ${size} bytes at byte ${start} of ${this.buffer.length}`)
    }
    const message = this.hasPlainBases ? this.readPlain() : undefined
    this.at = start + size
    return (
      message ??
      this.source.readStockRecord(this.buffer.subarray(start, start + size), this.context)
    )
  }

  /** Nothing where the record has headers or a number that is too large. */
  private readPlain(): IncomingMessage | undefined {
    const { context, source } = this
    const attributes = (this.buffer[this.at++]! << 24) >> 24
    const timestampDelta = this.readVarint()
    const offsetDelta = this.readVarint()
    const key = this.readBytes()
    const value = this.readBytes()
    const headerCount = this.readVarint()
    if (headerCount !== 0 || Number.isNaN(timestampDelta)) return undefined
    return {
      magicByte: context.magicByte,
      attributes,
      timestamp: source.appendTimestamp ?? this.timestampOf(timestampDelta),
      offset: String(this.firstOffset + offsetDelta),
      key,
      value,
      headers: {},
      isControlRecord: context.isControlBatch,
      batchContext: context,
    }
  }

  /** Neighbours often share a timestamp, and making the text is what costs. */
  private timestampOf(delta: number): string {
    if (delta !== this.lastDelta) {
      this.lastDelta = delta
      this.lastTimestamp = String(this.firstTimestamp + delta)
    }
    return this.lastTimestamp
  }

  private readBytes(): Buffer | null {
    const size = this.readVarint()
    if (size === -1) return null
    const start = this.at
    this.at = start + size
    return this.buffer.subarray(start, this.at)
  }

  /** NaN for a number of more than 49 bits. */
  private readVarint(): number {
    const { buffer } = this
    let byte = buffer[this.at++]!
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1)
    let value = byte & 0x7f
    let factor = 0x80
    for (let count = 2; byte >= 0x80; count++) {
      if (count > varintBytesMax) return Number.NaN
      byte = buffer[this.at++]!
      value += (byte & 0x7f) * factor
      factor *= 0x80
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }
}
