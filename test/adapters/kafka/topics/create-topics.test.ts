import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Admin, createKafka } from '../../../../services/adapters/kafka/client/kafka-client.ts'
import {
  createTopics,
  waitForTopics,
} from '../../../../services/adapters/kafka/topics/create-topics.ts'
import { testStack, uniqueName } from '../../../support/stack.ts'

let admin: Admin

beforeAll(async () => {
  const { kafkaBrokers: brokers } = await testStack()
  const logger = { debug() {}, info() {}, warn() {}, error() {} }
  admin = createKafka({ brokers, clientId: 'create-topics', logger }).admin()
  await admin.connect()
})
afterAll(async () => {
  await admin?.disconnect()
})

/** An admin whose broker lags behind the controller for a number of questions. */
function lagging(questions: number, type: string): { admin: Admin; asked: () => number } {
  let asked = 0
  const fetchTopicMetadata: Admin['fetchTopicMetadata'] = (options) => {
    asked++
    if (asked <= questions) return Promise.reject(Object.assign(new Error(type), { type }))
    return admin.fetchTopicMetadata(options)
  }
  return { admin: { ...admin, fetchTopicMetadata }, asked: () => asked }
}

describe('create-topics', () => {
  it('create-topics - creates topics that can be used, and says whether they are new', async () => {
    const topics = [{ topic: uniqueName('made'), numPartitions: 3 }]
    expect(await createTopics(admin, topics)).toBe(true)
    expect(await admin.fetchTopicOffsets(topics[0]!.topic)).toHaveLength(3)
    expect(await createTopics(admin, topics)).toBe(false)
  })

  it('create-topics - creates nothing where it only validates', async () => {
    const topic = uniqueName('validated')
    await createTopics(admin, [{ topic }], true)
    expect(await admin.listTopics()).not.toContain(topic)
  })

  it.each(['UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE', 'NOT_LEADER_FOR_PARTITION'])(
    'create-topics - waits for a broker that still answers %s',
    async (type) => {
      const { admin: behind, asked } = lagging(3, type)
      await createTopics(behind, [{ topic: uniqueName('lagging') }])
      // More often where the real broker lags, too.
      expect(asked()).toBeGreaterThanOrEqual(4)
    },
  )

  it('create-topics - does not wait where the broker refuses', async () => {
    const { admin: refusing, asked } = lagging(1, 'TOPIC_AUTHORIZATION_FAILED')
    await expect(waitForTopics(refusing, ['secret'])).rejects.toMatchObject({
      type: 'TOPIC_AUTHORIZATION_FAILED',
    })
    expect(asked()).toBe(1)
  })
})
