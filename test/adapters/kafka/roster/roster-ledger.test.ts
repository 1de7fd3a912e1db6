// The ledger of rosters on a real broker and registry: one record per epoch, whoever else is at it.

import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import {
  createKafka,
  type Kafka,
  kafkajs,
} from '../../../../services/adapters/kafka/client/kafka-client.ts'
import { partitionBounds } from '../../../../services/adapters/kafka/ranges/topic-bounds.ts'
import { openTopicRanges } from '../../../../services/adapters/kafka/ranges/topic-ranges.ts'
import type { RosterRegistry } from '../../../../services/adapters/kafka/roster/roster-codec.ts'
import {
  type ChangeWish,
  openRosterLedger,
  type RosterLedger,
} from '../../../../services/adapters/kafka/roster/roster-ledger.ts'
import { createEncoder } from '../../../../services/adapters/registry/avro-codec.ts'
import { readSchema } from '../../../../services/adapters/registry/schema-files.ts'
import {
  connectRegistry,
  type Registry,
  subjectOf,
} from '../../../../services/adapters/registry/schema-registry.ts'
import type { PipelineDefinition } from '../../../../services/core/pipeline-definition.ts'
import type { RawMessage } from '../../../../services/pipeline/records.ts'
import type { RosterChange } from '../../../../services/roster/roster-change.ts'
import { silentLogger } from '../../../support/silent-logger.ts'
import { testStack, uniqueName } from '../../../support/stack.ts'
import { openRosterEnvironment, rosterFile } from './roster-environment.ts'

let kafka: Kafka
let registry: Registry

beforeAll(async () => {
  const { kafkaBrokers, registryUrl } = await testStack()
  kafka = createKafka({ brokers: kafkaBrokers, clientId: 'roster-ledger', logger: silentLogger })
  registry = connectRegistry(registryUrl)
  return () => registry.close()
})

const openEnvironment = (): Promise<PipelineDefinition> => openRosterEnvironment(kafka, registry)

const ledgerOf = (
  definition: PipelineDefinition,
  place: { readonly kafka?: Kafka; readonly registry?: RosterRegistry } = {},
): RosterLedger => openRosterLedger({ kafka, registry, definition, ...place })

const wish = (over: Partial<ChangeWish> = {}): ChangeWish => ({
  author: { who: 'ana', why: 'because', whenMs: 1_767_225_600_000 },
  epoch: null,
  ...over,
})

const shadow = (version: string) => (): RosterChange => ({
  action: 'shadow',
  model: { name: 'test', version },
})
const promote = (version: string) => (): RosterChange => ({
  action: 'promote',
  model: { name: 'test', version },
})
const rollback = (): RosterChange => ({ action: 'rollback', drops: false })

async function readTopic(topic: string): Promise<RawMessage[]> {
  const bounds = await partitionBounds(kafka, topic)
  const ranges = bounds.map(({ partition, low, high }) => ({
    topic,
    partition,
    from: low,
    to: high,
  }))
  const opened = await openTopicRanges(kafka, ranges)
  const messages: RawMessage[] = []
  for (const index of ranges.keys()) {
    for await (const fetched of opened.read(index)) messages.push(...fetched)
  }
  await opened.close()
  return messages
}

async function countRecords({ topics }: PipelineDefinition): Promise<number[]> {
  const [control, audit] = await Promise.all(
    [topics.modelControl, topics.modelAudit].map(readTopic),
  )
  return [control!.length, audit!.length]
}

async function produce(topic: string, key: string, value: Buffer | null): Promise<void> {
  const createPartitioner = kafkajs.Partitioners.DefaultPartitioner
  const producer = kafka.producer({ createPartitioner })
  await producer.connect()
  await producer.send({ topic, messages: [{ key, value, partition: 0 }] })
  await producer.disconnect()
}

describe('roster ledger', () => {
  it('begins with the pipeline file, and then says who changed what and why', async () => {
    const definition = await openEnvironment()
    const ledger = ledgerOf(definition)
    expect(await ledger.read()).toMatchObject({
      inForce: { epoch: 0, champion: { name: 'test', version: '1' }, challengers: [] },
      steps: [],
    })
    const first = await ledger.change(shadow('2'), wish())
    const trial = { action: 'canary', version: '2', share: 0.05 } as const
    const second = await ledger.change(() => trial, wish({ epoch: 1 }))
    const { inForce, steps } = await ledgerOf(definition).read()
    expect(inForce).toEqual({
      pipeline: 'test',
      epoch: 2,
      champion: { name: 'test', version: '1' },
      challengers: [{ name: 'test', version: '2' }],
      canary: { version: '2', share: 0.05, salt: 'test-2' },
      who: 'ana',
      why: 'because',
      whenMs: 1_767_225_600_000,
    })
    expect(steps).toEqual([first, second])
    expect(steps.map(({ action, before }) => [action, before.epoch])).toEqual([
      ['shadow', 0],
      ['canary', 1],
    ])
  })

  it('takes a promotion back to what the audit topic says was before', async () => {
    const ledger = ledgerOf(await openEnvironment())
    await ledger.change(shadow('2'), wish())
    await ledger.change(promote('2'), wish())
    await ledger.change(shadow('3'), wish())
    await ledger.change(rollback, wish())
    expect((await ledger.read()).inForce).toMatchObject({
      epoch: 4,
      champion: { name: 'test', version: '1' },
      challengers: [{ name: 'test', version: '2' }],
    })
  })

  it('writes nothing of a change that is refused, or whose author saw another epoch', async () => {
    const definition = await openEnvironment()
    const ledger = ledgerOf(definition)
    await ledger.change(shadow('2'), wish())
    await expect(ledger.change(rollback, wish())).rejects.toMatchObject({
      code: 'WEIR_ROSTER_REFUSED',
    })
    await expect(ledger.change(shadow('3'), wish({ epoch: 0 }))).rejects.toMatchObject({
      code: 'WEIR_ROSTER_CONFLICT',
      message: expect.stringMatching(/found epoch 1 \(ana: because\), expected --epoch 0/),
    })
    expect(await countRecords(definition)).toEqual([1, 1])
  })

  it('keeps pipelines apart that share the topics', async () => {
    const definition = await openEnvironment()
    const other = { ...definition, pipeline: 'other' }
    await ledgerOf(definition).change(shadow('2'), wish())
    await ledgerOf(other).change(shadow('3'), wish())
    const { inForce, steps } = await ledgerOf(definition).read()
    expect(inForce).toMatchObject({ epoch: 1, challengers: [{ version: '2' }] })
    expect(steps).toHaveLength(1)
  })

  it('says which command makes topics that are not there', async () => {
    const topics = { ...rosterFile.topics, modelAudit: uniqueName('nowhere') }
    await expect(ledgerOf({ ...rosterFile, topics }).read()).rejects.toMatchObject({
      code: 'WEIR_TOPICS_DIFFER',
      message: expect.stringContaining('weir topics apply'),
    })
  })

  it('refuses to guess past a record of the pipeline that it cannot read', async () => {
    const definition = await openEnvironment()
    await produce(definition.topics.modelControl, 'somebody', Buffer.from('not Avro'))
    expect((await ledgerOf(definition).read()).inForce.epoch).toBe(0)
    await produce(definition.topics.modelControl, definition.pipeline, Buffer.from('not Avro'))
    await expect(ledgerOf(definition).read()).rejects.toMatchObject({
      code: 'WEIR_ROSTER_UNREADABLE',
      message: expect.stringContaining(definition.topics.modelControl),
    })
  })

  it('finds a roster that the control topic has lost in the audit topic', async () => {
    const definition = await openEnvironment()
    await ledgerOf(definition).change(shadow('2'), wish())
    const { after } = await ledgerOf(definition).change(shadow('3'), wish())
    const { modelControl } = (await openEnvironment()).topics
    const bereft = { ...definition, topics: { ...definition.topics, modelControl } }
    expect((await ledgerOf(bereft).read()).inForce).toEqual(after)
    expect((await ledgerOf(bereft).change(shadow('4'), wish())).after).toMatchObject({
      epoch: 3,
      challengers: [{ version: '2' }, { version: '3' }, { version: '4' }],
    })
  })

  it('lets the first record of an epoch count, whoever wrote the second', async () => {
    const definition = await openEnvironment()
    const { modelControl: topic } = definition.topics
    const ledger = ledgerOf(definition)
    const { after } = await ledger.change(shadow('2'), wish())
    const id = await registry.lookUp(subjectOf(topic), readSchema('model-control'))
    const { whenMs: when, ...roster } = { ...after, who: 'a zombie', challengers: [] }
    const late = createEncoder(readSchema('model-control'), id!)({ ...roster, when })
    await produce(topic, definition.pipeline, late)
    expect((await ledger.read()).inForce).toEqual(after)
  })
})

describe('roster ledger, two operators', () => {
  it('refuses whoever read before another one committed', async () => {
    const definition = await openEnvironment()
    const faster = ledgerOf(definition)
    // The slow one has read the ledger; before it writes, the fast one comes and goes.
    let hasPassed = false
    const slow = ledgerOf(definition, {
      registry: {
        ...registry,
        lookUp: async (...question) => {
          if (!hasPassed) {
            hasPassed = true
            await faster.change(shadow('fast'), wish())
          }
          return registry.lookUp(...question)
        },
      },
    })
    await expect(slow.change(shadow('slow'), wish())).rejects.toMatchObject({
      code: 'WEIR_ROSTER_CONFLICT',
      message: expect.stringContaining('Another operator came later'),
    })
    expect(hasPassed).toBe(true)
    expect(await countRecords(definition)).toEqual([1, 1])
    expect((await faster.read()).inForce).toMatchObject({
      epoch: 1,
      challengers: [{ version: 'fast' }],
    })
  })

  it('lets one of many win an epoch', async () => {
    const definition = await openEnvironment()
    const versions = ['2', '3', '4', '5']
    const outcomes = await Promise.allSettled(
      versions.map((version) => ledgerOf(definition).change(shadow(version), wish({ epoch: 0 }))),
    )
    const won = outcomes.flatMap((outcome) =>
      outcome.status === 'fulfilled' ? [outcome.value] : [],
    )
    const lost = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [outcome.reason] : [],
    )
    expect(won).toHaveLength(1)
    expect(lost.map(({ code }) => code)).toEqual(Array(3).fill('WEIR_ROSTER_CONFLICT'))
    expect(await countRecords(definition)).toEqual([1, 1])
    expect((await ledgerOf(definition).read()).steps).toEqual(won)
  })
})

/** A client whose commits end otherwise than they should, and say nothing of it. */
function loseCommits(ending: 'commit' | 'abort'): Kafka {
  const losing = Object.create(kafka) as Kafka
  losing.producer = (options) => {
    const producer = kafka.producer(options)
    const transaction = async () => {
      const begun = await producer.transaction()
      const commit = async () => {
        await begun[ending]()
        throw new Error('the connection is gone')
      }
      return Object.assign(Object.create(begun), { ...begun, commit })
    }
    return Object.assign(Object.create(producer), { ...producer, transaction })
  }
  return losing
}

describe('roster ledger, the answer to a commit is lost', () => {
  it('finds that the change was made', async () => {
    const definition = await openEnvironment()
    const step = await ledgerOf(definition, { kafka: loseCommits('commit') }).change(
      shadow('2'),
      wish(),
    )
    expect((await ledgerOf(definition).read()).steps).toEqual([step])
    expect(await countRecords(definition)).toEqual([1, 1])
  })

  it('finds that it was not', async () => {
    const definition = await openEnvironment()
    const ledger = ledgerOf(definition, { kafka: loseCommits('abort') })
    await expect(ledger.change(shadow('2'), wish())).rejects.toMatchObject({
      code: 'WEIR_KAFKA_AWAY',
      message: expect.stringContaining('The roster was not changed'),
    })
    expect(await countRecords(definition)).toEqual([0, 0])
  })
})

describe('roster ledger, the registry is away', () => {
  const away = () => {
    const nowhere = connectRegistry('http://127.0.0.1:1', { attemptsMax: 1, requestMsMax: 500 })
    onTestFinished(() => nowhere.close())
    return nowhere
  }

  it('reads, rolls back, and writes with the id that the newest record has', async () => {
    const definition = await openEnvironment()
    await ledgerOf(definition).change(shadow('2'), wish())
    await ledgerOf(definition).change(promote('2'), wish())
    const before = await ledgerOf(definition).read()
    expect(await ledgerOf(definition, { registry: away() }).read()).toEqual(before)
    const step = await ledgerOf(definition, { registry: away() }).change(rollback, wish())
    expect(step.after).toMatchObject({ epoch: 3, champion: { version: '1' } })
    // Whoever has the registry reads it: the ids are those of the schemas.
    expect(await ledgerOf(definition).read()).toMatchObject({ inForce: step.after })
    for (const [file, topic] of [
      ['model-control', definition.topics.modelControl],
      ['model-audit', definition.topics.modelAudit],
    ] as const) {
      const id = await registry.lookUp(subjectOf(topic), readSchema(file))
      const ids = (await readTopic(topic)).map(({ value }) => value!.readInt32BE(1))
      expect(ids).toEqual([id, id, id])
    }
  })

  it('cannot write the first record of all', async () => {
    const definition = await openEnvironment()
    const ledger = ledgerOf(definition, { registry: away() })
    await expect(ledger.change(shadow('2'), wish())).rejects.toMatchObject({
      code: 'WEIR_REGISTRY_AWAY',
    })
    expect(await countRecords(definition)).toEqual([0, 0])
  })
})
