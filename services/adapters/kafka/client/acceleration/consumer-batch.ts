// What a consumer is handed for one partition of one fetch. In: topic, fetched offset, decoded
// messages. Out: kafkajs' Batch with the same methods and fields.
//
// The stock constructor turns every offset into a BigInt to drop messages before the fetched
// offset; plain numbers do for offsets of up to 15 digits. Aborted and control messages are
// dropped as before, by the stock filter.

import type { LoadStock } from './stock-modules.ts'

type FetchedMessage = { readonly offset: string; readonly isControlRecord?: boolean }
type PartitionData = {
  readonly partition: number
  readonly highWatermark: string
  readonly abortedTransactions?: readonly object[]
  readonly messages: readonly FetchedMessage[]
}
type Batch = {
  fetchedOffset: unknown
  topic: string
  partition: number
  highWatermark: string
  rawMessages: readonly FetchedMessage[]
  messagesWithinOffset: readonly FetchedMessage[]
  messages: readonly FetchedMessage[]
}
type BatchClass = new (topic: string, fetchedOffset: unknown, data: PartitionData) => Batch
type FilterAborted = (fetched: {
  messages: readonly FetchedMessage[]
  abortedTransactions: readonly object[] | undefined
}) => readonly FetchedMessage[]

const digitsMax = 15

export function replaceConsumerBatch(load: LoadStock) {
  const StockBatch = load<BatchClass>('consumer/batch.js')
  const filterAbortedMessages = load<FilterAborted>('consumer/filterAbortedMessages.js')

  function AcceleratedBatch(
    this: Batch,
    topic: string,
    fetchedOffset: unknown,
    data: PartitionData,
  ) {
    const { messages, abortedTransactions } = data
    if (!areShort(fetchedOffset, messages)) return new StockBatch(topic, fetchedOffset, data)
    const firstOffset = Number(fetchedOffset)
    this.fetchedOffset = fetchedOffset
    this.topic = topic
    this.partition = data.partition
    this.highWatermark = data.highWatermark
    this.rawMessages = messages
    this.messagesWithinOffset = messages.filter(({ offset }) => Number(offset) >= firstOffset)
    this.messages = filterAbortedMessages({
      messages: this.messagesWithinOffset,
      abortedTransactions,
    }).filter(({ isControlRecord }) => !isControlRecord)
    return this
  }
  AcceleratedBatch.prototype = StockBatch.prototype
  return AcceleratedBatch
}

const areShort = (fetchedOffset: unknown, messages: readonly FetchedMessage[]): boolean =>
  typeof fetchedOffset === 'string' &&
  fetchedOffset.length <= digitsMax &&
  messages.every(({ offset }) => offset.length <= digitsMax)
