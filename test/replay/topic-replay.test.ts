// A replay of topics against the scorer that scored them, against files, and against itself.
//
// Where the order is the same, the bits are. One partition has one order, live and in a replay; the
// labels' lane beside it may be claimed a moment later when a scorer starts, so an event is
// compared where it saw the labels that were known by then. Two places: one with poison, late
// events and a live scorer, one tidy and with several partitions.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { prefillTopic } from '../../load/generator/prefill.ts'
import type { Progress } from '../../load/generator/schedule.ts'
import { connectRegistry } from '../../services/adapters/registry/schema-registry.ts'
import { openInputDecoders } from '../../services/environment/open-decoders.ts'
import type { ScoredTransactionRecord } from '../../services/pipeline/publish/output-records.ts'
import type { Label } from '../../services/pipeline/records.ts'
import { rangesOfRun } from '../../services/replay/ranges-of-run.ts'
import { runReplay, type TopicReplayOptions } from '../../services/replay/run-replay.ts'
import type { PartitionRead } from '../../services/replay/topic-lane.ts'
import type { TopicHistory } from '../../services/replay/topic-source.ts'
import { untilCommitted } from '../support/committed-offsets.ts'
import { openScoringEnvironment, type ScoringEnvironment } from '../support/scoring-environment.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { type CollectedRecord, collectTopics } from '../support/topic-collector.ts'
import { allTopicsOf, decodeTransaction, readWeirTopics } from '../support/weir-topics.ts'
import { type Run, readRun, replaySmall, smallHistory, writeNdjson } from './replay-world.ts'

const DAY_MS = 86_400_000
const PARTITIONS = 3

const fill = (
  { stack, definition, schemaIds }: ScoringEnvironment,
  count: number,
  disturbances: { poisonShare?: number; lateShare?: number },
): Promise<Progress> =>
  prefillTopic({
    brokers: stack.kafkaBrokers,
    transactionsTopic: definition.topics.transactions,
    labelsTopic: definition.topics.labels,
    schemaIds,
    generator: { count, customers: 100, terminals: 40, startTimeMs: Date.now() - 40 * DAY_MS },
    disturbances,
  })

async function replayTopics(
  { stack, kafka, definition }: ScoringEnvironment,
  range: Partial<TopicHistory> = {},
  wanted: Partial<Omit<TopicReplayOptions, 'topicHistory'>> = {},
): Promise<Run> {
  const registry = connectRegistry(stack.registryUrl)
  const outFolder = join(temporaryFolder(), 'run')
  const decoders = openInputDecoders(registry, definition)
  const all = { fromMs: null, toMs: null, labelsToMs: null }
  try {
    const report = await runReplay({
      definition,
      isScoring: true,
      outFolder,
      topicHistory: { kafka, decoders, ...all, ...range },
      ...wanted,
    })
    return readRun(outFolder, report)
  } finally {
    await registry.close()
  }
}

/** Whether an event saw the fraud labels that were known at the partition's highest event time. */
function inOrderOf(labels: readonly Label[], scored: readonly ScoredTransactionRecord[]) {
  const knownMs = new Map<number, number>()
  let highestMs = 0
  for (const { sourceOffset, eventTime } of scored) {
    highestMs = Math.max(highestMs, eventTime)
    knownMs.set(sourceOffset, highestMs)
  }
  return ({ keys, sourceOffset, labelsSeen }: ScoredTransactionRecord): boolean => {
    const known = labels.filter(
      ({ isFraud, labelTime }) => isFraud && labelTime <= knownMs.get(sourceOffset)!,
    )
    const ofCustomer = known.filter((label) => label.customerId === keys.customer).length
    const ofTerminal = known.filter((label) => label.terminalId === keys.terminal).length
    return labelsSeen[0] === ofCustomer && labelsSeen[1] === ofTerminal
  }
}

describe('a replay of topics that were scored', () => {
  let place: ScoringEnvironment
  let sent: Progress
  let scored: readonly ScoredTransactionRecord[]
  let labels: readonly Label[]
  let refused: readonly { sourcePartition: number; sourceOffset: number; code: string }[]

  beforeAll(async () => {
    place = await openScoringEnvironment({ purpose: 'replay-topics', partitions: 1 })
    sent = await fill(place, 3000, { poisonShare: 0.01, lateShare: 0.01 })
    const scorer = await place.startScorer()
    await untilCommitted(place)
    scorer.signal('SIGTERM')
    expect(await scorer.ended).toBe('exited with code 0')
    const collector = await collectTopics(place.kafka, allTopicsOf(place.definition))
    await collector.untilEnd()
    const topics = readWeirTopics(place.definition, collector)
    scored = topics.scored()
    labels = topics.labels().map(({ event }) => event)
    refused = [...topics.rejected(), ...topics.late()]
    await collector.close()
  })
  afterAll(() => place?.close())

  it('replay - computes the features and scores that were published, bit for bit', async () => {
    const run = await replayTopics(place)
    const rows = new Map((await run.rows()).map((row) => [row.transactionId, row]))
    expect(rows.size).toBe(scored.length)
    expect(scored.length).toBe(sent.transactions)
    const names = place.definition.features.map(({ name }) => name)
    const compared = scored.filter(inOrderOf(labels, scored))
    expect(compared.length).toBeGreaterThan(scored.length / 2)
    expect(compared.some(({ labelsSeen }) => labelsSeen[1]! > 0)).toBe(true)
    for (const event of compared) {
      const row = rows.get(event.transactionId)!
      const found = [...names.map((name) => row[name]), row.score, row.decision]
      const live = [...event.features, event.score, event.decision]
      const at = found.findIndex((value, i) => !Object.is(value, live[i]))
      if (at < 0) continue
      const name = names[at] ?? 'score or decision'
      throw new Error(`${event.transactionId}, ${name}: ${found[at]}, live it was ${live[at]}`)
    }
  })

  it('replay - refuses what live scoring refused, with its place', async () => {
    const run = await replayTopics(place)
    const lines = run.read('rejected.ndjson').trim().split('\n')
    const mine = lines.map((line) => JSON.parse(line)).filter((r) => r.stream === 'transactions')
    const places = mine.map(({ partition, offset, code }) => `${partition}/${offset} ${code}`)
    expect(refused.length).toBeGreaterThan(10)
    expect(places.sort()).toEqual(
      refused.map((r) => `${r.sourcePartition}/${r.sourceOffset} ${r.code}`).sort(),
    )
    expect(run.report.events).toBe(sent.transactions + sent.poison)
    expect(run.report.labels).toBe(sent.labels)
  })

  it('replay - gives the same bytes again, whatever the size of the batches', async () => {
    const run = await replayTopics(place)
    const again = await replayTopics(place, {}, { batchEvents: 13 })
    expect(again.bytes.equals(run.bytes)).toBe(true)
    for (const name of ['manifest.json', 'report.json', 'rejected.ndjson']) {
      expect(again.read(name)).toBe(run.read(name))
    }
  })

  it('replay - leaves nothing behind when it is ended while it reads', async () => {
    const folder = temporaryFolder()
    const stop = new AbortController()
    const ended = replayTopics(
      place,
      {},
      {
        batchEvents: 10,
        outFolder: join(folder, 'run'),
        signal: stop.signal,
        onProgress: () => stop.abort(new Error('enough')),
      },
    )
    await expect(ended).rejects.toThrow()
    expect(readdirSync(folder)).toEqual([])
  })
})

describe('a replay of tidy topics', () => {
  let place: ScoringEnvironment
  let received: readonly CollectedRecord[]
  let labels: readonly object[]
  /** Broker time of the last message, labels among them. */
  let filledUntilMs: number

  beforeAll(async () => {
    place = await openScoringEnvironment({ purpose: 'replay-tidy', partitions: PARTITIONS })
    await fill(place, 2000, {})
    const collector = await collectTopics(place.kafka, allTopicsOf(place.definition))
    await collector.untilEnd()
    const topics = readWeirTopics(place.definition, collector)
    received = topics.received()
    const { transactions, labels: labelTopic } = place.definition.topics
    const sent = [transactions, labelTopic!].flatMap((topic) => collector.records(topic))
    filledUntilMs = Math.max(...sent.map(({ timestampMs }) => timestampMs))
    labels = topics.labels().map(({ event }) => event)
    await collector.close()
  })
  afterAll(() => place?.close())

  it('replay - gives the bytes of the same events as files', async () => {
    // Each lane has a brake of its own, and files are one lane.
    const { policy } = place.definition
    const definition = { ...place.definition, policy: { ...policy, flaggedShareMax: 1 } }
    const folder = temporaryFolder()
    const byPartition = Array.from({ length: PARTITIONS }, (_, partition) =>
      writeNdjson(
        folder,
        `${partition}.ndjson`,
        received.filter((record) => record.partition === partition).map(decodeTransaction),
      ),
    )
    const files = await replaySmall(
      { transactions: [], labels: [] },
      {
        definition,
        isScoring: true,
        transactionFiles: byPartition,
        labelFiles: [writeNdjson(folder, 'labels.ndjson', labels)],
      },
    )
    const topics = await replayTopics(place, {}, { definition })
    expect(files.report.events).toBe(2000)
    expect(topics.bytes.equals(files.bytes)).toBe(true)
    expect(topics.read('report.json')).toBe(files.read('report.json'))
  })

  it('replay - says in the manifest which offsets were read, and what stood there', async () => {
    const { inputs } = JSON.parse((await replayTopics(place)).read('manifest.json'))
    const { transactions, labels } = place.definition.topics
    expect([inputs.transactions.topic, inputs.labels.topic]).toEqual([transactions, labels])
    const partitions = inputs.transactions.partitions as PartitionRead[]
    expect(partitions).toHaveLength(PARTITIONS)
    expect(new Set(partitions.map(({ sha256 }) => sha256)).size).toBe(PARTITIONS)
    for (const { partition, from, to, messages } of partitions) {
      const { length } = received.filter((record) => record.partition === partition)
      expect({ from, to, messages }).toEqual({ from: 0, to: length, messages: length })
    }
  })

  it('replay - reads what the range of broker time holds, labels to their own end', async () => {
    const behindMs = filledUntilMs + 1
    await fill(place, 500, {})
    const asFeatures = { isScoring: false }
    const before = await replayTopics(place, { toMs: behindMs, labelsToMs: behindMs }, asFeatures)
    expect(before.report).toMatchObject({ events: received.length, labels: labels.length })
    const labelled = await replayTopics(place, { toMs: behindMs }, asFeatures)
    expect(labelled.report.events).toBe(received.length)
    expect(labelled.report.labels).toBeGreaterThan(labels.length)
    const after = await replayTopics(place, { fromMs: behindMs }, asFeatures)
    expect(after.report.events).toBe(500)
  })

  it('replay - reads offsets as they were given, and what times say elsewhere', async () => {
    const offsets = {
      transactions: { from: new Map([[0, 10]]), to: new Map([[0, 30]]) },
      labels: { from: new Map<number, number>(), to: new Map([[1, 0]]) },
    }
    const run = await replayTopics(place, { offsets }, { isScoring: false })
    const { inputs } = JSON.parse(run.read('manifest.json'))
    const [first, second] = inputs.transactions.partitions as PartitionRead[]
    expect(first).toMatchObject({ partition: 0, from: 10, to: 30, messages: 20 })
    expect(second!.from).toBe(0)
    expect(second!.messages).toBeGreaterThan(100)
    expect(inputs.labels.partitions[1]).toMatchObject({ from: 0, to: 0, messages: 0 })
    expect(inputs.labels.partitions[0].messages).toBeGreaterThan(0)
  })

  it.each([
    [{ from: new Map([[7, 0]]) }, /found an offset of partition 7, expected one of 0, 1, 2/],
    [{ to: new Map([[1, 1e9]]) }, /\/1: found offset 1000000000, expected at most \d+, its end/],
    [{ from: new Map([[0, 9]]), to: new Map([[0, 8]]) }, /found the range from 9 to 8/],
  ])('replay - refuses offsets that the topic cannot have: %j', async (edges, expected) => {
    const none = new Map<number, number>()
    const offsets = { transactions: { from: none, to: none, ...edges } }
    await expect(replayTopics(place, { offsets })).rejects.toThrow(expected)
  })

  it('replay - reads the ranges of an earlier run: the same bytes, although the topics grew', async () => {
    const range = { fromMs: null, toMs: filledUntilMs + 1 }
    const first = await replayTopics(place, range)
    await fill(place, 300, {})
    const offsets = rangesOfRun(first.folder, place.definition.topics)
    const again = await replayTopics(place, { offsets })
    expect(again.bytes.equals(first.bytes)).toBe(true)
    expect(again.read('manifest.json')).toBe(first.read('manifest.json'))
    const withoutRanges = await replayTopics(place, {}, { isScoring: false })
    expect(withoutRanges.report.events).toBeGreaterThan(first.report.events)
  })

  it('replay - refuses ranges of other topics, of files, and of no run', async () => {
    const { folder } = await replayTopics(place, {}, { isScoring: false })
    const files = await replaySmall(smallHistory(41, 2))
    const { topics } = place.definition
    const other = { ...topics, transactions: 'elsewhere' }
    expect(() => rangesOfRun(folder, other)).toThrow(/expected one of elsewhere/)
    expect(() => rangesOfRun(files.folder, topics)).toThrow(/found a run of files/)
    expect(() => rangesOfRun(join(folder, 'none'), topics)).toThrow(
      /^WEIR_SETTINGS_INVALID.*ENOENT/,
    )
  })

  it('replay - gives the same bytes with its state in Redis', async () => {
    const memory = await replayTopics(place)
    const shared = await replayTopics(place, {}, { redisUrl: place.stack.redisUrl })
    expect(shared.bytes.equals(memory.bytes)).toBe(true)
    expect(shared.read('manifest.json')).toBe(memory.read('manifest.json'))
  })
})
