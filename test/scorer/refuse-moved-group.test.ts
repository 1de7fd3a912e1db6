// A prefix is a deployment of its own; whoever had one before is told, on a real broker.

import { beforeAll, describe, expect, it } from 'vitest'
import { createKafka, type Kafka } from '../../services/adapters/kafka/client/kafka-client.ts'
import { createTopics } from '../../services/adapters/kafka/topics/create-topics.ts'
import { storePrefix } from '../../services/adapters/redis/fences/redis-fences.ts'
import { groupOf, readSettings } from '../../services/core/settings.ts'
import { refuseMovedGroup } from '../../services/scorer/refuse-moved-group.ts'
import { lanesPipeline } from '../support/lanes-pipeline.ts'
import { createRandom } from '../support/random.ts'
import { silentLogger } from '../support/silent-logger.ts'
import { testStack, uniqueName } from '../support/stack.ts'

let kafka: Kafka
const pipeline = uniqueName('moved')
const topic = uniqueName('moved-topic')
const definition = {
  ...lanesPipeline(createRandom(1)),
  pipeline,
  topics: { ...lanesPipeline(createRandom(1)).topics, transactions: topic },
}

beforeAll(async () => {
  const { kafkaBrokers: brokers } = await testStack()
  kafka = createKafka({ brokers, clientId: 'moved', logger: silentLogger })
  const admin = kafka.admin()
  await admin.connect()
  await createTopics(admin, [{ topic, numPartitions: 1 }])
  await admin.disconnect()
})

async function commit(groupId: string): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '0' }] })
  await admin.disconnect()
}

const prefixed = { groupId: null, topicPrefix: 'blue.' }

describe('a prefix alone', () => {
  it('gives group and keys of their own', () => {
    const plain = readSettings({})
    const blue = readSettings({ WEIR_TOPIC_PREFIX: 'blue.' })
    const green = readSettings({ WEIR_TOPIC_PREFIX: 'green.' })
    const all = [plain, blue, green]
    expect(new Set(all.map((settings) => groupOf(settings, 'p'))).size).toBe(3)
    const keys = all.map(({ keyPrefix }) => storePrefix(keyPrefix, definition))
    expect(new Set(keys).size).toBe(3)
    expect(groupOf(plain, 'p')).toBe('weir.p')
    expect(plain.keyPrefix).toBe('weir')
    const own = { WEIR_TOPIC_PREFIX: 'blue.', WEIR_GROUP_ID: 'g', WEIR_KEY_PREFIX: 'k' }
    expect(groupOf(readSettings(own), 'p')).toBe('g')
    expect(readSettings(own).keyPrefix).toBe('k')
  })

  it('is refused where the group without it has gone on so far', async () => {
    await refuseMovedGroup(kafka, definition, prefixed)
    await commit(`weir.${pipeline}`)
    const refused = refuseMovedGroup(kafka, definition, prefixed)
    await expect(refused).rejects.toMatchObject({ code: 'WEIR_ENVIRONMENT_UNFIT' })
    await expect(refused).rejects.toThrow(`WEIR_GROUP_ID=weir.${pipeline} and WEIR_KEY_PREFIX=weir`)
    await refuseMovedGroup(kafka, definition, { groupId: 'g', topicPrefix: 'blue.' })
    await refuseMovedGroup(kafka, definition, { groupId: null, topicPrefix: '' })
    await commit(`weir.blue.${pipeline}`)
    await refuseMovedGroup(kafka, definition, prefixed)
  })
})
