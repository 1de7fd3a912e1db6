/**
 * Messages to Kafka, over one idempotent producer.
 *
 * In: batches of messages in order. Out: acknowledged by all in-sync replicas.
 * Refused: a topic that does not exist; a broker away for longer than the retries last.
 * Invariants: one message, one record, no headers; partition = murmur2 of the key, as any Kafka
 * client would choose; the record's timestamp is the message's due time.
 *
 * Only one send at a time: when a request of kafkajs fails, a later one takes its sequence numbers,
 * and the retry of the first then overtakes or is dropped as a duplicate (sendMessages.js gives the
 * numbers back on failure). With one at a time the retry is the next request.
 */
import type { Kafka, Producer } from 'kafkajs'
import { loadKafkajs } from './load-kafkajs.ts'
import { partitionOf } from './partition.ts'
import type { DueMessage, MessageSink } from './schedule.ts'

export interface KafkaTarget {
  readonly brokers: readonly string[]
  readonly transactionsTopic: string
  /** null: labels are left out. */
  readonly labelsTopic: string | null
}

export interface KafkaSink extends MessageSink {
  close(): Promise<void>
}

interface Route {
  readonly topic: string
  readonly partitionCount: number
}

/** About a minute: a broker that restarts comes back sooner. kafkajs' default starts at 300 ms. */
const retry = { initialRetryTime: 50, maxRetryTime: 2_000, retries: 40 }

export async function connectKafkaSink(target: KafkaTarget): Promise<KafkaSink> {
  const kafkajs = loadKafkajs()
  const kafka = new kafkajs.Kafka({
    clientId: 'weir-generator',
    brokers: [...target.brokers],
    retry,
    // Each retry is logged as an error; the last failure reaches the caller as an exception.
    logLevel: kafkajs.logLevel.NOTHING,
  })
  const routes = await findRoutes(kafka, target)
  const producer = kafka.producer({
    idempotent: true,
    allowAutoTopicCreation: false,
    createPartitioner:
      () =>
      ({ message }) =>
        message.partition ?? 0,
  })
  await producer.connect()
  return {
    send: (messages) => sendBatch(producer, routes, messages),
    close: () => producer.disconnect(),
  }
}

interface Routes {
  readonly transactions: Route
  readonly labels: Route | null
}

async function findRoutes(kafka: Kafka, target: KafkaTarget): Promise<Routes> {
  const admin = kafka.admin()
  await admin.connect()
  try {
    const known = new Set(await admin.listTopics())
    const findRoute = async (topic: string): Promise<Route> => {
      if (!known.has(topic)) {
        throw new Error(`topic ${topic} does not exist: create it first (weir topics apply)`)
      }
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
      return { topic, partitionCount: topics[0]!.partitions.length }
    }
    const { transactionsTopic, labelsTopic } = target
    const transactions = await findRoute(transactionsTopic)
    return { transactions, labels: labelsTopic === null ? null : await findRoute(labelsTopic) }
  } finally {
    await admin.disconnect()
  }
}

async function sendBatch(
  producer: Producer,
  routes: Routes,
  messages: readonly DueMessage[],
): Promise<void> {
  const transactions = messages.filter(({ kind }) => kind !== 'label')
  const labels = messages.filter(({ kind }) => kind === 'label')
  const topicMessages = [toTopicMessages(routes.transactions, transactions)]
  if (routes.labels !== null) topicMessages.push(toTopicMessages(routes.labels, labels))
  const wanted = topicMessages.filter((topic) => topic.messages.length > 0)
  if (wanted.length > 0) await producer.sendBatch({ topicMessages: wanted, acks: -1 })
}

function toTopicMessages({ topic, partitionCount }: Route, messages: readonly DueMessage[]) {
  return {
    topic,
    messages: messages.map(({ key, value, dueMs }) => ({
      key,
      value,
      partition: partitionOf(key, partitionCount),
      timestamp: String(Math.floor(dueMs)),
    })),
  }
}
