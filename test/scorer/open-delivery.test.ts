// The way out of a scorer: whatever fails on the way to it, no connection to the brokers is left
// behind.

import { beforeAll, describe, expect, it } from 'vitest'
import {
  type Admin,
  createKafka,
  type Kafka,
} from '../../services/adapters/kafka/client/kafka-client.ts'
import { createClosers } from '../../services/environment/closers.ts'
import { openDelivery } from '../../services/scorer/open-delivery.ts'
import { silentLogger } from '../support/silent-logger.ts'
import { testStack, uniqueName } from '../support/stack.ts'

let brokers: readonly string[]
beforeAll(async () => {
  brokers = (await testStack()).kafkaBrokers
})

/**
 * A client that counts the connections of its admins, and fails the second one where it is told to.
 */
function openCounted({ failsAt = Number.POSITIVE_INFINITY } = {}) {
  const kafka = createKafka({ brokers, clientId: 'delivery', logger: silentLogger })
  let admins = 0
  let open = 0
  const admin = (): Admin => {
    const made = kafka.admin()
    const number = ++admins
    made.on(made.events.CONNECT, () => {
      open++
    })
    made.on(made.events.DISCONNECT, () => {
      open--
    })
    if (number !== failsAt) return made
    return {
      ...made,
      connect: async () => {
        await made.connect()
        throw new Error('no metadata')
      },
    }
  }
  return { kafka: { ...kafka, admin } as Kafka, open: () => open }
}

async function makeTopic(kafka: Kafka): Promise<string> {
  const topic = uniqueName('delivery')
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic }], waitForLeaders: true })
  await admin.disconnect()
  return topic
}

const wishOf = (kafka: Kafka, topic: string, output = topic) => ({
  kafka,
  groupId: topic,
  topics: { scored: output, alerts: topic, driftSamples: topic, rejected: topic, late: topic },
  inputs: [{ topic, stream: 'transactions' as const }],
  observe: () => undefined,
})

describe('open delivery', () => {
  it('closes all that it opened', async () => {
    const { kafka, open } = openCounted()
    const topic = await makeTopic(kafka)
    const { add, closeAll } = createClosers(() => undefined)
    const { laneIds } = await openDelivery({ ...wishOf(kafka, topic), add })
    expect(open()).toBe(2)
    expect(await laneIds.list()).toHaveLength(1)
    await closeAll()
    expect(open()).toBe(0)
  })

  it('leaves nothing open where the topics cannot be counted', async () => {
    const { kafka, open } = openCounted()
    const topic = await makeTopic(kafka)
    const { add, closeAll } = createClosers(() => undefined)
    const opening = openDelivery({ ...wishOf(kafka, topic, `${topic}-nowhere`), add })
    await expect(opening).rejects.toThrow(/does not host/)
    await closeAll()
    expect(open()).toBe(0)
  })

  it('leaves nothing open where the lanes cannot be listed', async () => {
    // The first made the topic, the second is the producers'.
    const { kafka, open } = openCounted({ failsAt: 3 })
    const topic = await makeTopic(kafka)
    const { add, closeAll } = createClosers(() => undefined)
    await expect(openDelivery({ ...wishOf(kafka, topic), add })).rejects.toThrow('no metadata')
    await closeAll()
    expect(open()).toBe(0)
  })
})
