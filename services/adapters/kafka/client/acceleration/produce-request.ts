// Encodes a produce request (version 3; the later versions only change its number).
// In: the topics, partitions and messages of one request. Out: the same bytes as the stock encoder.
//
// The stock code makes a 512-byte buffer per record, BigInts per varint, and copies everything once
// per level. Here the sizes are summed first, then each record is written once into a buffer of the
// exact size. A record with headers or odd types is encoded by the stock record encoder.
//
//   partition int32 | set size int32 | base offset int64 | batch size int32 | leader epoch int32 |
//   magic int8 | crc uint32 | [ attributes int16 | last offset delta int32 | first and max timestamp
//   int64 | producer id int64 | producer epoch int16 | first sequence int32 | count int32 | records ]
//   The crc covers what stands in the brackets.

import { planRecords, type StockRecordEncoder, writeRecords } from './record-encoding.ts'
import { encoderOf } from './request-frame.ts'
import type { Codec, EncoderClass, LoadStock, OutgoingMessage } from './stock-modules.ts'
import { timestampRange } from './timestamp-range.ts'

type PartitionMessages = {
  readonly partition: number
  readonly firstSequence?: number
  readonly messages: readonly OutgoingMessage[]
}
type ProduceRequest = {
  readonly acks: number
  readonly timeout: number
  readonly transactionalId?: string | null
  readonly producerId?: unknown
  readonly producerEpoch?: number
  readonly compression?: number
  readonly topicData: readonly { topic: string; partitions: readonly PartitionMessages[] }[]
}
type Framed = { readonly apiKey: number; readonly encode: () => Promise<unknown> }
type Compression = {
  readonly Types: { readonly None: number }
  readonly COMPRESSION_CODEC_MASK: number
  lookupCodec(type: number): Codec
}

const transactionalMask = 16
const magicByte = 2
const headSize = 29 // partition up to and including the crc
const setSizeOverhead = 12 // base offset and batch size, which the batch size does not count
const crcPosition = 25

export function replaceProduceRequest(load: LoadStock) {
  const EncoderOfKafkajs = load<EncoderClass>('protocol/encoder.js')
  const checksum = load<(buffer: Buffer) => number>('protocol/recordBatch/crc32C/index.js')
  const encodeStockRecord = load<StockRecordEncoder>('protocol/recordBatch/record/v0/index.js')
  const compression = load<Compression>('protocol/message/compression/index.js')
  const stockRequest = load<(request: ProduceRequest) => Framed>(
    'protocol/requests/produce/v3/request.js',
  )

  const compress = async (request: ProduceRequest, records: Buffer): Promise<Buffer> => {
    const type = request.compression ?? compression.Types.None
    return type === compression.Types.None
      ? records
      : compression.lookupCodec(type).compress(encoderOf(EncoderOfKafkajs, records))
  }

  const encodePartition = async (request: ProduceRequest, data: PartitionMessages) => {
    const { partition, messages, firstSequence = 0 } = data
    const now = Date.now()
    const range = timestampRange(messages, now)
    const plan = planRecords(messages, range.first, now, encodeStockRecord)
    const records = await compress(request, writeRecords(messages, plan))
    const codecBits = (request.compression ?? 0) & compression.COMPRESSION_CODEC_MASK
    const attributes = new EncoderOfKafkajs(64)
      .writeInt16(codecBits | (request.transactionalId ? transactionalMask : 0))
      .writeInt32(messages.length - 1)
      .writeInt64(range.first)
      .writeInt64(range.max)
      .writeInt64(request.producerId ?? -1)
      .writeInt16(request.producerEpoch ?? 0)
      .writeInt32(firstSequence)
      .writeInt32(messages.length).buffer
    const bodySize = headSize + attributes.length + records.length
    const head = new EncoderOfKafkajs(headSize)
      .writeInt32(partition)
      .writeInt32(bodySize - 8)
      .writeInt64(0)
      .writeInt32(bodySize - 8 - setSizeOverhead)
      .writeInt32(0)
      .writeInt8(magicByte)
      .writeUInt32(0).buffer
    const encoded = Buffer.concat([head, attributes, records], bodySize)
    encoded.writeUInt32BE(checksum(encoded.subarray(headSize)), crcPosition)
    return encoded
  }

  const encode = async (request: ProduceRequest) => {
    const parts = [
      new EncoderOfKafkajs(64)
        .writeString(request.transactionalId ?? null)
        .writeInt16(request.acks)
        .writeInt32(request.timeout)
        .writeInt32(request.topicData.length).buffer,
    ]
    for (const { topic, partitions } of request.topicData) {
      parts.push(new EncoderOfKafkajs(64).writeString(topic).writeInt32(partitions.length).buffer)
      for (const data of partitions) parts.push(await encodePartition(request, data))
    }
    return encoderOf(EncoderOfKafkajs, Buffer.concat(parts))
  }

  return (request: ProduceRequest): Framed => ({
    ...stockRequest(request),
    encode: () => encode(request),
  })
}
