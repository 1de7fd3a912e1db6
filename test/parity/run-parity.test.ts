// `weir parity` on a real run: nothing while all is well, and each planted fault by its name.
//
// A scorer scores a few thousand generated events, poison and late ones among them. Its scored
// topic is then copied with one fault each; the other topics stay as they are.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { repositoryFolder } from '../../dev/stack/repository.ts'
import { prefillTopic } from '../../load/generator/prefill.ts'
import type { Progress } from '../../load/generator/schedule.ts'
import { kafkajs } from '../../services/adapters/kafka/client/kafka-client.ts'
import { createTopics } from '../../services/adapters/kafka/topics/create-topics.ts'
import { createEncoder } from '../../services/adapters/registry/avro-codec.ts'
import { readSchema } from '../../services/adapters/registry/schema-files.ts'
import { connectRegistry, type Registry } from '../../services/adapters/registry/schema-registry.ts'
import { describeFinding } from '../../services/parity/findings.ts'
import { isEqual, type ParityReport } from '../../services/parity/parity-report.ts'
import { runParity } from '../../services/parity/run-parity.ts'
import { openParityDecoders } from '../../services/parity/topics/open-decoders.ts'
import type { ParityRange } from '../../services/parity/topics/parity-environment.ts'
import type { ScoredTransactionRecord } from '../../services/pipeline/publish/output-records.ts'
import { untilCommitted } from '../support/committed-offsets.ts'
import { openScoringEnvironment, type ScoringEnvironment } from '../support/scoring-environment.ts'
import { collectTopics, type TopicCollector } from '../support/topic-collector.ts'
import { allTopicsOf, readWeirTopics } from '../support/weir-topics.ts'

const EVENTS = 4000
const PARTITIONS = 3
const DAY_MS = 86_400_000

type Scored = ScoredTransactionRecord

let place: ScoringEnvironment
let registry: Registry
let collector: TopicCollector
let sent: Progress
let scored: readonly Scored[]
const whileScoring: ParityReport[] = []

beforeAll(async () => {
  place = await openScoringEnvironment({ purpose: 'parity', partitions: PARTITIONS })
  const { definition, kafka, schemaIds, stack } = place
  registry = connectRegistry(stack.registryUrl)
  sent = await prefillTopic({
    brokers: stack.kafkaBrokers,
    transactionsTopic: definition.topics.transactions,
    labelsTopic: definition.topics.labels,
    schemaIds,
    generator: {
      count: EVENTS,
      customers: 150,
      terminals: 60,
      startTimeMs: Date.now() - 40 * DAY_MS,
    },
    disturbances: { poisonShare: 0.01, lateShare: 0.01 },
  })
  const scorer = await place.startScorer()
  // Once before the first event, and once or more with work in flight.
  while (whileScoring.length < 2) whileScoring.push(await prove())
  await untilCommitted(place)
  scorer.signal('SIGTERM')
  expect(await scorer.ended).toBe('exited with code 0')
  collector = await collectTopics(kafka, allTopicsOf(definition))
  await collector.untilEnd()
  scored = readWeirTopics(definition, collector).scored()
})

afterAll(async () => {
  await registry?.close()
  await collector?.close()
  await place?.close()
})

const wholeTopics: ParityRange = { fromMs: null, toMs: null }

type ProveOptions = {
  readonly range?: ParityRange
  readonly sample?: number
  /** In place of the pipeline's own. */
  readonly scoredTopic?: string
}

function prove({ range = wholeTopics, sample = 0, scoredTopic }: ProveOptions = {}) {
  const { kafka, definition, groupId } = place
  const topics = { ...definition.topics, scored: scoredTopic ?? definition.topics.scored }
  const decoders = openParityDecoders(registry, definition)
  const parityPlace = { kafka, definition: { ...definition, topics }, groupId, decoders }
  return runParity(parityPlace, { ...range, sample })
}

/** The scored topic once more, changed; every record in the partition of its lane. */
async function copyScored(change: (events: Scored[]) => readonly Scored[]): Promise<string> {
  const { kafka, definition } = place
  const topic = `${definition.topics.scored}.copy-${copies++}`
  const schema = readSchema('scored-transaction')
  const id = await registry.lookUp(`${definition.topics.scored}-value`, schema)
  const encode = createEncoder<Scored>(schema, id!)
  const admin = kafka.admin()
  await admin.connect()
  await createTopics(admin, [{ topic, numPartitions: PARTITIONS }])
  await admin.disconnect()
  const producer = kafka.producer({
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  })
  await producer.connect()
  const messages = change([...scored]).map((event) => ({
    partition: event.sourcePartition,
    value: encode(event),
  }))
  await producer.send({ topic, messages })
  await producer.disconnect()
  return topic
}
let copies = 0

const told = ({ offenders }: ParityReport): string[] => offenders.slice(0, 3).map(describeFinding)

/** An event in the middle of the run that is counted, and has a customer with more of them. */
const chosen = (): Scored =>
  scored.filter(({ ordinals }) => ordinals[0]! > 2).at(Math.floor(scored.length / 3))!

const change = (one: Scored, fields: Partial<Scored>) => (events: Scored[]) =>
  events.map((event) => (event === one ? { ...event, ...fields } : event))

describe('parity - a run without faults', () => {
  it('computes every vector again and finds nothing', async () => {
    const report = await prove({ sample: 60 })
    expect(told(report)).toEqual([])
    expect(isEqual(report)).toBe(true)
    expect(report).toMatchObject({ events: EVENTS, unverified: 0, rejected: sent.poison })
    expect(report.received).toBe(EVENTS + sent.poison)
    expect(report.sampled).toBeGreaterThan(20)
  })

  it('finds nothing while events are being scored', () => {
    for (const report of whileScoring) {
      expect(told(report)).toEqual([])
      expect(report.events).toBeLessThanOrEqual(EVENTS)
    }
  })

  it('judges a range of time, with the history that its windows need', async () => {
    const times = collector
      .records(place.definition.topics.transactions)
      .map(({ timestampMs }) => timestampMs)
      .sort((a, b) => a - b)
    const [fromMs, toMs] = [times[Math.floor(times.length / 3)]!, times.at(-10)!]
    const report = await prove({ range: { fromMs, toMs } })
    expect(told(report)).toEqual([])
    expect(report).toMatchObject({ unverified: 0, missing: 0 })
    expect(report.received).toBe(report.events + report.rejected)
    expect(report.received).toBeGreaterThan(0)
    expect(report.received).toBeLessThan(times.length)
  })

  it('is the same proof on a copy of the scored topic', async () => {
    const report = await prove({ scoredTopic: await copyScored((events) => events) })
    expect(told(report)).toEqual([])
    expect(report.events).toBe(EVENTS)
  })
})

describe('parity - what is planted is found', () => {
  it('a bit of a feature', async () => {
    const one = chosen()
    const bits = new Uint32Array(Float32Array.from(one.features).buffer)
    bits[3]! ^= 1
    const features = [...new Float32Array(bits.buffer)]
    const report = await prove({ scoredTopic: await copyScored(change(one, { features })) })
    expect(report).toMatchObject({ differences: 1, ordinalGaps: 0, missing: 0, duplicated: 0 })
    expect(report.offenders[0]).toMatchObject({
      kind: 'feature',
      transactionId: one.transactionId,
      subject: place.definition.features[3]!.name,
      found: String(features[3]),
      expected: String(one.features[3]),
    })
  })

  it('an event that was published twice', async () => {
    const scoredTopic = await copyScored((events) => [...events, chosen()])
    const report = await prove({ scoredTopic })
    expect(report).toMatchObject({ duplicated: 1, differences: 0, ordinalGaps: 0, missing: 0 })
  })

  it('an event that was never published, and the gaps that it leaves', async () => {
    const one = chosen()
    const scoredTopic = await copyScored((events) => events.filter((event) => event !== one))
    const report = await prove({ scoredTopic })
    expect(report).toMatchObject({ missing: 1, duplicated: 0, differences: 0 })
    expect(report.ordinalGaps).toBeGreaterThan(0)
    expect(report.unverifiedBecause.gap).toBeGreaterThan(0)
    const { topics } = place.definition
    const source = `${topics.transactions}/${one.sourcePartition}/${one.sourceOffset}`
    expect(report.offenders).toContainEqual(expect.objectContaining({ kind: 'missing', source }))
  })

  it('the last event of a lane that was never published', async () => {
    const last = scored.filter(({ sourcePartition }) => sourcePartition === 0).at(-1)!
    const scoredTopic = await copyScored((events) => events.filter((event) => event !== last))
    const report = await prove({ scoredTopic })
    expect(report.missing).toBe(1)
  })

  it('an ordinal that jumps', async () => {
    const one = chosen()
    const ordinals = one.ordinals.map((ordinal, e) => (e === 0 ? ordinal + 10_000 : ordinal))
    const report = await prove({ scoredTopic: await copyScored(change(one, { ordinals })) })
    expect(report.ordinalGaps).toBeGreaterThan(0)
    expect(report).toMatchObject({ missing: 0, duplicated: 0 })
  })

  it('an event that saw the future: it changes places with the one behind it', async () => {
    const pair = scored.flatMap((one) => {
      const isBehind = (other: Scored) =>
        other.keys.customer === one.keys.customer && other.ordinals[0] === one.ordinals[0]! + 1
      const next = one.ordinals[0]! > 0 ? scored.find(isBehind) : undefined
      const isNear = next !== undefined && Math.abs(next.eventTime - one.eventTime) < DAY_MS
      return isNear ? [{ one, next }] : []
    })[0]!
    const swap =
      ({ one, next }: typeof pair) =>
      (events: Scored[]) =>
        events.map((event) => {
          const other = event === one ? next : event === next ? one : null
          if (other === null) return event
          return { ...event, ordinals: [other.ordinals[0]!, ...event.ordinals.slice(1)] }
        })
    const report = await prove({ scoredTopic: await copyScored(swap(pair)) })
    expect(report.differences).toBeGreaterThan(0)
    expect(report).toMatchObject({ ordinalGaps: 0, ordinalClashes: 0, missing: 0, duplicated: 0 })
    const ids = report.offenders.map(({ transactionId }) => transactionId)
    expect(ids).toContain(pair.next.transactionId)
    // What the two claim to have seen may rule out the true order of labels for who shares their
    // logs.
    const isOfThem = ({ keys }: Scored) =>
      [pair.one, pair.next].some(
        (e) => e.keys.customer === keys.customer || e.keys.terminal === keys.terminal,
      )
    const theirs = scored.filter(isOfThem).map(({ transactionId }) => transactionId)
    expect(theirs).toEqual(expect.arrayContaining(ids))
    expect(theirs.length).toBeLessThan(scored.length / 2)
  })

  it('a lateness, a copied field, an outcome without a message', async () => {
    const [one, two, three] = [chosen(), scored[10]!, scored[11]!]
    const changes = (events: Scored[]): Scored[] => [
      ...events.map((event) => {
        if (event === one) return { ...event, latenessMs: event.latenessMs + 1 }
        return event === two ? { ...event, carried: { ...event.carried, amountMinor: -1 } } : event
      }),
      // Behind the end of the topic there is no message.
      { ...three, sourceOffset: 1_000_000 },
    ]
    const report = await prove({ scoredTopic: await copyScored(changes) })
    const kinds = report.offenders.map(({ kind }) => kind)
    expect(kinds.sort()).toEqual(['copied', 'lateness', 'unknown'])
  })
})

describe('parity - the command', () => {
  async function run(...flags: string[]) {
    const { stack, groupId } = place
    const main = join(repositoryFolder, 'services/cli/main.ts')
    const pipeline = join(repositoryFolder, 'pipelines/card-fraud.yaml')
    const child = spawn(process.execPath, [main, 'parity', '--pipeline', pipeline, ...flags], {
      env: {
        PATH: process.env.PATH,
        WEIR_KAFKA_BROKERS: stack.kafkaBrokers.join(','),
        WEIR_REGISTRY_URL: stack.registryUrl,
        WEIR_TOPIC_PREFIX: `${groupId}.`,
        WEIR_GROUP_ID: groupId,
      },
    })
    const texts = { out: '', error: '' }
    child.stdout.on('data', (bytes) => {
      texts.out += bytes
    })
    child.stderr.on('data', (bytes) => {
      texts.error += bytes
    })
    const code = await new Promise((resolve) => child.once('close', resolve))
    return { code, ...texts }
  }

  it('ends with 0 and `0 differences`, or one object', async () => {
    const told = await run('--sample', '5')
    expect(told).toMatchObject({ code: 0 })
    expect(told.out.trimEnd().split('\n').at(-1)).toBe('0 differences')
    const { code, out } = await run('--sample', '0', '--json')
    expect(code).toBe(0)
    const { seconds, ...report } = JSON.parse(out.trimEnd().split('\n').at(-1)!)
    expect(report).toMatchObject({ events: EVENTS, differences: 0, ordinalGaps: 0, missing: 0 })
    expect(seconds).toBeGreaterThan(0)
  })

  it('refuses a range that ends before it begins, with 2', async () => {
    const { code, error } = await run('--from', '2026-01-02T00:00Z', '--to', '2026-01-01')
    expect(code).toBe(2)
    expect(error).toMatch(/WEIR_SETTINGS_INVALID.*found --from 2026-01-02T00:00:00.000Z/i)
  })

  it('ends with 1 once an event was published twice', async () => {
    const { kafka, definition } = place
    const { value } = collector.records(definition.topics.scored)[0]!
    const createPartitioner = kafkajs.Partitioners.DefaultPartitioner
    const producer = kafka.producer({ createPartitioner })
    await producer.connect()
    await producer.send({ topic: definition.topics.scored, messages: [{ partition: 1, value }] })
    await producer.disconnect()
    const { code, out } = await run('--sample', '0')
    expect(code).toBe(1)
    expect(out).toMatch(/^duplicated {2}/)
    expect(out.trimEnd().split('\n').at(-1)).toBe('1 differences')
  })
})

describe('parity - topics that have expired in part', () => {
  it('says what it could not verify, and finds nothing wrong in it', async () => {
    const { kafka, definition } = place
    const topic = definition.topics.transactions
    const scoredTopic = await copyScored((events) => events)
    const admin = kafka.admin()
    await admin.connect()
    for (const [name, offset] of [
      [topic, 700],
      [scoredTopic, 500],
    ] as const) {
      await admin.fetchTopicOffsets(name)
      const partitions = [{ partition: 0, offset: String(offset) }]
      await admin.deleteTopicRecords({ topic: name, partitions })
    }
    await admin.disconnect()
    const report = await prove({ scoredTopic })
    expect(told(report)).toEqual([])
    expect(report.received).toBe(EVENTS + sent.poison - 700)
    expect(report.unverifiedBecause.history).toBeGreaterThan(0)
  })
})
