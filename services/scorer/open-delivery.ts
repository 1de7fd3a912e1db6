// The way out of a scorer: transactional producers by lane, and the lanes that there are.
//
// In: a client for producing, group, topics, bounds where lanes have some. Out: the port that
// publishes, and the list of lane ids. Thrown: what the brokers refuse. Invariant: each of them is
// handed to `add` as soon as it is open, and none that failed half-way leaves a connection behind.

import type { Kafka } from '../adapters/kafka/client/kafka-client.ts'
import { type InputTopic, openLaneIds } from '../adapters/kafka/lanes/lane-ids.ts'
import {
  createLaneTransactions,
  type LaneTransactionsOptions,
} from '../adapters/kafka/lanes/lane-transactions.ts'

type DeliveryWish = LaneTransactionsOptions & {
  readonly kafka: Kafka
  readonly inputs: readonly InputTopic[]
  readonly add: (close: () => Promise<void>) => void
}

export async function openDelivery({ inputs, add, ...options }: DeliveryWish) {
  const transactions = await createLaneTransactions(options)
  add(transactions.close)
  const laneIds = await openLaneIds(options.kafka, inputs)
  add(laneIds.close)
  return { transactions, laneIds }
}
