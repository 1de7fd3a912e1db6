// The lanes' input from Kafka: one consumer group member whose fetching never waits for processing.
//
// In: the group's assignments and the topics' messages. Out: the LaneInput events. Handlers return
// at once: messages go into the lanes' own bounded queues, and pause holds back more; so kafkajs
// keeps fetching for the other lanes and keeps its heartbeat, however long a batch takes. Refused:
// an offset that is no longer in the topic (kafkajs would jump silently): the lane fails with
// WEIR_KAFKA_OFFSET_OUT_OF_RANGE. Invariant: the offset of each fetch is the one expected; what a
// seek or a rebalance overtook is dropped and fetched again.

import { WeirError } from '../../../core/errors.ts'
import type { Fetched, LaneAddress, LaneInput, LaneInputEvents } from '../../../lanes/lane-input.ts'
import { laneIdOf } from '../../../lanes/lane-input.ts'
import type { Stream } from '../../../pipeline/records.ts'
import {
  type JoinedConsumer,
  joinConsumer,
  type SkippedStretch,
} from '../client/joined-consumer.ts'
import type { ConsumerConfig, EachBatchPayload, Kafka } from '../client/kafka-client.ts'
import { readMessage } from '../client/raw-message.ts'

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
export const SESSION_MS = 10_000
const HEARTBEAT_MS = 1000

type Expectation = { readonly address: LaneAddress; offset: number; misses: number }

type Feed = {
  readonly consumer: JoinedConsumer
  readonly addressOf: (topic: string, partition: number) => LaneAddress
  readonly expected: Map<number, Expectation>
}

export function createLaneConsumer(options: LaneConsumerOptions): LaneInput {
  const streams = new Map(options.topics.map(({ topic, stream }) => [topic, stream]))
  const feed: Feed = {
    consumer: joinConsumer(options.kafka, configOf(options)),
    expected: new Map(),
    addressOf: (topic, partition) => {
      const stream = streams.get(topic)!
      return { laneId: laneIdOf(stream, partition), stream, topic, partition }
    },
  }
  const { consumer, expected } = feed
  return {
    start: (events) => consumer.start([...streams.keys()], listenerOf(feed, events)),
    seek: (address, offset) => expect(feed, address, offset),
    pause: ({ topic, partition }) => consumer.pause(topic, partition),
    resume: ({ topic, partition }) => consumer.resume(topic, partition),
    stop: async () => {
      expected.clear()
      await consumer.stop()
    },
  }
}

const configOf = ({ groupId, sessionMsMax = SESSION_MS }: LaneConsumerOptions): ConsumerConfig => ({
  groupId,
  sessionTimeout: sessionMsMax,
  rebalanceTimeout: sessionMsMax,
  heartbeatInterval: HEARTBEAT_MS,
  maxWaitTimeInMs: FETCH_WAIT_MS,
  maxBytesPerPartition: FETCH_BYTES_PER_LANE,
  maxBytes: FETCH_BYTES,
  allowAutoTopicCreation: false,
})

const listenerOf = (feed: Feed, events: LaneInputEvents) => ({
  joined: (assignment: Readonly<Record<string, readonly number[]>>) => {
    feed.expected.clear()
    events.assigned(
      Object.entries(assignment).flatMap(([topic, partitions]) =>
        partitions.map((partition) => feed.addressOf(topic, partition)),
      ),
    )
  },
  left: (reason: string) => {
    feed.expected.clear()
    events.revoked(reason)
  },
  fetched: (payload: EachBatchPayload) => receive(feed, payload, events),
  skipped: (stretch: SkippedStretch) => skip(feed, stretch, events),
  failed: events.crashed,
})

function expect({ consumer, expected }: Feed, address: LaneAddress, offset: number): void {
  expected.set(address.laneId, { address, offset, misses: 0 })
  consumer.seek(address.topic, address.partition, offset)
}

function receive(feed: Feed, payload: EachBatchPayload, events: LaneInputEvents): void {
  const { batch, resolveOffset } = payload
  const lane = feed.expected.get(feed.addressOf(batch.topic, batch.partition).laneId)
  if (lane === undefined) return
  const fetchedOffset = Number((batch as unknown as { fetchedOffset: string }).fetchedOffset)
  if (fetchedOffset !== lane.offset) {
    missed(feed, lane, fetchedOffset, events)
    return
  }
  lane.misses = 0
  lane.offset = Number(batch.lastOffset()) + 1
  resolveOffset(batch.messages[batch.messages.length - 1]!.offset)
  const fetched: Fetched = {
    messages: batch.messages.map((message) => readMessage(message, batch.partition)),
    nextOffset: lane.offset,
    endOffset: Number(batch.highWatermark),
  }
  events.fetched(lane.address.laneId, fetched)
}

/** A fetch from somewhere else: once it may be a leftover; again, the offset is gone. */
function missed(
  feed: Feed,
  { address, offset, misses }: Expectation,
  fetchedOffset: number,
  events: LaneInputEvents,
): void {
  if (misses > 0) {
    const detail = `${address.topic}/${address.partition}: expected ${offset}, the broker starts at ${fetchedOffset}.`
    events.crashed(new WeirError('WEIR_KAFKA_OFFSET_OUT_OF_RANGE', detail))
    return
  }
  expect(feed, address, offset)
  feed.expected.get(address.laneId)!.misses = 1
}

function skip(feed: Feed, stretch: SkippedStretch, events: LaneInputEvents): void {
  const { topic, partition, firstOffset, nextOffset, endOffset } = stretch
  const lane = feed.expected.get(feed.addressOf(topic, partition).laneId)
  if (lane === undefined || lane.offset !== (firstOffset ?? lane.offset)) return
  if (nextOffset <= lane.offset) return
  lane.offset = nextOffset
  events.fetched(lane.address.laneId, { messages: [], nextOffset, endOffset })
}
