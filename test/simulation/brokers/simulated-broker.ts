// A broker as kafkajs' own clients speak to it: the methods of its Broker class, each a call over a
// wire that may lose, delay and kill. All of kafkajs above it (consumer, runner, group, fetchers,
// producer, transactions, admin, cluster, broker pool) is the real one.

import { limits } from '../../../services/core/limits.ts'
import type { Call, Failures } from '../wire.ts'
import type { Brokers } from './brokers.ts'
import type { JoinRequest, SyncRequest } from './group-coordinator.ts'
import type { Fetched, NewRecord } from './partition-log.ts'
import {
  connectionClosed,
  connectionRefused,
  protocolError,
  requestTimedOut,
} from './protocol-error.ts'
import type { Identity } from './transaction-coordinator.ts'

export const NODE_ID = 1

type InTopic<T> = { readonly topic: string; readonly partitions: readonly T[] }
type GroupRequest = { readonly groupId: string }
type OfMember = GroupRequest & { readonly memberId: string; readonly groupGenerationId: number }
type OfTransaction = Identity & { readonly transactionalId: string }
type KafkaJsMessage = {
  readonly key: Buffer | string | null
  readonly value: Buffer | string | null
}
type ProduceRequest = OfTransaction & {
  readonly topicData: readonly InTopic<{
    readonly partition: number
    readonly firstSequence: number
    readonly messages: readonly KafkaJsMessage[]
  }>[]
}
type FetchRequest = {
  readonly maxWaitTime: number
  readonly topics: readonly InTopic<{
    readonly partition: number
    readonly fetchOffset: string
    readonly maxBytes: number
  }>[]
}

/** Bytes of a record beside its key and value, and of a batch beside its records. */
const RECORD_BYTES = 12

export function createSimulatedBroker(brokers: Brokers, call: Call) {
  const { time } = brokers
  const failures: Failures = {
    closed: () => (brokers.isAway() ? connectionRefused() : connectionClosed()),
    silent: requestTimedOut,
    silenceMs: limits.kafkaRequestMsMax,
    isAway: brokers.isAway,
    isSilent: brokers.isSilent,
  }
  let isConnected = false
  /** Whoever disconnects waits until these are answered or given up. */
  const pending = new Set<Promise<unknown>>()

  /** A request; when its connection breaks, kafkajs connects anew. */
  const ask = async <T>(name: string, act: () => T | Promise<T>): Promise<T> => {
    const asked = call(name, failures)(act)
    pending.add(asked)
    try {
      return await asked
    } catch (error) {
      const { name: kind } = error as Error
      if (kind.startsWith('KafkaJSConnection')) isConnected = false
      throw error
    } finally {
      pending.delete(asked)
    }
  }

  return {
    nodeId: NODE_ID as number | string,
    connectionPool: { host: 'simulated', port: 9092, rack: null },
    versions: {},
    isConnected: () => isConnected,
    connect: async () => {
      if (isConnected) return
      await ask('connect', () => undefined)
      isConnected = true
    },
    disconnect: async () => {
      isConnected = false
      await Promise.allSettled([...pending])
      await new Promise<void>((resolve) => {
        time.after(brokers.disconnectMs(), resolve, time.lifeNow())
      })
    },
    metadata: (topics: readonly string[]) => ask('metadata', () => describeTopics(brokers, topics)),
    findGroupCoordinator: ({ groupId }: GroupRequest) =>
      ask(`find_coordinator`, () => ({ groupId, coordinator: { nodeId: NODE_ID } })),

    joinGroup: ({ groupId, ...request }: JoinRequest & GroupRequest) =>
      ask('join', () => brokers.group(groupId).join(request)),
    syncGroup: ({ groupId, ...request }: SyncRequest & GroupRequest) =>
      ask('sync', () => brokers.group(groupId).sync(request)),
    heartbeat: ({ groupId, memberId, groupGenerationId }: OfMember) =>
      ask('heartbeat', () => brokers.group(groupId).heartbeat(memberId, groupGenerationId)),
    leaveGroup: ({ groupId, memberId }: OfMember) =>
      ask('leave', () => brokers.group(groupId).leave(memberId)),
    deleteGroups: (groupIds: readonly string[]) =>
      ask('delete_groups', () => ({
        results: groupIds.map((groupId) => {
          const isEmpty = (brokers.groups.get(groupId)?.memberCount ?? 0) === 0
          if (isEmpty) brokers.groups.delete(groupId)
          return { groupId, errorCode: isEmpty ? 0 : 68 }
        }),
      })),

    offsetFetch: ({
      groupId,
      topics,
    }: GroupRequest & { topics: InTopic<{ partition: number }>[] }) =>
      ask('offset_fetch', () => ({ responses: readOffsets(brokers, groupId, topics) })),
    offsetCommit: () => ask('offset_commit', () => undefined),
    listOffsets: ({ topics }: { topics: InTopic<{ partition: number; timestamp: number }>[] }) =>
      ask('list_offsets', () => ({ responses: listOffsets(brokers, topics) })),
    fetch: (request: FetchRequest) => ask('fetch', () => fetchSome(brokers, request)),

    initProducerId: ({ transactionalId, transactionTimeout }: Record<string, unknown>) =>
      ask('init_producer', () =>
        transactionalId === undefined
          ? { producerId: '1', producerEpoch: 0 }
          : brokers.transactions.init(String(transactionalId), Number(transactionTimeout)),
      ),
    addPartitionsToTxn: (request: OfTransaction & { topics: InTopic<string>[] }) =>
      ask('add_partitions', () => {
        const logs = request.topics.flatMap(({ topic, partitions }) =>
          partitions.map((partition) => brokers.log(topic, Number(partition))),
        )
        brokers.transactions.addPartitions(request.transactionalId, request, logs)
      }),
    addOffsetsToTxn: (request: OfTransaction & GroupRequest) =>
      ask('add_offsets', () =>
        brokers.transactions.addGroup(
          request.transactionalId,
          request,
          brokers.group(request.groupId),
        ),
      ),
    txnOffsetCommit: (
      request: OfTransaction &
        GroupRequest & {
          topics: InTopic<{ partition: number; offset: string; metadata: string }>[]
        },
    ) => ask('txn_offset_commit', () => commitOffsets(brokers, request)),
    produce: (request: ProduceRequest) => ask('produce', () => produce(brokers, request)),
    endTxn: (request: OfTransaction & { transactionResult: boolean }) =>
      ask(request.transactionResult ? 'commit' : 'abort', () =>
        brokers.transactions.end(request.transactionalId, request, request.transactionResult),
      ),
    now: () => time.nowMs(),
  }
}

const describeTopics = ({ topics }: Brokers, wanted: readonly string[]) => ({
  brokers: [{ nodeId: NODE_ID, host: 'simulated', port: 9092, rack: null }],
  clusterId: 'simulated',
  controllerId: NODE_ID,
  topicMetadata: wanted.map((topic) => {
    const logs = topics.get(topic)
    if (logs === undefined) throw protocolError('UNKNOWN_TOPIC_OR_PARTITION')
    return {
      topicErrorCode: 0,
      topic,
      isInternal: false,
      partitionMetadata: logs.map(({ partition }) => ({
        partitionErrorCode: 0,
        partitionId: partition,
        leader: NODE_ID,
        replicas: [NODE_ID],
        isr: [NODE_ID],
        offlineReplicas: [],
      })),
    }
  }),
})

const placeOf = (topic: string, partition: number): string => `${topic}/${partition}`

const readOffsets = (
  brokers: Brokers,
  groupId: string,
  topics: readonly InTopic<{ partition: number }>[],
) =>
  topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map(({ partition }) => {
      const found = brokers.group(groupId).offsets.get(placeOf(topic, partition))
      const { offset, metadata } = found ?? { offset: -1, metadata: '' }
      return { partition, offset: String(offset), metadata }
    }),
  }))

const listOffsets = (
  brokers: Brokers,
  topics: readonly InTopic<{ partition: number; timestamp: number }>[],
) =>
  topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map(({ partition, timestamp }) => {
      const log = brokers.log(topic, partition)
      const offset =
        Number(timestamp) === -1
          ? log.high
          : Number(timestamp) === -2
            ? log.low
            : log.offsetAt(Number(timestamp))
      return { partition, offset: String(offset) }
    }),
  }))

/** Waits for something to tell, as long as the client would have it. */
async function fetchSome(brokers: Brokers, { topics, maxWaitTime }: FetchRequest) {
  const { time, broken, random, fetchRecordsMax } = brokers
  if (time.nowMs() < broken.fetchFailsUntilMs) {
    throw protocolError(random.pick(['REQUEST_TIMED_OUT', 'NOT_COORDINATOR_FOR_GROUP', 'UNKNOWN']))
  }
  const look = (): { topicName: string; partitions: Fetched[] }[] =>
    topics.map(({ topic, partitions }) => ({
      topicName: topic,
      partitions: partitions.map(({ partition, fetchOffset, maxBytes }) =>
        brokers
          .log(topic, partition)
          .fetch(Number(fetchOffset), maxBytes, random.integer(1, fetchRecordsMax)),
      ),
    }))
  const responses = look()
  if (responses.some(({ partitions }) => partitions.some(({ messages }) => messages.length > 0))) {
    return { responses }
  }
  await new Promise<void>((resolve) => {
    time.after(maxWaitTime, resolve, null)
    for (const { topic, partitions } of topics) {
      for (const { partition } of partitions) brokers.log(topic, partition).onceMoved(resolve)
    }
  })
  return { responses: look() }
}

function commitOffsets(
  brokers: Brokers,
  request: OfTransaction &
    GroupRequest & {
      topics: readonly InTopic<{ partition: number; offset: string; metadata: string }>[]
    },
): void {
  const { transactionalId } = request
  const group = brokers.group(request.groupId)
  brokers.transactions.demandOpen(transactionalId, request, group)
  for (const { topic, partitions } of request.topics) {
    for (const { partition, offset, metadata } of partitions) {
      const committed = { offset: Number(offset), metadata }
      brokers.transactions.setOffset(transactionalId, group, placeOf(topic, partition), committed)
    }
  }
}

/** Each partition by itself: one that is refused does not keep the others from being stored. */
function produce(brokers: Brokers, { topicData, ...request }: ProduceRequest) {
  let refused: Error | null = null
  const topics = topicData.map(({ topic, partitions }) => ({
    topicName: topic,
    partitions: partitions.flatMap(({ partition, firstSequence, messages }) => {
      try {
        const log = brokers.log(topic, partition)
        brokers.transactions.demandOpen(request.transactionalId, request, log)
        const records = messages.map((message) => recordOf(message, brokers.time.nowMs()))
        const size = records.reduce((sum, { key, value }) => sum + sizeOf(key) + sizeOf(value), 0)
        if (size + RECORD_BYTES * (records.length + 5) > brokers.batchBytesMax) {
          throw protocolError('MESSAGE_TOO_LARGE')
        }
        const producer = { id: request.producerId, epoch: request.producerEpoch }
        const baseOffset = log.appendOnce(records, { ...producer, sequence: firstSequence })
        return [{ partition, errorCode: 0, baseOffset: String(baseOffset) }]
      } catch (error) {
        refused ??= error as Error
        return []
      }
    }),
  }))
  if (refused !== null) throw refused
  return { topics }
}

const sizeOf = (bytes: Buffer | null): number => bytes?.length ?? 0

const bytesOf = (value: Buffer | string | null): Buffer | null =>
  typeof value === 'string' ? Buffer.from(value) : value

const recordOf = ({ key, value }: KafkaJsMessage, timeMs: number): NewRecord => ({
  timeMs,
  key: bytesOf(key),
  value: bytesOf(value),
})
