// The lanes' transactions on a real broker: fenced, atomic, with the lane's memory beside the
// offset.

import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import {
  createKafka,
  type Kafka,
  kafkajs,
} from '../../../../services/adapters/kafka/client/kafka-client.ts'
import { createLaneTransactions } from '../../../../services/adapters/kafka/lanes/lane-transactions.ts'
import { createTopics } from '../../../../services/adapters/kafka/topics/create-topics.ts'
import type { LaneAddress } from '../../../../services/lanes/lane-input.ts'
import { laneIdOf } from '../../../../services/lanes/lane-input.ts'
import type { LaneTransactions } from '../../../../services/lanes/lane-transactions.ts'
import {
  type Observe,
  observeNothing,
  type Signal,
} from '../../../../services/pipeline/observe/signals.ts'
import type { LaneDelivery, OutputTopic } from '../../../../services/pipeline/publish/publisher.ts'
import { outputTopics } from '../../../../services/pipeline/publish/publisher.ts'
import { silentLogger } from '../../../support/silent-logger.ts'
import { testStack, uniqueName } from '../../../support/stack.ts'
import { collectTopics } from '../../../support/topic-collector.ts'

let kafka: Kafka

beforeAll(async () => {
  const { kafkaBrokers: brokers } = await testStack()
  kafka = createKafka({ brokers, clientId: 'lane-transactions', logger: silentLogger })
})

type Place = {
  readonly lane: (partition: number) => LaneAddress
  readonly topics: Readonly<Record<OutputTopic, string>>
  readonly groupId: string
  readonly open: (observe?: Observe, client?: Kafka) => Promise<LaneTransactions>
  /** Committed values of an output topic, as partition:value. */
  readonly visible: (role: OutputTopic) => Promise<string[]>
}

/** An input topic with 50 messages in each partition, and outputs with as many partitions. */
async function openEnvironment(partitions = 2): Promise<Place> {
  const name = uniqueName('lane-transactions')
  const input = `${name}.in`
  const topics = Object.fromEntries(outputTopics.map((role) => [role, `${name}.${role}`]))
  const admin = kafka.admin()
  await admin.connect()
  await createTopics(
    admin,
    [input, ...Object.values(topics)].map((topic) => ({ topic, numPartitions: partitions })),
  )
  await admin.disconnect()
  await fillInput(input, partitions)
  const names = topics as Record<OutputTopic, string>
  const groupId = name
  const open = async (observe: Observe = observeNothing, client = kafka) => {
    const options = { kafka: client, groupId, topics: names, observe }
    const transactions = await createLaneTransactions(options)
    onTestFinished(() => transactions.close())
    return transactions
  }
  const visible = async (role: OutputTopic) => {
    const collector = await collectTopics(kafka, [names[role]])
    await collector.untilEnd()
    const found = collector.records(names[role]).map((r) => `${r.partition}:${r.value}`)
    await collector.close()
    return found
  }
  const lane = (partition: number): LaneAddress => ({
    laneId: laneIdOf('transactions', partition),
    stream: 'transactions',
    topic: input,
    partition,
  })
  return { lane, topics: names, groupId, open, visible }
}

async function fillInput(topic: string, partitions: number): Promise<void> {
  const { DefaultPartitioner: createPartitioner } = kafkajs.Partitioners
  const producer = kafka.producer({ createPartitioner })
  await producer.connect()
  const messages = Array.from({ length: 50 * partitions }, (_, i) => ({
    value: String(i),
    partition: i % partitions,
  }))
  await producer.send({ topic, messages })
  await producer.disconnect()
}

async function lowerCeiling(topic: string, bytes: number): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  const configEntries = [{ name: 'max.message.bytes', value: String(bytes) }]
  const resources = [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configEntries }]
  await admin.alterConfigs({ validateOnly: false, resources: resources as never })
  await admin.disconnect()
}

function deliveryOf(
  { laneId }: LaneAddress,
  [fromOffset, nextOffset]: readonly [number, number],
  values: Partial<Record<OutputTopic, readonly string[]>> = {},
): LaneDelivery {
  const records = Object.fromEntries(
    outputTopics.map((role) => [
      role,
      (values[role] ?? []).map((value) => ({ key: 'key', value: Buffer.from(value) })),
    ]),
  ) as unknown as LaneDelivery['records']
  return { laneId, fromOffset, nextOffset, metadata: `memory at ${nextOffset}`, records }
}

/** As kafkajs does when a leader moves at the wrong moment (stored-once.test.ts). */
function withoutLastTopic(client: Kafka): Kafka {
  const producer: Kafka['producer'] = (config) => {
    const made = client.producer(config)
    const transaction = async () => {
      const opened = await made.transaction()
      const sendBatch: typeof opened.sendBatch = (batch) =>
        opened.sendBatch({ ...batch, topicMessages: batch.topicMessages!.slice(0, -1) })
      return { ...opened, sendBatch }
    }
    return { ...made, transaction }
  }
  return Object.assign(Object.create(client) as Kafka, { producer })
}

describe('lane transactions', () => {
  it("publishes all topics, offset and metadata at once, in the lane's own partition", async () => {
    const { lane, open, visible } = await openEnvironment()
    const transactions = await open()
    const opened = await transactions.open(lane(1))
    expect(opened).toEqual({ nextOffset: 0, metadata: null, endOffset: 50 })
    const values = { scored: ['a', 'b'], alerts: ['c'], rejected: ['d'] }
    const outcomes = await transactions.deliver([deliveryOf(lane(1), [0, 4], values)])
    expect(outcomes).toEqual(['committed'])
    expect(await visible('scored')).toEqual(['1:a', '1:b'])
    expect(await visible('alerts')).toEqual(['1:c'])
    expect(await visible('rejected')).toEqual(['1:d'])
    const next = await open()
    expect(await next.open(lane(1))).toMatchObject({ nextOffset: 4, metadata: 'memory at 4' })
  })

  it('moves the offset alone where there is nothing to publish', async () => {
    const { lane, open } = await openEnvironment()
    const transactions = await open()
    await transactions.open(lane(0))
    expect(await transactions.deliver([deliveryOf(lane(0), [0, 9])])).toEqual(['committed'])
    expect(await transactions.open(lane(0))).toMatchObject({ nextOffset: 9 })
  })

  it('delivers a lane in order and several lanes side by side', async () => {
    const { lane, open, visible } = await openEnvironment()
    const transactions = await open()
    await Promise.all([transactions.open(lane(0)), transactions.open(lane(1))])
    const calls = Array.from({ length: 8 }, (_, i) =>
      transactions.deliver(
        [0, 1].map((p) => deliveryOf(lane(p), [i, i + 1], { scored: [`${i}`] })),
      ),
    )
    expect((await Promise.all(calls)).flat()).toEqual(new Array(16).fill('committed'))
    const found = await visible('scored')
    for (const partition of [0, 1]) {
      const mine = found.filter((value) => value.startsWith(`${partition}:`))
      expect(mine).toEqual(Array.from({ length: 8 }, (_, i) => `${partition}:${i}`))
    }
  })

  it.each(['none', 'gzip', 'zstd'] as const)(
    'publishes batches that readers unpack, compression %s',
    async (compression) => {
      const { lane, topics, groupId, visible } = await openEnvironment()
      const options = { kafka, groupId, topics, observe: observeNothing, compression }
      const transactions = await createLaneTransactions(options)
      onTestFinished(() => transactions.close())
      await transactions.open(lane(0))
      const scored = Array.from({ length: 200 }, (_, i) => `event ${i} `.repeat(i))
      const delivery = deliveryOf(lane(0), [0, 1], { scored })
      expect(await transactions.deliver([delivery])).toEqual(['committed'])
      expect(await visible('scored')).toEqual(scored.map((value) => `0:${value}`))
    },
  )

  it('knows a delivery that the broker refuses for its size from one in doubt', async () => {
    const { lane, topics, open, visible } = await openEnvironment()
    await lowerCeiling(topics.scored, 2000)
    const seen: Signal[] = []
    const transactions = await open((signal) => void seen.push(signal))
    await transactions.open(lane(0))
    const large = deliveryOf(lane(0), [0, 4], { scored: ['x'.repeat(5000)], rejected: ['a'] })
    expect(await transactions.deliver([large])).toEqual(['too_large'])
    expect(seen).toContainEqual(
      expect.objectContaining({ kind: 'retried', code: 'WEIR_PUBLISH_TOO_LARGE' }),
    )
    // Nothing of it is there, the lane has to be opened again, and then it goes on.
    expect(await transactions.deliver([deliveryOf(lane(0), [0, 4])])).toEqual(['in_doubt'])
    expect(await transactions.open(lane(0))).toMatchObject({ nextOffset: 0 })
    const small = deliveryOf(lane(0), [0, 4], { rejected: ['set aside'] })
    expect(await transactions.deliver([small])).toEqual(['committed'])
    expect(await visible('scored')).toEqual([])
    expect(await visible('rejected')).toEqual(['0:set aside'])
  })

  it('sends nothing that does not start where the last commit ended', async () => {
    const { lane, open, visible } = await openEnvironment()
    const transactions = await open()
    await transactions.open(lane(0))
    const gap = deliveryOf(lane(0), [3, 5], { scored: ['behind a gap'] })
    expect(await transactions.deliver([gap])).toEqual(['in_doubt'])
    expect(await transactions.deliver([deliveryOf(lane(1), [0, 1])])).toEqual(['in_doubt'])
    expect(await visible('scored')).toEqual([])
  })

  it('fences the producer before: its delivery leaves no trace, and it says in doubt', async () => {
    const { lane, open, visible } = await openEnvironment()
    const codes: string[] = []
    const zombie = await open((signal) => {
      if (signal.kind === 'retried') codes.push(signal.code)
    })
    await zombie.open(lane(0))
    await zombie.deliver([deliveryOf(lane(0), [0, 2], { scored: ['before'] })])
    const owner = await open()
    expect(await owner.open(lane(0))).toMatchObject({ nextOffset: 2, metadata: 'memory at 2' })
    const late = deliveryOf(lane(0), [2, 6], { scored: ['zombie'], alerts: ['zombie'] })
    expect(await zombie.deliver([late])).toEqual(['in_doubt'])
    // In doubt for good: nothing is sent behind a delivery whose outcome is unknown.
    expect(await zombie.deliver([deliveryOf(lane(0), [6, 7])])).toEqual(['in_doubt'])
    const right = deliveryOf(lane(0), [2, 3], { scored: ['owner'] })
    expect(await owner.deliver([right])).toEqual(['committed'])
    expect(await visible('scored')).toEqual(['0:before', '0:owner'])
    expect(await visible('alerts')).toEqual([])
    expect(codes).toContain('WEIR_PUBLISH_IN_DOUBT')
    // Opened again, the former zombie knows what is true and takes the lane back.
    expect(await zombie.open(lane(0))).toMatchObject({ nextOffset: 3, metadata: 'memory at 3' })
    expect(await zombie.deliver([deliveryOf(lane(0), [3, 4])])).toEqual(['committed'])
    expect(await owner.deliver([deliveryOf(lane(0), [3, 5])])).toEqual(['in_doubt'])
  })

  it('commits nothing where a part of the records was not stored, whatever kafkajs says', async () => {
    const { lane, open, visible } = await openEnvironment()
    const forgetful = await open(observeNothing, withoutLastTopic(kafka))
    await forgetful.open(lane(0))
    const values = { scored: ['a'], alerts: ['b'] }
    expect(await forgetful.deliver([deliveryOf(lane(0), [0, 4], values)])).toEqual(['in_doubt'])
    const owner = await open()
    expect(await owner.open(lane(0))).toMatchObject({ nextOffset: 0 })
    expect(await owner.deliver([deliveryOf(lane(0), [0, 4], values)])).toEqual(['committed'])
    expect(await visible('scored')).toEqual(['0:a'])
    expect(await visible('alerts')).toEqual(['0:b'])
  })

  it('refuses to open a lane whose committed offset is no longer in the topic', async () => {
    const { lane, open } = await openEnvironment()
    const transactions = await open()
    await transactions.open(lane(0))
    await transactions.deliver([deliveryOf(lane(0), [0, 5])])
    const admin = kafka.admin()
    await admin.connect()
    const { topic, partition } = lane(0)
    // kafkajs knows a topic's leaders only once it has asked for something of the topic.
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: '20' }] })
    await admin.disconnect()
    await expect(transactions.open(lane(0))).rejects.toMatchObject({
      code: 'WEIR_KAFKA_OFFSET_OUT_OF_RANGE',
    })
  })

  it('releases a lane: what comes for it later is not sent', async () => {
    const { lane, open, visible } = await openEnvironment()
    const transactions = await open()
    await transactions.open(lane(0))
    await transactions.release(lane(0).laneId)
    const late = deliveryOf(lane(0), [0, 1], { scored: ['late'] })
    expect(await transactions.deliver([late])).toEqual(['in_doubt'])
    expect(await visible('scored')).toEqual([])
  })
})
