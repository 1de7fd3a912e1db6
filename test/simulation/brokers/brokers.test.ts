// The simulated brokers keep Kafka's promises that Weir relies on, asked through kafkajs itself.

import { describe, expect, it } from 'vitest'
import type { Kafka } from '../../../services/adapters/kafka/client/kafka-client.ts'
import { createRandom } from '../../support/random.ts'
import { createSimulatedKafka } from '../simulated-kafka.ts'
import { createVirtualTime, type VirtualTime } from '../virtual-time.ts'
import type { Call } from '../wire.ts'
import { type Brokers, createBrokers } from './brokers.ts'

const TOPIC = 'things'

/** Answers come at once, but not within the same turn. */
const callOn =
  (time: VirtualTime): Call =>
  () =>
  (act) =>
    new Promise((resolve, reject) => {
      const answer = () => void Promise.resolve().then(act).then(resolve, reject)
      time.after(1, answer, time.lifeNow())
    })

type Place = { readonly brokers: Brokers; readonly kafka: Kafka }

async function within(work: (place: Place) => Promise<void>): Promise<void> {
  const time = createVirtualTime(1_700_000_000_000, () => 0.5)
  const brokers = createBrokers({
    time,
    random: createRandom(1),
    topics: { [TOPIC]: 2 },
    batchBytesMax: 10_000,
    slowDisconnect: () => 0,
    fetchRecordsMax: 40,
  })
  let outcome: { error: unknown } | null = null
  time.after(
    0,
    () => {
      work({ brokers, kafka: createSimulatedKafka(brokers, callOn(time)) }).then(
        () => {
          outcome = { error: null }
        },
        (error: unknown) => {
          outcome = { error }
        },
      )
    },
    null,
  )
  await time.runUntil(() => outcome !== null, time.nowMs() + 600_000)
  expect(outcome).toEqual({ error: null })
}

const producerOf = async ({ kafka }: Place, transactionalId = 'one') => {
  const producer = kafka.producer({
    transactionalId,
    idempotent: true,
    maxInFlightRequests: 1,
    retry: { retries: 5, initialRetryTime: 20 },
  })
  await producer.connect()
  return producer
}

const send = (value: string, partition = 0) => ({
  topic: TOPIC,
  messages: [{ value, partition }],
})

const valuesIn = ({ brokers }: Place, partition = 0) =>
  brokers
    .log(TOPIC, partition)
    .committed()
    .map(({ value }) => value!.toString())

/** A moment after the answer to a commit or an abort. */
const markersWritten = () => new Promise((resolve) => setTimeout(resolve, 50))

const refusalOf = (work: Promise<unknown>) =>
  work.then(
    () => null,
    (error: { type?: string }) => error.type,
  )

describe('simulated brokers', () => {
  it('show records and offsets of a transaction together, or neither', () =>
    within(async (place) => {
      const producer = await producerOf(place)
      const topics = [{ topic: TOPIC, partitions: [{ partition: 0, offset: '7', metadata: 'm' }] }]
      const admin = place.kafka.admin()
      await admin.connect()
      const committed = async () => {
        const [found] = await admin.fetchOffsets({ groupId: 'g', topics: [TOPIC] })
        return found!.partitions.find(({ partition }) => partition === 0)
      }
      const given = await producer.transaction()
      await given.send(send('a'))
      await given.sendOffsets({ consumerGroupId: 'g', topics })
      expect(valuesIn(place)).toEqual([])
      await given.abort()
      const kept = await producer.transaction()
      await kept.send(send('b'))
      await kept.sendOffsets({ consumerGroupId: 'g', topics })
      expect((await committed())?.offset).toBe('-1')
      await kept.commit()
      // The next one begins only when the markers of the last are written.
      await (await producer.transaction()).send(send('c'))
      expect(valuesIn(place)).toEqual(['b'])
      expect(await committed()).toMatchObject({ offset: '7', metadata: 'm' })
    }))

  it('fence the producer that was there before, and abort what it left open', () =>
    within(async (place) => {
      const older = await producerOf(place)
      const left = await older.transaction()
      await left.send(send('left'))
      const newer = await producerOf(place)
      const own = await newer.transaction()
      await own.send(send('own'))
      await own.commit()
      await markersWritten()
      expect(await refusalOf(left.send(send('late')))).toBe('INVALID_PRODUCER_EPOCH')
      expect(await refusalOf(left.commit())).toBe('INVALID_PRODUCER_EPOCH')
      expect(valuesIn(place)).toEqual(['own'])
    }))

  it('refuse a batch that is too large, and what was sent beside it is aborted with it', () =>
    within(async (place) => {
      const producer = await producerOf(place)
      const transaction = await producer.transaction()
      const large = { value: 'x'.repeat(20_000), partition: 0 }
      const both = { topic: TOPIC, messages: [large, { value: 'small', partition: 1 }] }
      expect(await refusalOf(transaction.send(both))).toBe('MESSAGE_TOO_LARGE')
      await transaction.abort()
      await markersWritten()
      expect([...valuesIn(place, 0), ...valuesIn(place, 1)]).toEqual([])
    }))

  it('give all partitions to the members there are, one generation at a time', () =>
    within(async ({ kafka, brokers }) => {
      const shares = new Map<string, number>()
      const join = async (name: string) => {
        const consumer = kafka.consumer({
          groupId: 'g',
          sessionTimeout: 6000,
          heartbeatInterval: 500,
        })
        consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
          shares.set(name, (payload.memberAssignment[TOPIC] ?? []).length)
        })
        await consumer.connect()
        await consumer.subscribe({ topic: TOPIC })
        await consumer.run({ autoCommit: false, eachBatch: async () => undefined })
        return consumer
      }
      const untilShared = async (expected: Record<string, number>) => {
        while (JSON.stringify(Object.fromEntries(shares)) !== JSON.stringify(expected)) {
          await new Promise((resolve) => setTimeout(resolve, 100))
        }
      }
      const first = await join('first')
      await untilShared({ first: 2 })
      const second = await join('second')
      await untilShared({ first: 1, second: 1 })
      await first.disconnect()
      await untilShared({ first: 1, second: 2 })
      expect(brokers.group('g').memberCount).toBe(1)
      await second.disconnect()
      expect(brokers.group('g').memberCount).toBe(0)
    }))
})
