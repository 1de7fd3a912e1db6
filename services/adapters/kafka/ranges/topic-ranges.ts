// Ranges of offsets, read beside the live group: pulled, bounded, each record once and in order.
//
// In: topics' partitions with the offsets to read, any number of topics in one call. Out: per range
// an iterable of committed messages that ends when everything below `to` was seen, control records
// and aborted ones included. Refused: a range that the topic no longer or not yet holds
// (WEIR_KAFKA_OFFSET_OUT_OF_RANGE), a partition that is silent too long (WEIR_KAFKA_AWAY).
// Invariants: a range is fetched only while somebody iterates it and its buffer has room, so a full
// one never holds up another; the throw-away group that kafkajs needs commits nothing and is
// deleted at close.

import { randomUUID } from 'node:crypto'
import { assertInvariant, WeirError } from '../../../core/errors.ts'
import type { RawMessage } from '../../../pipeline/records.ts'
import { translateKafka } from '../client/broker-answer.ts'
import { type JoinedConsumer, joinConsumer } from '../client/joined-consumer.ts'
import type { ConsumerConfig, EachBatchPayload, Kafka } from '../client/kafka-client.ts'
import { readMessage } from '../client/raw-message.ts'
import { deleteGroup } from '../client/with-admin.ts'
import { type PartitionBounds, partitionBounds } from './topic-bounds.ts'

export type TopicRange = {
  readonly topic: string
  readonly partition: number
  readonly from: number
  /** The offset behind the range. */
  readonly to: number
}

export type TopicRanges = {
  /** The range's messages, a fetch at a time. Each range may be read once. */
  readonly read: (index: number) => AsyncIterable<readonly RawMessage[]>
  readonly close: () => Promise<void>
}

const KIB = 1024
/** Bytes that the buffers of all ranges may hold together, as far as fetch sizes decide it. */
const BUFFER_BYTES = 128 * 1024 * KIB
const FETCH_BYTES_MIN = 64 * KIB
const FETCH_BYTES_MAX = 1024 * KIB
/** A range that holds this many fetches is paused; one more may be on its way. */
const FETCHES_BUFFERED = 2
/** How long the broker holds an empty fetch; also kafkajs' pause while all ranges are paused. */
const FETCH_WAIT_MS = 50
/** Computing between two reads may take long; the group is ours alone, nobody waits for it. */
const SESSION_MS = 60_000
/** Longer than the broker lets a transaction hold back readers: limits.transactionMsMax. */
const SILENCE_MS = 60_000

/** A range while it is read. */
type Reach = TopicRange & {
  next: number
  readonly fetches: (readonly RawMessage[])[]
  isRead: boolean
  isOver: boolean
  /** Fetches in a row that began elsewhere. */
  misses: number
  wake: () => void
}

type Reading = {
  readonly consumer: JoinedConsumer
  readonly reaches: ReadonlyMap<string, Reach>
  failure: WeirError | null
}

export async function openTopicRanges(
  kafka: Kafka,
  ranges: readonly TopicRange[],
): Promise<TopicRanges> {
  const filled = ranges.filter(({ from, to }) => from < to)
  await checkBounds(kafka, filled)
  const reaches = ranges.map(createReach)
  if (filled.length === 0) return { read: () => emptyRange(), close: async () => undefined }
  const groupId = `weir-ranges-${randomUUID()}`
  const consumer = joinConsumer(kafka, configOf(groupId, filled.length))
  const byPlace = new Map(reaches.filter(isFilled).map((reach) => [placeOf(reach), reach]))
  assertInvariant(byPlace.size === filled.length, 'two ranges of one partition in one call')
  const reading: Reading = { consumer, reaches: byPlace, failure: null }
  const close = async (): Promise<void> => {
    fail(reading, new WeirError('WEIR_KAFKA_AWAY', 'The reading was closed.'))
    await consumer.stop()
    await deleteGroup(kafka, groupId)
  }
  try {
    await translateKafka(() => startFetching(reading))
  } catch (cause) {
    await close()
    throw cause
  }
  return { read: (index) => readRange(reading, reaches[index]!), close }
}

const placeOf = ({ topic, partition }: Pick<TopicRange, 'topic' | 'partition'>): string =>
  `${topic}/${partition}`

const isFilled = ({ from, to }: TopicRange): boolean => from < to

const createReach = (range: TopicRange): Reach => ({
  ...range,
  next: range.from,
  fetches: [],
  isRead: false,
  isOver: false,
  misses: 0,
  wake: () => undefined,
})

async function* emptyRange(): AsyncGenerator<readonly RawMessage[]> {}

async function checkBounds(kafka: Kafka, ranges: readonly TopicRange[]): Promise<void> {
  const topics = [...new Set(ranges.map(({ topic }) => topic))]
  const bounds = new Map<string, PartitionBounds>()
  for (const topic of topics) {
    for (const found of await partitionBounds(kafka, topic)) {
      bounds.set(placeOf({ topic, partition: found.partition }), found)
    }
  }
  for (const range of ranges) {
    const { low, high } = bounds.get(placeOf(range)) ?? { low: 0, high: 0 }
    if (range.from < low || range.to > high) throw outOfRange(range, `${low} up to ${high}`)
  }
}

function outOfRange({ topic, partition, from, to }: TopicRange, held: string): WeirError {
  const detail =
    `${topic}/${partition}: found offsets ${held}, expected ${from} up to ${to}; ` +
    "what expired before it was read is gone: raise the topic's retention.ms."
  return new WeirError('WEIR_KAFKA_OFFSET_OUT_OF_RANGE', detail)
}

function configOf(groupId: string, rangeCount: number): ConsumerConfig {
  const share = Math.floor(BUFFER_BYTES / rangeCount / (FETCHES_BUFFERED + 1))
  return {
    groupId,
    sessionTimeout: SESSION_MS,
    rebalanceTimeout: SESSION_MS,
    maxWaitTimeInMs: FETCH_WAIT_MS,
    maxBytesPerPartition: Math.min(FETCH_BYTES_MAX, Math.max(FETCH_BYTES_MIN, share)),
    allowAutoTopicCreation: false,
    readUncommitted: false,
  }
}

async function startFetching(reading: Reading): Promise<void> {
  const { consumer, reaches } = reading
  const topics = [...new Set([...reaches.values()].map(({ topic }) => topic))]
  await consumer.start(topics, {
    joined: (assignment) => {
      // After the first time somebody may be in the middle of a range.
      for (const [topic, partitions] of Object.entries(assignment)) {
        for (const partition of partitions) {
          fetchOn(reading, reaches.get(placeOf({ topic, partition })))
        }
      }
    },
    // Until it has joined again there is nothing to fetch; joining fetches on.
    left: () => undefined,
    fetched: (payload) => receive(reading, payload),
    skipped: (stretch) => {
      const reach = reaches.get(placeOf(stretch))
      if (reach === undefined || reach.next !== (stretch.firstOffset ?? reach.next)) return
      moveTo(reading, reach, stretch.nextOffset)
    },
    failed: (error) => fail(reading, error),
  })
  if (reading.failure !== null) throw reading.failure
}

function receive(reading: Reading, { batch, resolveOffset }: EachBatchPayload): void {
  const reach = reading.reaches.get(placeOf(batch))
  if (reach === undefined || !reach.isRead || reach.isOver) return
  const fetchedOffset = Number((batch as unknown as { fetchedOffset: string }).fetchedOffset)
  if (fetchedOffset !== reach.next) {
    missed(reading, reach, fetchedOffset)
    return
  }
  reach.misses = 0
  resolveOffset(batch.messages[batch.messages.length - 1]!.offset)
  const wanted = batch.messages
    .map((message) => readMessage(message, batch.partition))
    .filter(({ offset }) => offset < reach.to)
  if (wanted.length > 0) reach.fetches.push(wanted)
  moveTo(reading, reach, Number(batch.lastOffset()) + 1)
}

/** A fetch from somewhere else: once it may be a leftover; again, the offset has expired. */
function missed(reading: Reading, reach: Reach, fetchedOffset: number): void {
  if (reach.misses++ === 0) fetchOn(reading, reach)
  else fail(reading, outOfRange(reach, `from ${fetchedOffset} on`))
}

function moveTo(reading: Reading, reach: Reach, next: number): void {
  if (next <= reach.next) return
  reach.next = next
  const isFull = reach.fetches.length >= FETCHES_BUFFERED
  if (next >= reach.to || isFull) pauseFetching(reading, reach)
  reach.wake()
}

/** Fetches from where the range is, unless nobody reads it, it is full or everything was seen. */
function fetchOn({ consumer }: Reading, reach: Reach | undefined): void {
  if (reach === undefined || !reach.isRead || reach.isOver) return
  const { topic, partition, next, to, fetches } = reach
  if (next >= to || fetches.length >= FETCHES_BUFFERED) return
  consumer.seek(topic, partition, next)
}

function fail(reading: Reading, failure: WeirError): void {
  reading.failure ??= failure
  for (const reach of reading.reaches.values()) reach.wake()
}

async function* readRange(reading: Reading, reach: Reach): AsyncGenerator<readonly RawMessage[]> {
  assertInvariant(!reach.isRead, `${placeOf(reach)} is read a second time`)
  reach.isRead = true
  if (reading.failure === null) fetchOn(reading, reach)
  try {
    for (;;) {
      if (reading.failure !== null) throw reading.failure
      const messages = reach.fetches.shift()
      if (messages !== undefined) {
        resumeFetching(reading, reach)
        yield messages
      } else if (reach.next >= reach.to) return
      else await untilMoved(reach)
    }
  } finally {
    reach.isOver = true
    reach.fetches.length = 0
    if (reading.failure === null) pauseFetching(reading, reach)
  }
}

function resumeFetching({ consumer }: Reading, { topic, partition, next, to }: Reach): void {
  if (next < to) consumer.resume(topic, partition)
}

function pauseFetching({ consumer }: Reading, { topic, partition }: Reach): void {
  consumer.pause(topic, partition)
}

/** Resolves when the range has moved, or everything failed. */
async function untilMoved(reach: Reach): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const silence = setTimeout(() => {
    const detail =
      `${placeOf(reach)} delivered nothing from offset ${reach.next} on for ${SILENCE_MS} ms, ` +
      `expected ${reach.to - reach.next} more: look for an open transaction that holds back readers.`
    reject(new WeirError('WEIR_KAFKA_AWAY', detail))
  }, SILENCE_MS)
  reach.wake = resolve
  try {
    await promise
  } finally {
    clearTimeout(silence)
  }
}

/** The broker drops an empty group by itself some day; this is tidier. */
