// How far the brokers' clock is from this machine's: read from stamped records, or asked by a
// record.
//
// In: an admin connection, or a client. Out: milliseconds. Reading finds only a clock that is
// ahead: a record that a broker stamped later than it is here. The probe finds both: it makes a
// topic of its own with one partition, sends one record, reads the stamp in the answer, and deletes
// the topic. Thrown: WEIR_KAFKA_AWAY, or what the broker refuses. Invariant: no other topic is
// touched.

import { randomBytes } from 'node:crypto'
import { askBroker } from '../client/broker-answer.ts'
import { type Admin, type Kafka, kafkajs } from '../client/kafka-client.ts'
import { createTopics } from './create-topics.ts'

/** Whether the topic holds a record stamped later than `timeMs`. */
export async function hasRecordsAfter(
  admin: Admin,
  topic: string,
  timeMs: number,
): Promise<boolean> {
  const [found, ends] = await askBroker(() =>
    Promise.all([
      admin.fetchTopicOffsetsByTimestamp(topic, Math.ceil(timeMs)),
      admin.fetchTopicOffsets(topic),
    ]),
  )
  const highs = new Map(ends.map(({ partition, high }) => [partition, Number(high)]))
  // Where there is no such record, kafkajs answers with the end of the partition.
  return found.some(({ partition, offset }) => Number(offset) < (highs.get(partition) ?? 0))
}

export type ClockSight = {
  /** Broker's clock minus ours, ms. */
  readonly aheadMs: number
  /** Half of the time that the question took: the answer is only as exact as that. */
  readonly uncertainMs: number
}

export async function probeBrokerClock(kafka: Kafka): Promise<ClockSight> {
  const topic = `weir.doctor.${randomBytes(6).toString('hex')}`
  const admin = kafka.admin()
  await askBroker(() => admin.connect())
  try {
    const configEntries = [{ name: 'message.timestamp.type', value: 'LogAppendTime' }]
    const made = { topic, numPartitions: 1, replicationFactor: -1, configEntries }
    await askBroker(() => createTopics(admin, [made]))
    try {
      return await sendProbe(kafka, topic)
    } finally {
      await askBroker(() => admin.deleteTopics({ topics: [topic] }))
    }
  } finally {
    await admin.disconnect()
  }
}

/** The first record opens the connection to the partition's leader; the second one is timed. */
async function sendProbe(kafka: Kafka, topic: string): Promise<ClockSight> {
  const producer = kafka.producer({
    allowAutoTopicCreation: false,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  })
  const messages = [{ value: 'what time is it?', partition: 0 }]
  await askBroker(() => producer.connect())
  try {
    await askBroker(() => producer.send({ topic, messages }))
    const sentMs = Date.now()
    const [answer] = await askBroker(() => producer.send({ topic, messages }))
    const answeredMs = Date.now()
    const brokerMs = Number(answer?.logAppendTime)
    const uncertainMs = (answeredMs - sentMs) / 2
    return { aheadMs: brokerMs - (sentMs + uncertainMs), uncertainMs }
  } finally {
    await producer.disconnect()
  }
}
