// The lanes' input from Kafka: one consumer group member whose fetching never waits for processing.
//
// In: the group's assignments and the topics' messages. Out: the LaneInput events. Handlers return at
// once: messages go into the lanes' own bounded queues, and pause holds back more; so kafkajs keeps
// fetching for the other lanes and keeps its heartbeat, however long a batch takes.
// Refused: an offset that is no longer in the topic (kafkajs would jump silently): the lane fails
// with WEIR_KAFKA_OFFSET_OUT_OF_RANGE. Invariant: the offset of each fetch is the one expected; what
// a seek or a rebalance overtook is dropped and fetched again.

import { WeirError } from '../../../core/errors.ts'
import type { Fetched, LaneAddress, LaneInput, LaneInputEvents } from '../../../lanes/lane-input.ts'
import { laneIdOf } from '../../../lanes/lane-input.ts'
import type { RawMessage, Stream } from '../../../pipeline/records.ts'
import type { EachBatchPayload, Kafka, KafkaMessage } from '../client/kafka-client.ts'

type LaneConsumerOptions = {
  readonly kafka: Kafka
  readonly groupId: string
  readonly topics: readonly { readonly topic: string; readonly stream: Stream }[]
  readonly sessionMsMax?: number
}

const MIB = 1024 * 1024
/** How long the broker holds an empty fetch; also kafkajs' pause while all lanes are paused. */
const FETCH_WAIT_MS = 50
const FETCH_BYTES_PER_LANE = MIB
const FETCH_BYTES = 8 * MIB
const FETCHES_HANDLED_AT_ONCE = 32
export const SESSION_MS = 10_000
const HEARTBEAT_MS = 1000

type Expectation = { readonly address: LaneAddress; offset: number; misses: number }

export function createLaneConsumer(options: LaneConsumerOptions): LaneInput {
  const streams = new Map(options.topics.map(({ topic, stream }) => [topic, stream]))
  const expected = new Map<number, Expectation>()
  const sessionTimeout = options.sessionMsMax ?? SESSION_MS
  const consumer = options.kafka.consumer({
    groupId: options.groupId,
    sessionTimeout,
    rebalanceTimeout: sessionTimeout,
    heartbeatInterval: HEARTBEAT_MS,
    maxWaitTimeInMs: FETCH_WAIT_MS,
    maxBytesPerPartition: FETCH_BYTES_PER_LANE,
    maxBytes: FETCH_BYTES,
    allowAutoTopicCreation: false,
  })

  const addressOf = (topic: string, partition: number): LaneAddress => {
    const stream = streams.get(topic)!
    return { laneId: laneIdOf(stream, partition), stream, topic, partition }
  }

  const seek = (address: LaneAddress, offset: number): void => {
    expected.set(address.laneId, { address, offset, misses: 0 })
    const { topic, partition } = address
    consumer.seek({ topic, partition, offset: String(offset) })
    consumer.resume([{ topic, partitions: [partition] }])
  }

  const listen = (events: LaneInputEvents): void => {
    const { GROUP_JOIN, REBALANCING, CRASH, END_BATCH_PROCESS } = consumer.events
    consumer.on(GROUP_JOIN, ({ payload }) => {
      const lanes = Object.entries(payload.memberAssignment).flatMap(([topic, partitions]) =>
        partitions.map((partition) => addressOf(topic, partition)),
      )
      expected.clear()
      // Held until the lane is claimed and knows its offset; seek resumes it.
      for (const { topic, partition } of lanes) consumer.pause([{ topic, partitions: [partition] }])
      events.assigned(lanes)
    })
    consumer.on(REBALANCING, () => {
      expected.clear()
      events.revoked('rebalancing')
    })
    consumer.on(CRASH, ({ payload }) => {
      expected.clear()
      events.revoked(`consumer crashed: ${payload.error.message}`)
      if (payload.restart) return
      const detail = payload.error.message
      events.crashed(new WeirError('WEIR_KAFKA_AWAY', detail, { cause: payload.error }))
    })
    consumer.on(END_BATCH_PROCESS, ({ payload }) => {
      // Only control records or aborted ones: no handler was called, but the lane moved on.
      if (payload.batchSize > 0) return
      const lane = expected.get(addressOf(payload.topic, payload.partition).laneId)
      if (lane === undefined || lane.offset !== Number(payload.firstOffset ?? lane.offset)) return
      const nextOffset = Number(payload.lastOffset) + 1
      if (nextOffset <= lane.offset) return
      lane.offset = nextOffset
      const endOffset = Number(payload.highWatermark)
      events.fetched(lane.address.laneId, { messages: [], nextOffset, endOffset })
    })
  }

  const receive = (payload: EachBatchPayload, events: LaneInputEvents): void => {
    const { batch, resolveOffset } = payload
    if (payload.isStale() || !payload.isRunning()) return
    const lane = expected.get(addressOf(batch.topic, batch.partition).laneId)
    if (lane === undefined) return
    const fetchedOffset = Number((batch as unknown as { fetchedOffset: string }).fetchedOffset)
    if (fetchedOffset !== lane.offset) {
      missed(lane, fetchedOffset, events)
      return
    }
    lane.misses = 0
    lane.offset = Number(batch.lastOffset()) + 1
    resolveOffset(batch.messages[batch.messages.length - 1]!.offset)
    const fetched: Fetched = {
      messages: batch.messages.map(readMessage),
      nextOffset: lane.offset,
      endOffset: Number(batch.highWatermark),
    }
    events.fetched(lane.address.laneId, fetched)
  }

  /** A fetch from somewhere else: once it may be a leftover; again, the offset is gone. */
  const missed = (lane: Expectation, fetchedOffset: number, events: LaneInputEvents): void => {
    const { address, offset } = lane
    if (lane.misses > 0) {
      const detail = `${address.topic}/${address.partition}: expected ${offset}, the broker starts at ${fetchedOffset}.`
      events.crashed(new WeirError('WEIR_KAFKA_OFFSET_OUT_OF_RANGE', detail))
      return
    }
    const misses = lane.misses + 1
    seek(address, offset)
    expected.get(address.laneId)!.misses = misses
  }

  return {
    start: async (events) => {
      await consumer.connect()
      for (const { topic } of options.topics) {
        await consumer.subscribe({ topic, fromBeginning: true })
      }
      listen(events)
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: FETCHES_HANDLED_AT_ONCE,
        eachBatch: async (payload) => receive(payload, events),
      })
    },
    seek,
    pause: ({ topic, partition }) => consumer.pause([{ topic, partitions: [partition] }]),
    resume: ({ topic, partition }) => consumer.resume([{ topic, partitions: [partition] }]),
    stop: async () => {
      expected.clear()
      await consumer.disconnect()
    },
  }
}

const readMessage = ({ offset, timestamp, key, value }: KafkaMessage): RawMessage => ({
  offset: Number(offset),
  brokerTimeMs: Number(timestamp),
  key,
  value,
})
