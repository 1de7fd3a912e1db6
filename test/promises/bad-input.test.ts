// Promise 6: one bad event never stops a partition, and never disappears.
//
// Everything that should not be on the topic, among good events: fuzzed bytes, foreign schema ids,
// nulls, values of 1 MB, GUID prefixes, cut Avro, broken rules. Each comes out on the rejected
// topic with its code, its original bytes and its position; every good event around it is scored.

import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createWire } from '../../load/generator/wire.ts'
import { kafkajs, type Message } from '../../services/adapters/kafka/client/kafka-client.ts'
import { errorTable } from '../../services/core/errors.ts'
import type { RejectedRecord } from '../../services/pipeline/publish/output-records.ts'
import { type CardTransaction, transactionOf } from '../support/batches.ts'
import { untilCommitted } from '../support/committed-offsets.ts'
import { createRandom } from '../support/random.ts'
import { openScoringEnvironment, type ScoringEnvironment } from '../support/scoring-environment.ts'
import { collectTopics, type TopicCollector } from '../support/topic-collector.ts'
import { allTopicsOf, readWeirTopics, type WeirTopics } from '../support/weir-topics.ts'

const SEED = 7
const FUZZED = 300
const MEGABYTE = 1_000_000
const MIB = 1024 * 1024

type Bad = { readonly value: Buffer | null; readonly code: string | null }

let place: ScoringEnvironment
let collector: TopicCollector
let topics: WeirTopics
let bad: readonly Bad[]
let goodIds: readonly string[]
let end: string

/** One of each kind with the code it deserves, and many fuzzed ones that may deserve any. */
function badOnes(encode: (transaction: CardTransaction) => Buffer): Bad[] {
  const random = createRandom(SEED)
  const good = encode(payment('fuzzed'))
  const withHead = (head: readonly number[]) =>
    Buffer.concat([Buffer.of(...head), good.subarray(5)])
  const rule = (change: Partial<CardTransaction>, code: string): Bad => ({
    value: encode({ ...payment('broken'), ...change }),
    code,
  })
  const kinds: Bad[] = [
    { value: null, code: 'WEIR_DECODE_EMPTY' },
    { value: Buffer.alloc(0), code: 'WEIR_DECODE_EMPTY' },
    { value: Buffer.from('{"transactionId":"json"}'), code: 'WEIR_DECODE_NOT_AVRO' },
    { value: Buffer.of(0, 0, 0), code: 'WEIR_DECODE_NOT_AVRO' },
    { value: withHead([0, 0x7f, 0xff, 0xff, 0x01]), code: 'WEIR_DECODE_UNKNOWN_SCHEMA' },
    { value: withHead([0, 0xff, 0xff, 0xff, 0xff]), code: 'WEIR_DECODE_UNKNOWN_SCHEMA' },
    {
      value: Buffer.concat([Buffer.alloc(17, 1), good.subarray(5)]),
      code: 'WEIR_DECODE_GUID_PREFIX',
    },
    { value: good.subarray(0, good.length - 3), code: 'WEIR_DECODE_BAD_BODY' },
    { value: Buffer.concat([good, Buffer.of(0)]), code: 'WEIR_DECODE_BAD_BODY' },
    {
      value: Buffer.concat([good.subarray(0, 5), Buffer.alloc(MEGABYTE)]),
      code: 'WEIR_DECODE_BAD_BODY',
    },
    { value: Buffer.alloc(MEGABYTE, 0x5a), code: 'WEIR_DECODE_NOT_AVRO' },
    { value: Buffer.alloc(10 * MIB, 0x5b), code: 'WEIR_DECODE_NOT_AVRO' },
    rule({ transactionId: '' }, 'WEIR_VALIDATE_ID'),
    rule({ customerId: 'x'.repeat(65) }, 'WEIR_VALIDATE_ID'),
    rule({ amountMinor: -1 }, 'WEIR_VALIDATE_AMOUNT'),
    rule({ currency: 'ZZZ' }, 'WEIR_VALIDATE_CURRENCY'),
    rule({ eventTime: Date.now() + 3_600_000 }, 'WEIR_VALIDATE_FUTURE'),
    rule({ eventTime: 0 }, 'WEIR_VALIDATE_TOO_OLD'),
  ]
  // Bytes flipped behind the head may still be a payment: such a one is scored, and that is right.
  const fuzzed = Array.from({ length: FUZZED }, (): Bad => {
    const value = Buffer.from(good)
    for (let flips = random.integer(1, 6); flips > 0; flips--) {
      value[random.integer(0, value.length - 1)] = random.integer(0, 255)
    }
    return { value, code: null }
  })
  return [...kinds, ...fuzzed]
}

const payment = (transactionId: string): CardTransaction =>
  transactionOf({ transactionId, eventTime: Date.now() - 60_000 })

beforeAll(async () => {
  place = await openScoringEnvironment({ purpose: 'bad-input', partitions: 2 })
  const { definition, kafka, schemaIds } = place
  const { encodeTransaction } = createWire(schemaIds)
  bad = badOnes(encodeTransaction)
  goodIds = bad.flatMap((_, i) => [`good-${i}-a`, `good-${i}-b`])
  const messages = bad.flatMap(({ value }, i): Message[] => [
    { key: 'k', value: encodeTransaction(payment(`good-${i}-a`)), partition: i % 2 },
    { key: `key-${i}`, value, partition: i % 2 },
    { key: 'k', value: encodeTransaction(payment(`good-${i}-b`)), partition: i % 2 },
  ])
  const { DefaultPartitioner: createPartitioner } = kafkajs.Partitioners
  const producer = kafka.producer({ createPartitioner })
  await producer.connect()
  for (const message of messages) {
    // What is longer than the topic takes comes compressed, as its producers would send it.
    const { GZIP, None } = kafkajs.CompressionTypes
    const compression = (message.value?.length ?? 0) > MIB ? GZIP : None
    const topic = definition.topics.transactions
    await producer.send({ topic, messages: [message], compression })
  }
  await producer.disconnect()
  collector = await collectTopics(kafka, allTopicsOf(definition))
  topics = readWeirTopics(definition, collector)
  const scorer = await place.startScorer()
  await untilCommitted(place)
  scorer.signal('SIGTERM')
  end = await scorer.ended
  await collector.untilEnd()
})
afterAll(async () => {
  await collector?.close()
  await place?.close()
})

const rejectedWithKey = (key: string): RejectedRecord[] =>
  topics.rejected().filter(({ originalKey }) => originalKey?.toString() === key)

describe(`bad input among good, seed ${SEED}`, () => {
  it('every good event is scored once, and the scorer lives to drain', () => {
    const scored = topics.scored().map(({ transactionId }) => transactionId)
    expect(scored.filter((id) => id.startsWith('good-')).sort()).toEqual([...goodIds].sort())
    expect(end).toBe('exited with code 0')
  })

  it('every bad event is on the rejected topic with code, stage and original bytes', () => {
    for (const [i, { value, code }] of bad.entries()) {
      if (code === null) continue
      const [rejection, ...more] = rejectedWithKey(`key-${i}`)
      expect(more, `${i}: ${code}`).toEqual([])
      expect(rejection?.code, `${i}: ${code}`).toBe(code)
      expect(rejection?.stage).toBe(code.split('_')[1]!.toLowerCase())
      expect(
        rejection!.original === null
          ? null
          : Buffer.compare(rejection!.original, value!.subarray(0, MIB)),
      ).toBe(value === null ? null : 0)
    }
  })

  it('a bad event of 10 MiB is cut, and tells its length and hash', () => {
    const long = bad.findIndex(({ value }) => value?.length === 10 * MIB)
    const [rejection] = rejectedWithKey(`key-${long}`)
    expect(rejection!.original).toHaveLength(MIB)
    expect(rejection!.originalBytes).toBe(10 * MIB)
    const hash = createHash('sha256').update(bad[long]!.value!).digest('hex')
    expect(rejection!.originalSha256).toBe(hash)
  })

  it('each says where it stood and when the broker took it', () => {
    const positions = new Map(
      topics.received().map((record) => [`${record.partition}/${record.offset}`, record]),
    )
    for (const rejection of topics.rejected()) {
      const { sourcePartition, sourceOffset, originalKey } = rejection
      const record = positions.get(`${sourcePartition}/${sourceOffset}`)
      expect(record?.key).toEqual(originalKey)
      expect(rejection.brokerTime).toBe(record?.timestampMs)
      expect(rejection.sourceTopic).toBe(place.definition.topics.transactions)
    }
  })

  it('fuzzed bytes are scored or rejected with a code of the table, never lost', () => {
    const codes = topics.rejected().map(({ code }) => code)
    expect(codes.every((code) => Object.hasOwn(errorTable, code))).toBe(true)
    expect(topics.scored().length + topics.rejected().length).toBe(topics.received().length)
    expect(topics.received()).toHaveLength(3 * bad.length)
  })
})
