// Groups the messages of one topic by partition. In: messages and a partitioner. Out: a plain
// object from partition to its messages in the order given.
//
// The stock function copies the array once per message, which is quadratic in the batch; this one
// appends. Invariant: the partitioner is asked once per message, in order, as before.

import type { OutgoingMessage } from './stock-modules.ts'

type Grouping<Metadata> = {
  readonly topic: string
  readonly partitionMetadata: readonly Metadata[]
  readonly messages: readonly OutgoingMessage[]
  readonly partitioner: (asked: {
    topic: string
    partitionMetadata: readonly Metadata[]
    message: OutgoingMessage
  }) => number
}

export const replaceGroupMessages = () => groupMessagesPerPartition

function groupMessagesPerPartition<Metadata>(grouping: Grouping<Metadata>) {
  const { topic, partitionMetadata, messages, partitioner } = grouping
  const grouped: Record<number, OutgoingMessage[]> = {}
  if (partitionMetadata.length === 0) return grouped
  for (const message of messages) {
    const partition = partitioner({ topic, partitionMetadata, message })
    const group = grouped[partition]
    if (group === undefined) grouped[partition] = [message]
    else group.push(message)
  }
  return grouped
}
