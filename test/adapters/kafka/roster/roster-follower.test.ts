// Following the roster on a real broker: all of it, as it comes, whatever else is in the topic.

import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createKafka, type Kafka } from '../../../../services/adapters/kafka/client/kafka-client.ts'
import {
  createRosterCodec,
  type RosterRegistry,
} from '../../../../services/adapters/kafka/roster/roster-codec.ts'
import { followRosters } from '../../../../services/adapters/kafka/roster/roster-follower.ts'
import { openRosterLedger } from '../../../../services/adapters/kafka/roster/roster-ledger.ts'
import type { ControlRecord } from '../../../../services/adapters/kafka/roster/roster-records.ts'
import {
  connectRegistry,
  type Registry,
} from '../../../../services/adapters/registry/schema-registry.ts'
import { WeirError } from '../../../../services/core/errors.ts'
import type { PipelineDefinition } from '../../../../services/core/pipeline-definition.ts'
import { silentLogger } from '../../../support/silent-logger.ts'
import { testStack } from '../../../support/stack.ts'
import { waitFor } from '../../../support/wait-for.ts'
import { openRosterEnvironment } from './roster-environment.ts'

let kafka: Kafka
let registry: Registry

beforeAll(async () => {
  const { kafkaBrokers, registryUrl } = await testStack()
  kafka = createKafka({ brokers: kafkaBrokers, clientId: 'roster-follower', logger: silentLogger })
  registry = connectRegistry(registryUrl)
  return () => registry.close()
})

const openEnvironment = (): Promise<PipelineDefinition> => openRosterEnvironment(kafka, registry)

function shadow(definition: PipelineDefinition, version: string) {
  const author = { who: 'ana', why: 'because', whenMs: 1_767_225_600_000 }
  const model = { name: 'test', version }
  return openRosterLedger({ kafka, registry, definition }).change(
    () => ({ action: 'shadow', model }),
    { author, epoch: null },
  )
}

function follow(definition: PipelineDefinition, from: RosterRegistry = registry) {
  const topic = definition.topics.modelControl
  const heard: number[] = []
  const refused: string[] = []
  const follower = followRosters({
    kafka,
    topic,
    pipeline: definition.pipeline,
    codec: createRosterCodec<ControlRecord>('model-control', topic, from),
    hear: ({ epoch }) => void heard.push(epoch),
    refuse: (error) => void refused.push((error as WeirError).code),
    retry: () => undefined,
  })
  onTestFinished(follower.close)
  const untilHeard = (count: number) =>
    waitFor(
      () => heard.length >= count,
      () => `${heard.length} rosters, expected ${count}`,
    )
  return { follower, heard, refused, untilHeard }
}

describe('roster follower', () => {
  it('hears the rosters that are there, then each new one, of its pipeline alone', async () => {
    const definition = await openEnvironment()
    await shadow(definition, '2')
    await shadow({ ...definition, pipeline: 'other' }, '2')
    const { heard, untilHeard } = follow(definition)
    await untilHeard(1)
    await shadow({ ...definition, pipeline: 'other' }, '3')
    await shadow(definition, '3')
    await untilHeard(2)
    expect(heard).toEqual([1, 2])
  })

  it('hears them while the schema registry is away', async () => {
    const definition = await openEnvironment()
    await shadow(definition, '2')
    const away = () => Promise.reject(new WeirError('WEIR_REGISTRY_AWAY', 'for a test'))
    const { heard, untilHeard } = follow(definition, { lookUp: away, schemaById: away })
    await untilHeard(1)
    await shadow(definition, '3')
    await untilHeard(2)
    expect(heard).toEqual([1, 2])
  })

  it('tells a record that cannot be read', async () => {
    const definition = await openEnvironment()
    const producer = kafka.producer()
    await producer.connect()
    onTestFinished(() => producer.disconnect())
    const { heard, refused } = follow(definition)
    const key = definition.pipeline
    await producer.send({
      topic: definition.topics.modelControl,
      messages: [
        { key, value: Buffer.from('no roster') },
        { key, value: null },
      ],
    })
    await waitFor(
      () => refused.length > 0,
      () => 'a refusal',
    )
    expect(refused).toEqual(['WEIR_ROSTER_UNREADABLE'])
    expect(heard).toEqual([])
  })

  it('leaves no group behind', async () => {
    const definition = await openEnvironment()
    await shadow(definition, '2')
    const { follower, untilHeard } = follow(definition)
    const admin = kafka.admin()
    await admin.connect()
    onTestFinished(() => admin.disconnect())
    const groups = async () =>
      (await admin.listGroups()).groups.map(({ groupId }) => groupId).sort()
    await untilHeard(1)
    const during = await groups()
    await follower.close()
    const after = await groups()
    const gone = during.filter((id) => id.startsWith('weir-roster-') && !after.includes(id))
    expect(gone.length).toBeGreaterThan(0)
  })
})
