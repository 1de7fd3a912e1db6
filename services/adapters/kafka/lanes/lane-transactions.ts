// One transactional producer per lane: the fence that kafkajs can offer, and exactly-once delivery.
//
//   open     InitProducerId (fences the one before) ─► empty transaction aborted ─► committed offset
//   deliver  one sendBatch to all topics ─► sendOffsets ─► commit
//
// In: a lane's records and its next offset. Out: committed, or in doubt. Whatever fails between
// send and commit leaves an unknown outcome (a lost answer to a commit may have been a commit): the
// producer is discarded, and the lane must be opened again to learn what is true. Refused as too
// large: what the broker will never store; the lane must be opened again all the same. Invariant: a
// delivery that does not start where the lane's last commit ended is not sent.

import { setTimeout as sleep } from 'node:timers/promises'
import { WeirError } from '../../../core/errors.ts'
import { limits } from '../../../core/limits.ts'
import type { Compression } from '../../../core/settings.ts'
import type { LaneAddress, LaneBounds } from '../../../lanes/lane-input.ts'
import type { LaneTransactions, OpenedLane } from '../../../lanes/lane-transactions.ts'
import type { Observe } from '../../../pipeline/observe/signals.ts'
import {
  type DeliveryOutcome,
  type LaneDelivery,
  type OutputTopic,
  outputTopics,
} from '../../../pipeline/publish/publisher.ts'
import {
  type Admin,
  type Kafka,
  kafkajs,
  type Producer,
  type TopicMessages,
  type Transaction,
  transactionalRetry,
} from '../client/kafka-client.ts'
import { demandStoredOnce } from './stored-once.ts'
import { isTooLarge } from './too-large.ts'

export type LaneTransactionsOptions = {
  readonly kafka: Kafka
  /** Also the beginning of each transactional id. */
  readonly groupId: string
  readonly topics: Readonly<Record<OutputTopic, string>>
  readonly observe: Observe
  /** Of the outputs' record batches; none unless given. */
  readonly compression?: Compression
  /** Where lanes begin that have committed nothing, and where all end; else the topic's own. */
  readonly bounds?: LaneBounds
}

/** kafkajs wraps sequence numbers wrongly at 2^31 - 1: a producer is made new long before. */
const RECORDS_PER_PRODUCER_MAX = 1e9
/**
 * AddOffsetsToTxn is not retried by kafkajs while the last transaction is still being completed.
 */
const SEND_OFFSETS_ATTEMPTS_MAX = 10
const SEND_OFFSETS_PAUSE_MS = 5

type OpenLane = {
  readonly address: LaneAddress
  readonly producer: Producer
  committedOffset: number
  recordCount: number
  isInDoubt: boolean
  /** The lane's deliveries one after the other. */
  last: Promise<DeliveryOutcome>
}

export async function createLaneTransactions(
  options: LaneTransactionsOptions,
): Promise<LaneTransactions> {
  const { admin, partitionCounts } = await openAdmin(options)
  const lanes = new Map<number, OpenLane>()

  const release = async (laneId: number): Promise<void> => {
    const lane = lanes.get(laneId)
    lanes.delete(laneId)
    if (lane === undefined) return
    lane.isInDoubt = true
    await lane.last
    await lane.producer.disconnect().catch(() => undefined)
  }

  const open = async (address: LaneAddress): Promise<OpenedLane> => {
    await release(address.laneId)
    const producer = createProducer(options, address)
    try {
      await producer.connect()
      const fence = await producer.transaction()
      await fence.abort()
      const opened = await readPosition(admin, options, address)
      lanes.set(address.laneId, {
        address,
        producer,
        committedOffset: opened.nextOffset,
        recordCount: 0,
        isInDoubt: false,
        last: Promise.resolve('committed'),
      })
      return opened
    } catch (cause) {
      await producer.disconnect().catch(() => undefined)
      if (cause instanceof WeirError) throw cause
      const detail = `${address.topic}/${address.partition} could not be opened: ${String(cause)}`
      throw new WeirError('WEIR_KAFKA_AWAY', detail, { cause })
    }
  }

  const deliverLane = (delivery: LaneDelivery): Promise<DeliveryOutcome> => {
    const lane = lanes.get(delivery.laneId)
    if (lane === undefined) return Promise.resolve('in_doubt')
    lane.last = lane.last.then(() => commitDelivery(lane, delivery, { options, partitionCounts }))
    return lane.last
  }

  return {
    open,
    release,
    deliver: (deliveries) => Promise.all(deliveries.map(deliverLane)),
    close: async () => {
      await Promise.all([...lanes.keys()].map(release))
      await admin.disconnect()
    },
  }
}

const createProducer = ({ kafka, groupId }: LaneTransactionsOptions, address: LaneAddress) =>
  kafka.producer({
    transactionalId: `${groupId}.${address.topic}.${address.partition}`,
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    transactionTimeout: limits.transactionMsMax,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    retry: transactionalRetry,
  })

/** Nothing stays connected where the brokers do not say what they have. */
async function openAdmin({ kafka, topics }: LaneTransactionsOptions) {
  const admin = kafka.admin()
  try {
    await admin.connect()
    return { admin, partitionCounts: await countPartitions(admin, topics) }
  } catch (error) {
    await admin.disconnect()
    throw error
  }
}

async function countPartitions(
  admin: Admin,
  topics: LaneTransactionsOptions['topics'],
): Promise<ReadonlyMap<string, number>> {
  const wanted = outputTopics.map((role) => topics[role])
  const { topics: found } = await admin.fetchTopicMetadata({ topics: wanted })
  return new Map(found.map(({ name, partitions }) => [name, partitions.length]))
}

async function readPosition(
  admin: Admin,
  { groupId, bounds }: LaneTransactionsOptions,
  { laneId, topic, partition }: LaneAddress,
): Promise<OpenedLane> {
  const [committed, ends] = await Promise.all([
    admin.fetchOffsets({ groupId, topics: [topic] }),
    admin.fetchTopicOffsets(topic),
  ])
  const mine = committed[0]?.partitions.find((entry) => entry.partition === partition)
  const end = ends.find((entry) => entry.partition === partition)
  const low = Number(end?.low ?? 0)
  const { from, to: endOffset } = bounds?.(laneId) ?? { from: low, to: Number(end?.high ?? 0) }
  const offset = Number(mine?.offset ?? -1)
  if (offset < 0) return { nextOffset: from, metadata: null, endOffset }
  if (offset < Math.min(low, endOffset)) {
    const detail = `${topic}/${partition}: committed ${offset}, the topic begins at ${low}.`
    throw new WeirError('WEIR_KAFKA_OFFSET_OUT_OF_RANGE', detail)
  }
  return { nextOffset: offset, metadata: mine?.metadata ?? '', endOffset }
}

type CommitContext = {
  readonly options: LaneTransactionsOptions
  readonly partitionCounts: ReadonlyMap<string, number>
}

async function commitDelivery(
  lane: OpenLane,
  delivery: LaneDelivery,
  { options, partitionCounts }: CommitContext,
): Promise<DeliveryOutcome> {
  if (lane.isInDoubt || lane.committedOffset !== delivery.fromOffset) return 'in_doubt'
  const topicMessages = composeMessages(lane, delivery, options.topics, partitionCounts)
  try {
    const transaction = await lane.producer.transaction()
    if (topicMessages.length > 0) {
      const batch = { topicMessages, acks: -1, compression: codecOf(options) }
      demandStoredOnce(topicMessages, await transaction.sendBatch(batch))
    }
    await sendOffsets(transaction, lane, delivery, options)
    await transaction.commit()
  } catch (cause) {
    lane.isInDoubt = true
    const detail = cause instanceof Error ? cause.message : String(cause)
    const isRefused = isTooLarge(cause)
    const code = isRefused ? 'WEIR_PUBLISH_TOO_LARGE' : 'WEIR_PUBLISH_IN_DOUBT'
    options.observe({ kind: 'retried', operation: 'commit', attempt: 1, code, detail })
    return isRefused ? 'too_large' : 'in_doubt'
  }
  lane.committedOffset = delivery.nextOffset
  for (const { messages } of topicMessages) lane.recordCount += messages.length
  if (lane.recordCount > RECORDS_PER_PRODUCER_MAX) lane.isInDoubt = true
  return 'committed'
}

const { None, GZIP, ZSTD } = kafkajs.CompressionTypes

const codecOf = ({ compression = 'none' }: LaneTransactionsOptions) =>
  ({ none: None, gzip: GZIP, zstd: ZSTD })[compression]

/** All records of a lane and topic go to one partition: the lane's own, where there are as many. */
function composeMessages(
  lane: OpenLane,
  { records }: LaneDelivery,
  topics: LaneTransactionsOptions['topics'],
  partitionCounts: ReadonlyMap<string, number>,
): TopicMessages[] {
  const composed: TopicMessages[] = []
  for (const role of outputTopics) {
    if (records[role].length === 0) continue
    const topic = topics[role]
    const partition = lane.address.partition % (partitionCounts.get(topic) ?? 1)
    // The partition is always set: on a retry kafkajs would ask its partitioner again.
    const messages = records[role].map(({ key, value }) => ({ key, value, partition }))
    composed.push({ topic, messages })
  }
  return composed
}

async function sendOffsets(
  transaction: Transaction,
  { address }: OpenLane,
  { nextOffset, metadata }: LaneDelivery,
  { groupId, observe }: LaneTransactionsOptions,
): Promise<void> {
  const { topic, partition } = address
  const offsets = {
    consumerGroupId: groupId,
    topics: [{ topic, partitions: [{ partition, offset: String(nextOffset), metadata }] }],
  }
  for (let attempt = 1; ; attempt++) {
    try {
      await transaction.sendOffsets(offsets)
      return
    } catch (error) {
      const { type, message } = error as { type?: string; message: string }
      const isPassing = type === 'CONCURRENT_TRANSACTIONS'
      if (!isPassing || attempt >= SEND_OFFSETS_ATTEMPTS_MAX) throw error
      const code = 'WEIR_PUBLISH_IN_DOUBT'
      observe({ kind: 'retried', operation: 'send_offsets', attempt, code, detail: message })
      await sleep(SEND_OFFSETS_PAUSE_MS * attempt)
    }
  }
}
