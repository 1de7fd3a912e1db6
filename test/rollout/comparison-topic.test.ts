// model.comparisons on a real broker and registry: each minute of a trial once, however often it
// starts.

import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createKafka, type Kafka } from '../../services/adapters/kafka/client/kafka-client.ts'
import { partitionBounds } from '../../services/adapters/kafka/ranges/topic-bounds.ts'
import { openTopicRanges } from '../../services/adapters/kafka/ranges/topic-ranges.ts'
import { applyTopics } from '../../services/adapters/kafka/topics/topic-admin.ts'
import { topicPlan } from '../../services/adapters/kafka/topics/topics.ts'
import { createDecoder } from '../../services/adapters/registry/avro-codec.ts'
import { readSchema } from '../../services/adapters/registry/schema-files.ts'
import {
  connectRegistry,
  type Registry,
  subjectOf,
} from '../../services/adapters/registry/schema-registry.ts'
import { decodeLearning } from '../../services/pipeline/decode/decode-learning.ts'
import {
  type ComparisonRecord,
  composeComparison,
} from '../../services/rollout/comparison-record.ts'
import { openComparisonTopic } from '../../services/rollout/comparison-topic.ts'
import type { Trial } from '../../services/rollout/trial.ts'
import { createPairedCounts } from '../../services/statistics/paired-counts.ts'
import { silentLogger } from '../support/silent-logger.ts'
import { testStack, uniqueName } from '../support/stack.ts'

let kafka: Kafka
let registry: Registry
beforeAll(async () => {
  const { kafkaBrokers, registryUrl } = await testStack()
  kafka = createKafka({ brokers: kafkaBrokers, clientId: 'comparisons', logger: silentLogger })
  registry = connectRegistry(registryUrl)
  return () => registry.close()
})

const nowMs = Date.now()
const trial: Trial = {
  champion: { name: 'test', version: '1' },
  challenger: { name: 'test', version: '2' },
  share: 0,
  sinceEpoch: 3,
  sinceMs: nowMs,
  stepEpoch: 3,
  stepMs: nowMs,
  isRolledBack: false,
}
const minutes = (...indexes: number[]): ComparisonRecord[] =>
  indexes.map((index) =>
    composeComparison(
      'card-fraud',
      trial,
      { startMs: nowMs + index * 60_000, counts: createPairedCounts() },
      { action: 'wait', reasons: [] },
    ),
  )

async function openTopic() {
  const plan = topicPlan({ prefix: `${uniqueName('comparisons')}.` }).filter(
    ({ role }) => role === 'modelComparisons',
  )
  const { topic } = plan[0]!
  const admin = kafka.admin()
  await admin.connect()
  onTestFinished(async () => {
    await admin.deleteTopics({ topics: [topic] })
    await admin.disconnect()
  })
  await applyTopics({ admin, registry, plan })
  const open = async () => {
    const opened = await openComparisonTopic({ kafka, registry, topic, pipeline: 'card-fraud' })
    onTestFinished(opened.close)
    return opened
  }
  const readMinutes = async (): Promise<number[]> => {
    const [bounds] = await partitionBounds(kafka, topic)
    const ranges = await openTopicRanges(kafka, [
      { topic, partition: 0, from: 0, to: bounds!.high },
    ])
    const decoder = createDecoder<ComparisonRecord>(readSchema('model-comparison'), (id) =>
      registry.schemaById(id, subjectOf(topic)),
    )
    const found: number[] = []
    for await (const messages of ranges.read(0)) {
      const { values } = await decodeLearning(messages, decoder)
      for (const value of values) found.push((value!.windowStart - nowMs) / 60_000)
    }
    await ranges.close()
    return found
  }
  return { open, readMinutes }
}

describe('comparison topic', () => {
  it('writes each minute of a trial once, across restarts and beside another service', async () => {
    const { open, readMinutes } = await openTopic()
    const first = await open()
    await first.publish(minutes(0, 1), trial)
    await first.publish(minutes(2), trial)
    const second = await open()
    await second.publish(minutes(0, 1, 2, 3), trial)
    // The first does not know yet what the second has written.
    await first.publish(minutes(3, 4), trial)
    await second.publish(minutes(4), trial)
    expect(await readMinutes()).toEqual([0, 1, 2, 3, 4])
  })

  it('begins a later trial of the same two models anew', async () => {
    const { open, readMinutes } = await openTopic()
    const topic = await open()
    await topic.publish(minutes(0), trial)
    const again = { ...trial, sinceEpoch: 7, stepEpoch: 7 }
    const [minute] = minutes(0)
    await topic.publish([{ ...minute!, controlEpoch: 7 }], again)
    await topic.publish([{ ...minute!, controlEpoch: 7 }], again)
    expect(await readMinutes()).toEqual([0, 0])
  })
})
