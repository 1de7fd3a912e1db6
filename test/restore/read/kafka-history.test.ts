// Where the history of a restore is found: real topics, with JSON in place of Avro.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { createKafka, type Kafka } from '../../../services/adapters/kafka/client/kafka-client.ts'
import { DecodeFault } from '../../../services/pipeline/decode/message-decoder.ts'
import { freshMemory } from '../../../services/pipeline/publish/lane-metadata.ts'
import type {
  RejectedRecord,
  ScoredTransactionRecord,
} from '../../../services/pipeline/publish/output-records.ts'
import type { LaneRange, LaneReader } from '../../../services/restore/plan/history.ts'
import { createKafkaHistory } from '../../../services/restore/read/kafka-history.ts'
import { pipelineOf } from '../../support/pipelines.ts'
import { silentLogger } from '../../support/silent-logger.ts'
import { testStack, uniqueName } from '../../support/stack.ts'

const name = uniqueName('history')
const topics = { input: `${name}-input`, scored: `${name}-scored`, rejected: `${name}-rejected` }
const base = pipelineOf({ entities: [], features: [] })
const definition = {
  ...base,
  topics: {
    ...base.topics,
    transactions: topics.input,
    scored: topics.scored,
    rejected: topics.rejected,
  },
}
const LANES = 2
const MESSAGES = 300
const START_MS = Date.UTC(2026, 0, 5)
/** A second between messages; scorers' clocks are slow by so much. */
const CLOCK_SKEW_MS = 20 * 60_000

let kafka: Kafka
beforeAll(async () => {
  const { kafkaBrokers } = await testStack()
  kafka = createKafka({ brokers: kafkaBrokers, clientId: name, logger: silentLogger })
  await makeTopics()
  await fillTopics()
})
afterAll(async () => {
  const admin = kafka.admin()
  await admin.connect()
  await admin.deleteTopics({ topics: Object.values(topics) })
  await admin.disconnect()
})

async function makeTopics(): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({
    topics: [
      { topic: topics.input, numPartitions: LANES },
      { topic: topics.scored, numPartitions: 1 },
      { topic: topics.rejected, numPartitions: 1 },
    ],
    waitForLeaders: true,
  })
  await admin.disconnect()
}

/**
 * Whether it was counted before it was set aside: so it is in the journal, though it was not
 * scored.
 */
const isSetAside = (offset: number): boolean => offset % 6 === 0

/** Every third message of a lane was rejected; both lanes' scored events share one partition. */
async function fillTopics(): Promise<void> {
  const producer = kafka.producer({ allowAutoTopicCreation: false })
  await producer.connect()
  const timeOf = (offset: number): number => START_MS + offset * 1000
  for (let partition = 0; partition < LANES; partition++) {
    const messages = Array.from({ length: MESSAGES }, (_, offset) => ({
      partition,
      value: `${partition}/${offset}`,
      timestamp: String(timeOf(offset)),
    }))
    await producer.send({ topic: topics.input, messages })
  }
  const scored = Array.from({ length: MESSAGES * LANES }, (_, i) => {
    const sourceOffset = Math.floor(i / LANES)
    const event = {
      pipeline: i % 50 === 7 ? 'another' : definition.pipeline,
      sourcePartition: i % LANES,
      sourceOffset,
      scoredTime: timeOf(sourceOffset),
      ordinals: [i],
      labelsSeen: [],
    }
    const timestamp = String(timeOf(sourceOffset) - CLOCK_SKEW_MS)
    return { partition: 0, value: JSON.stringify(event), timestamp }
  }).filter((_, i) => Math.floor(i / LANES) % 3 !== 0)
  await producer.send({ topic: topics.scored, messages: scored })
  const rejected = Array.from({ length: MESSAGES * LANES }, (_, i) => {
    const sourceOffset = Math.floor(i / LANES)
    const applied = { ordinals: [i], labelsSeen: [], features: [], saturated: false }
    const event = {
      pipeline: definition.pipeline,
      sourcePartition: i % LANES,
      sourceOffset,
      rejectedTime: timeOf(sourceOffset),
      applied: isSetAside(sourceOffset) ? applied : null,
    }
    const timestamp = String(timeOf(sourceOffset) - CLOCK_SKEW_MS)
    return { partition: 0, value: JSON.stringify(event), timestamp }
  }).filter((_, i) => Math.floor(i / LANES) % 3 === 0)
  await producer.send({ topic: topics.rejected, messages: rejected })
  await producer.disconnect()
}

const decoderOf = <T>() => ({
  decode: (bytes: Buffer | null) =>
    bytes === null
      ? new DecodeFault('WEIR_DECODE_EMPTY', 'found no value')
      : (JSON.parse(bytes.toString()) as T),
  learn: async () => undefined,
})
const scored = decoderOf<ScoredTransactionRecord>()
const rejected = decoderOf<RejectedRecord>()

const addressOf = (partition: number) => ({
  laneId: partition * 2,
  stream: 'transactions' as const,
  topic: topics.input,
  partition,
})

const rangeOf = (partition: number, fromOffset: number, committedOffset: number): LaneRange => ({
  lane: { address: addressOf(partition), committedOffset, memory: freshMemory() },
  fromOffset,
  readFromOffset: fromOffset,
})

async function readAll({ messages, journal }: LaneReader) {
  const values: string[] = []
  const entries: number[] = []
  for await (const fetch of messages) values.push(...fetch.map(({ value }) => value!.toString()))
  for await (const fetch of journal) entries.push(...fetch.map(({ sourceOffset }) => sourceOffset))
  return { values, entries }
}

test('kafka history - tells where lanes begin, end, and where a moment lies', async () => {
  const history = createKafkaHistory({ kafka, definition, scored, rejected })
  expect(await history.bounds(addressOf(1))).toEqual({ first: 0, end: MESSAGES })
  expect(await history.offsetAt(addressOf(0), 0)).toBe(0)
  expect(await history.offsetAt(addressOf(0), START_MS + 41_500)).toBe(42)
  expect(await history.offsetAt(addressOf(0), START_MS + 1e9)).toBe(MESSAGES)
})

test('kafka history - reads messages beyond what is committed, and the journals beside them', async () => {
  const history = createKafkaHistory({ kafka, definition, scored, rejected })
  const ranges = [rangeOf(0, 100, 250), rangeOf(1, 280, 290)]
  const opened = await history.open(ranges, 20)
  try {
    const [first, second] = await Promise.all(opened.readers.map(readAll))
    expect([first!.values[0], first!.values.at(-1)]).toEqual(['0/100', '0/269'])
    expect([second!.values[0], second!.values.at(-1)]).toEqual(['1/280', '1/299'])
    for (const [i, { entries }] of [first!, second!].entries()) {
      const { fromOffset, lane } = ranges[i]!
      expect(opened.readers[i]!.journalFrom).toBeLessThanOrEqual(fromOffset)
      // Nothing of the other lane, of another pipeline, or twice.
      expect(entries).toEqual([...new Set(entries)].sort((a, b) => a - b))
      const inRange = entries.filter((o) => o >= fromOffset && o < lane.committedOffset)
      const expected = Array.from({ length: MESSAGES }, (_, offset) => offset)
        .filter((offset) =>
          offset % 3 === 0 ? isSetAside(offset) : (offset * LANES + i) % 50 !== 7,
        )
        .filter((offset) => offset >= fromOffset && offset < lane.committedOffset)
      expect(inRange).toEqual(expected)
    }
  } finally {
    await opened.close()
  }
})

test('kafka history - has nothing to read where nothing was lost', async () => {
  const history = createKafkaHistory({ kafka, definition, scored, rejected })
  const opened = await history.open([rangeOf(0, MESSAGES, MESSAGES)], 20)
  expect(await readAll(opened.readers[0]!)).toEqual({ values: [], entries: [] })
  await opened.close()
})

test('kafka history - reads behind the beginning of a lane in mid-topic that has committed nothing', async () => {
  const bounds = () => ({ from: 40, to: 70 })
  const history = createKafkaHistory({ kafka, definition, scored, rejected, bounds })
  const { lane } = rangeOf(0, 0, 0)
  const range = { lane: { ...lane, originOffset: 40 }, fromOffset: 40, readFromOffset: 40 }
  const opened = await history.open([range], 20)
  try {
    const { values } = await readAll(opened.readers[0]!)
    expect([values[0], values.at(-1)]).toEqual(['0/40', '0/59'])
  } finally {
    await opened.close()
  }
})
