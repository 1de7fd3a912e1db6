// Every Kafka transaction of this process tells where it stands.
//
// In: kafkajs' client class, before a client is made. Out: each producer's transactions call back
// before and after send, sendOffsets and commit; consumers get a shorter session, so that a
// campaign sees more rebalances in the same time. Invariant: what is sent and committed is not
// touched.

import type {
  Kafka,
  Producer,
  Transaction,
} from '../../services/adapters/kafka/client/kafka-client.ts'
import type { FailPoint } from './fail-points.ts'

type KafkaClass = { readonly prototype: Kafka }

export function watchTransactions(
  { prototype }: KafkaClass,
  pass: (point: FailPoint) => void,
  sessionMs: number,
): void {
  const { producer, consumer } = prototype
  prototype.producer = function (this: Kafka, config): Producer {
    const made = producer.call(this, config)
    return { ...made, transaction: async () => watch(await made.transaction(), pass) }
  }
  prototype.consumer = function (this: Kafka, config) {
    const session = { sessionTimeout: sessionMs, rebalanceTimeout: sessionMs }
    return consumer.call(this, { ...config!, ...session })
  }
}

function watch(transaction: Transaction, pass: (point: FailPoint) => void): Transaction {
  return {
    ...transaction,
    sendBatch: async (batch) => {
      pass('before_send')
      const answer = await transaction.sendBatch(batch)
      pass('after_send')
      return answer
    },
    sendOffsets: async (offsets) => {
      pass('before_send_offsets')
      await transaction.sendOffsets(offsets)
      pass('after_send_offsets')
    },
    commit: async () => {
      pass('before_commit')
      await transaction.commit()
      pass('after_commit')
    },
  }
}
