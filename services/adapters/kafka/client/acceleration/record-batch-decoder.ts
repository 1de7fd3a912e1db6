// Decodes one fetched record batch. In: kafkajs' decoder, standing before the batch. Out: the batch
// with its records, equal to the stock decoder's, field for field.
//
// The stock code slices every record, adds 64-bit numbers as BigInts and folds headers by copying.
// Here records are read in place with plain numbers; a record with headers, or a number beyond 51
// bits, is handed to the stock record decoder. Keys and values stay views of the fetched buffer.
// A batch that cannot be read becomes one message that says so (unreadable-batch.ts): the stock
// code would throw, and end the consumer at the same batch again and again.
//
//   base offset int64 | size int32 | leader epoch int32 | magic int8 | crc int32 | attributes int16 |
//   last offset delta int32 | first and max timestamp int64 | producer id int64 | producer epoch
//   int16 | first sequence int32 | count int32 | records, compressed as attributes say

import { limits } from '../../../../core/limits.ts'
import {
  type BatchContext,
  type IncomingMessage,
  readRecords,
  type StockRecordDecoder,
} from './record-decoding.ts'
import type { Codec, Decoder, DecoderClass, LoadStock } from './stock-modules.ts'
import { demandCount, unreadableBatch } from './unreadable-batch.ts'

type Errors = { readonly KafkaJSPartialMessageError: new (message: string) => Error }
type TimestampTypes = { readonly CREATE_TIME: number; readonly LOG_APPEND_TIME: number }
type Compression = { lookupCodecByAttributes(attributes: number): Codec | null }

const timestampTypeFlag = 0x8
const transactionalFlag = 0x10
const controlFlag = 0x20
const HEAD_SIZE = 12 // base offset and size, which the size does not count

export function replaceRecordBatchDecoder(load: LoadStock) {
  const DecoderOfKafkajs = load<DecoderClass>('protocol/decoder.js')
  const decodeStockRecord = load<StockRecordDecoder>('protocol/recordBatch/record/v0/decoder.js')
  const timestampTypes = load<TimestampTypes>('protocol/timestampTypes.js')
  const { lookupCodecByAttributes } = load<Compression>('protocol/message/compression/index.js')
  const { KafkaJSPartialMessageError } = load<Errors>('errors.js')

  const readStockRecord = (record: Buffer, context: BatchContext) =>
    decodeStockRecord(new DecoderOfKafkajs(record), context)

  const readContext = (decoder: Decoder, firstOffset: string) => {
    const partitionLeaderEpoch = decoder.readInt32()
    const magicByte = decoder.readInt8()
    decoder.forward(4) // the crc; stock kafkajs does not verify it either
    const attributes = decoder.readInt16()
    const lastOffsetDelta = decoder.readInt32()
    const firstTimestamp = decoder.readInt64().toString()
    const maxTimestamp = decoder.readInt64().toString()
    const isAppendTime = (attributes & timestampTypeFlag) > 0
    const context = {
      firstOffset,
      firstTimestamp,
      partitionLeaderEpoch,
      inTransaction: (attributes & transactionalFlag) > 0,
      isControlBatch: (attributes & controlFlag) > 0,
      lastOffsetDelta,
      producerId: decoder.readInt64().toString(),
      producerEpoch: decoder.readInt16(),
      firstSequence: decoder.readInt32(),
      maxTimestamp,
      timestampType: isAppendTime ? timestampTypes.LOG_APPEND_TIME : timestampTypes.CREATE_TIME,
    }
    const appendTimestamp = isAppendTime ? maxTimestamp : undefined
    return { context, magicByte, appendTimestamp, codec: lookupCodecByAttributes(attributes) }
  }

  /** By the fetch of one partition: what its batches have unpacked to. */
  const unpackedBytes = new WeakMap<Decoder, number>()

  const unpack = async (codec: Codec | null, decoder: Decoder, count: number): Promise<Buffer> => {
    if (codec === null) return decoder.buffer.subarray(decoder.offset)
    return count > 0 ? codec.decompress(decoder.readAll()) : Buffer.alloc(0)
  }

  return async (fetchDecoder: Decoder) => {
    const start = fetchDecoder.offset
    const firstOffset = fetchDecoder.readInt64().toString()
    const length = fetchDecoder.readInt32()
    const decoder = fetchDecoder.slice(length)
    fetchDecoder.forward(length)
    if (decoder.buffer.length < length) {
      throw new KafkaJSPartialMessageError(
        `Tried to decode a partial record batch: remainingBytes(${decoder.buffer.length}) < recordBatchLength(${length})`,
      )
    }
    const spent = unpackedBytes.get(fetchDecoder) ?? 0
    if (spent > limits.fetchUnpackedBytesMax) {
      throw new KafkaJSPartialMessageError('The fetch has unpacked to enough; the rest comes next')
    }
    const { context, magicByte, appendTimestamp, codec } = readContext(decoder, firstOffset)
    const batchContext: BatchContext = { ...context, magicByte }
    let records: IncomingMessage[]
    try {
      const count = Math.max(decoder.readInt32(), 0)
      const buffer = await unpack(codec, decoder, count)
      demandCount(count, buffer.length)
      if (codec !== null) unpackedBytes.set(fetchDecoder, spent + buffer.length)
      records = readRecords({ buffer, count, appendTimestamp, readStockRecord }, batchContext)
    } catch (cause) {
      const bytes = fetchDecoder.buffer.subarray(start, start + HEAD_SIZE + length)
      records = [unreadableBatch(bytes, { ...batchContext, ...context }, cause as Error)]
    }
    return { ...context, records }
  }
}
