// What a real Java producer writes with each of the five codecs, read through the lanes' consumer.

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { kafkaVersion } from '../../../../dev/stack/artifacts.ts'
import { findProgram } from '../../../../dev/stack/machine-packages.ts'
import { cacheFolder } from '../../../../dev/stack/repository.ts'
import {
  createKafka,
  type Kafka,
  kafkajs,
} from '../../../../services/adapters/kafka/client/kafka-client.ts'
import { createLaneConsumer } from '../../../../services/adapters/kafka/lanes/lane-consumer.ts'
import { openTopicRanges } from '../../../../services/adapters/kafka/ranges/topic-ranges.ts'
import { createTopics } from '../../../../services/adapters/kafka/topics/create-topics.ts'
import type { LaneAddress } from '../../../../services/lanes/lane-input.ts'
import type { RawMessage } from '../../../../services/pipeline/records.ts'
import { silentLogger } from '../../../support/silent-logger.ts'
import { testStack, uniqueName } from '../../../support/stack.ts'
import { waitFor } from '../../../support/wait-for.ts'
import { asText, javaCodecs, javaEvents, javaProgram } from './java-events.ts'

const jars = join(cacheFolder(process.env), `kafka-${kafkaVersion}`)
const java = findProgram('java', process.env)
const MIB = 1024 * 1024

async function openTopic(): Promise<{ kafka: Kafka; topic: string; brokers: readonly string[] }> {
  const { kafkaBrokers: brokers } = await testStack()
  const kafka = createKafka({ brokers, clientId: 'java-producer', logger: silentLogger })
  const topic = uniqueName('java-producer')
  const admin = kafka.admin()
  await admin.connect()
  await createTopics(admin, [{ topic, numPartitions: 1 }])
  await admin.disconnect()
  return { kafka, topic, brokers }
}

/** All of partition 0 as the lanes get it, until `nextOffset` is reached. */
async function readLane(kafka: Kafka, topic: string, nextOffset: number): Promise<RawMessage[]> {
  const input = createLaneConsumer({
    kafka,
    groupId: uniqueName('java-producer'),
    topics: [{ topic, stream: 'transactions' }],
  })
  onTestFinished(() => input.stop())
  const messages: RawMessage[] = []
  const errors: Error[] = []
  let next = 0
  await input.start({
    assigned: (lanes: readonly LaneAddress[]) => input.seek(lanes[0]!, 0),
    revoked: () => undefined,
    fetched: (_laneId, fetched) => {
      messages.push(...fetched.messages)
      next = fetched.nextOffset
    },
    crashed: (error) => void errors.push(error),
  })
  await waitFor(
    () => next >= nextOffset || errors.length > 0,
    () => `read up to ${next}, expected ${nextOffset}`,
  )
  expect(errors).toEqual([])
  return messages
}

describe('batches on a real broker', () => {
  // Where the stack runs in containers, or elsewhere, the artifacts are not on this machine.
  it.skipIf(java === undefined || !existsSync(jars))(
    'lane-consumer - reads what a Java producer writes with each of the five codecs',
    async () => {
      const { kafka, topic, brokers } = await openTopic()
      const run = spawnSync(
        java!,
        ['-Xmx128m', '-cp', join(jars, '*'), javaProgram, 'produce', brokers.join(','), topic],
        { encoding: 'utf8' },
      )
      expect(run.status, run.stderr).toBe(0)
      const expected = javaCodecs.flatMap(() => javaEvents)
      const messages = await readLane(kafka, topic, expected.length)
      expect(
        messages.map(({ key, value }) => ({ key: asText(key), value: asText(value) })),
      ).toEqual(expected)
    },
  )

  it('lane-consumer - hands over a batch that unpacks to too much as one message, and goes on', async () => {
    const { kafka, topic } = await openTopic()
    const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
    await producer.connect()
    const send = (...values: Buffer[]) =>
      producer.send({
        topic,
        compression: kafkajs.CompressionTypes.GZIP,
        messages: values.map((value) => ({ value, partition: 0 })),
      })
    await send(Buffer.from('before'))
    await send(Buffer.alloc(33 * MIB), Buffer.alloc(33 * MIB, 'x'))
    await send(Buffer.from('after'))
    await producer.disconnect()
    const messages = await readLane(kafka, topic, 4)
    expect(messages.map(({ offset }) => offset)).toEqual([0, 2, 3])
    const [before, batch, after] = messages
    expect([asText(before!.value), asText(after!.value)]).toEqual(['before', 'after'])
    expect(batch!.unreadable).toEqual({
      firstOffset: 1,
      detail:
        'the record batch of offsets 1 to 2 cannot be read: gzip: unpacks to more than 64 MiB (batchUnpackedBytesMax)',
    })
    // A range that begins in the middle of the batch meets it too, and ends.
    const range = { topic, partition: 0, from: 2, to: 4 }
    const ranges = await openTopicRanges(kafka, [range])
    const read: RawMessage[] = []
    for await (const fetched of ranges.read(0)) read.push(...fetched)
    await ranges.close()
    expect(read.map(({ offset }) => offset)).toEqual([2, 3])
  })
})
