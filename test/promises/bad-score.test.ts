// Promises 1, 2 and 6 where the model itself fails: one event without a probability stops nobody.
//
// The champion gives the amount back, so a payment above 1 scores no probability. Such a payment is
// counted, because its entities' later events have to see it, and then set aside: on the rejected
// topic with its bytes, and with its place in the logs, so that parity and a store that was lost
// and restored from the topics find every ordinal.

import { createHash } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createWire } from '../../load/generator/wire.ts'
import { kafkajs, type Message } from '../../services/adapters/kafka/client/kafka-client.ts'
import type { ParityReport } from '../../services/parity/parity-report.ts'
import { transactionOf } from '../support/batches.ts'
import { untilCommitted } from '../support/committed-offsets.ts'
import { parityOf } from '../support/parity-of-environment.ts'
import { openScoringEnvironment, type ScoringEnvironment } from '../support/scoring-environment.ts'
import { collectTopics, type TopicCollector } from '../support/topic-collector.ts'
import { allTopicsOf, readWeirTopics, type WeirTopics } from '../support/weir-topics.ts'

const EVENTS = 900
const CUSTOMERS = 7
const TERMINALS = 5
const isBad = (i: number): boolean => i % 9 === 4

const pipelineText = `pipeline: bad-score
entities:
  customer: { key: [customerId] }
  terminal: { key: [terminalId] }
features:
  - { name: amount, field: amountMinor, scale: 0.01 }
  - { name: is_night, calendar: { hours: [0, 6] } }
  - { name: customer_count_1d, entity: customer, op: count, window: 1d }
  - { name: customer_amount_mean_7d, entity: customer, op: mean, of: amountMinor, window: 7d }
model: { name: unbounded, version: "1", source: test/fixtures/models }
policy: { review: 0.5, block: 0.9 }
`

let place: ScoringEnvironment
let collector: TopicCollector
let topics: WeirTopics
let parities: ParityReport[]
const ends: string[] = []
let originals: readonly Message[]

const startMs = Date.now() - 3_600_000
const paymentOf = (i: number) =>
  transactionOf({
    transactionId: `t-${i}`,
    eventTime: startMs + i * 1000,
    customerId: `c-${i % CUSTOMERS}`,
    terminalId: `m-${i % TERMINALS}`,
    amountMinor: isBad(i) ? 20_000 : i % 100,
  })

async function produce(from: number, to: number): Promise<void> {
  const { DefaultPartitioner: createPartitioner } = kafkajs.Partitioners
  const producer = place.kafka.producer({ createPartitioner })
  await producer.connect()
  const { transactions: topic } = place.definition.topics
  await producer.send({ topic, messages: originals.slice(from, to) })
  await producer.disconnect()
}

/** Scores all there is, and ends well. */
async function scoreAll(): Promise<void> {
  const scorer = await place.startScorer()
  await untilCommitted(place)
  scorer.signal('SIGTERM')
  ends.push(await scorer.ended)
}

async function loseStore(): Promise<number> {
  let keysLost = 0
  const redis = new Redis(place.stack.redisUrl)
  for await (const keys of redis.scanStream({ match: `{${place.keyPrefix}*`, count: 1000 })) {
    if ((keys as string[]).length > 0) keysLost += await redis.unlink(keys as string[])
  }
  redis.disconnect()
  return keysLost
}

beforeAll(async () => {
  place = await openScoringEnvironment({ purpose: 'bad-score', partitions: 2, pipelineText })
  const { encodeTransaction } = createWire(place.schemaIds)
  originals = Array.from({ length: EVENTS }, (_, i) => ({
    key: `c-${i % CUSTOMERS}`,
    value: encodeTransaction(paymentOf(i)),
    partition: i % 2,
  }))
  parities = []
  await produce(0, EVENTS / 2)
  await scoreAll()
  parities.push(await parityOf(place))
  expect(await loseStore()).toBeGreaterThan(CUSTOMERS + TERMINALS)
  await produce(EVENTS / 2, EVENTS)
  await scoreAll()
  parities.push(await parityOf(place, 200))
  collector = await collectTopics(place.kafka, allTopicsOf(place.definition))
  topics = readWeirTopics(place.definition, collector)
  await collector.untilEnd()
})
afterAll(async () => {
  await collector?.close()
  await place?.close()
})

const numbers = Array.from({ length: EVENTS }, (_, i) => i)

describe('a champion without a probability for some events', () => {
  it('scores all other events, and the scorer lives to drain', () => {
    expect(ends).toEqual(['exited with code 0', 'exited with code 0'])
    const ids = topics.scored().map(({ transactionId }) => transactionId)
    const expected = numbers.filter((i) => !isBad(i)).map((i) => `t-${i}`)
    expect(ids.sort()).toEqual(expected.sort())
  })

  it('rejects each of those with code, bytes and vector', () => {
    const rejected = topics.rejected()
    expect(rejected).toHaveLength(numbers.filter(isBad).length)
    const bytes = new Set(rejected.map(({ original }) => original!.toString('hex')))
    for (const i of numbers.filter(isBad)) {
      expect(bytes).toContain((originals[i]!.value as Buffer).toString('hex'))
    }
    for (const { original, originalBytes, originalSha256, ...record } of rejected) {
      expect(originalBytes).toBe(original!.length)
      expect(originalSha256).toBe(createHash('sha256').update(original!).digest('hex'))
      expect(record).toMatchObject({ code: 'WEIR_CLASSIFY_BAD_SCORE', stage: 'classify' })
      expect(record.detail).toBe('unbounded 1 scored 200, expected 0 to 1')
      expect(record.applied!.features[0]).toBe(200)
    }
  })

  it('gives every entity dense ordinals over both topics, through a store that was lost', () => {
    const ordinals = [
      ...topics.scored().map((record) => record.ordinals[0]!),
      ...topics.rejected().map(({ applied }) => applied!.ordinals[0]!),
    ]
    const perCustomer = Array.from({ length: CUSTOMERS }, (_, customer) =>
      numbers.filter((i) => i % CUSTOMERS === customer).map((_, nth) => nth),
    )
    const sort = (values: number[]) => values.sort((a, b) => a - b)
    expect(sort(ordinals)).toEqual(sort(perCustomer.flat()))
  })

  it('is proved by parity, before the loss and after it', () => {
    for (const report of parities) {
      expect(report.offenders.slice(0, 5)).toEqual([])
      expect(report).toMatchObject({
        differences: 0,
        ordinalGaps: 0,
        ordinalClashes: 0,
        missing: 0,
        duplicated: 0,
      })
    }
    const bad = numbers.filter(isBad).length
    expect(parities[1]).toMatchObject({ events: EVENTS - bad, rejected: bad })
  })
})
