// Promise 4: a replay cannot touch live state.
//
// It runs at full speed over the topics that a live scorer reads, first beside that scorer under load,
// then with the scorer stopped. Under load the scorer's history must be that of a run without replay
// (every ordinal, vector and offset, judged from topics and logs); at rest every key in Redis, every
// committed offset, every topic's end and every group are the same before and after, to the byte.
// What the replay asked of the brokers is written down: nothing of it writes.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startOpenLoop } from '../../load/generator/open-loop.ts'
import type { Progress } from '../../load/generator/schedule.ts'
import type { Kafka } from '../../services/adapters/kafka/kafka-client.ts'
import { connectRegistry } from '../../services/adapters/registry/schema-registry.ts'
import { openInputDecoders } from '../../services/replay/open-input-decoders.ts'
import type { ReplayReport } from '../../services/replay/run-records.ts'
import { runReplay } from '../../services/replay/run-replay.ts'
import { inputTopicsOf, readCommitted, untilCommitted } from '../support/committed-offsets.ts'
import { judgeHistory, type Verdict } from '../support/judge-history.ts'
import { openScoringPlace, type ScoringPlace } from '../support/scoring-place.ts'
import { collectTopics, type TopicCollector } from '../support/topic-collector.ts'
import { waitFor } from '../support/wait-for.ts'
import { allTopicsOf, readWeirTopics, type WeirTopics } from '../support/weir-topics.ts'

const RATE = 300
const SECONDS_MAX = 60
type ConsumerConfig = Parameters<Kafka['consumer']>[0]

const READING = [
  'ApiVersions',
  'Metadata',
  'ListOffsets',
  'Fetch',
  'FindCoordinator',
  'GroupCoordinator',
  'JoinGroup',
  'SyncGroup',
  'Heartbeat',
  'LeaveGroup',
  'OffsetFetch',
  'DeleteGroups',
]

/** The client, with every request that leaves it written down. */
function watch(kafka: Kafka, asked: Set<string>): Kafka {
  const note = ({ payload }: { readonly payload: { readonly apiName: string } }) =>
    asked.add(payload.apiName)
  return Object.assign(Object.create(kafka) as Kafka, {
    consumer: (options: ConsumerConfig) => {
      const consumer = kafka.consumer(options)
      consumer.on(consumer.events.REQUEST, note)
      return consumer
    },
    admin: () => {
      const admin = kafka.admin()
      admin.on(admin.events.REQUEST, note)
      return admin
    },
    producer: () => {
      throw new Error('a replay asked for a producer')
    },
  })
}

describe('a replay beside live scoring', () => {
  let place: ScoringPlace
  let collector: TopicCollector
  let sent: Progress
  let topics: WeirTopics
  let verdict: Verdict
  const beside: ReplayReport[] = []
  const folders: string[] = []
  const asked = new Set<string>()

  const replay = async (redisUrl?: string): Promise<ReplayReport> => {
    const folder = mkdtempSync(join(tmpdir(), 'weir-isolation-'))
    folders.push(folder)
    const { stack, definition, kafka } = place
    const registry = connectRegistry(stack.registryUrl)
    const decoders = openInputDecoders(registry, definition.topics)
    try {
      return await runReplay({
        definition,
        isScoring: true,
        outFolder: join(folder, 'run'),
        ...(redisUrl === undefined ? {} : { redisUrl }),
        topicHistory: {
          kafka: watch(kafka, asked),
          decoders,
          fromMs: null,
          toMs: null,
          labelsToMs: null,
        },
      })
    } finally {
      await registry.close()
    }
  }

  const untilScored = (count: number) =>
    waitFor(
      () => topics.scored().length >= count,
      () => `${topics.scored().length} scored, expected ${count}`,
    )

  beforeAll(async () => {
    place = await openScoringPlace({ purpose: 'isolation' })
    const { definition, kafka, schemaIds, stack } = place
    collector = await collectTopics(kafka, allTopicsOf(definition))
    topics = readWeirTopics(definition, collector)
    const traffic = await startOpenLoop({
      brokers: stack.kafkaBrokers,
      transactionsTopic: definition.topics.transactions,
      labelsTopic: definition.topics.labels,
      schemaIds,
      rate: RATE,
      seconds: SECONDS_MAX,
      generator: { customers: 300, terminals: 150 },
      disturbances: { poisonShare: 0.01, lateShare: 0.01 },
    })
    try {
      const scorer = await place.startScorer()
      await untilScored(500)
      for (const redisUrl of [undefined, stack.redisUrl, undefined]) {
        const before = topics.scored().length
        beside.push(await replay(redisUrl))
        await untilScored(before + 100)
        scorer.assertRunning()
      }
    } finally {
      sent = await traffic.stop()
    }
    await untilCommitted(place)
    for (const scorer of place.scorers()) {
      scorer.signal('SIGTERM')
      expect(await scorer.ended).toBe('exited with code 0')
    }
    await collector.untilEnd()
    verdict = await judgeHistory(place, topics)
  })
  afterAll(async () => {
    await collector?.close()
    await place?.close()
    for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  })

  it('live scoring goes on as if the replay were not there', () => {
    expect(beside.every(({ scored }) => scored >= 400)).toBe(true)
    expect(topics.received()).toHaveLength(sent.transactions + sent.poison)
    expect(verdict.missing).toEqual([])
    expect(verdict.repeated).toEqual([])
    expect(verdict.labelFaults).toEqual([])
    expect(verdict.latenessDifferences).toEqual([])
    expect(verdict.recomputed.differences).toEqual([])
    expect(verdict.recomputed.vectors).toBe(sent.transactions)
  })

  it('keys, offsets, topics and groups are the same before and after, to the byte', async () => {
    const before = await photograph(place)
    const { events } = await replay()
    expect(events).toBe(sent.transactions + sent.poison)
    expect(before.keys.size).toBeGreaterThan(300)
    expect(before.committed.flat().length).toBeGreaterThan(0)
    expect(await photograph(place)).toEqual(before)
    // Also where the replay keeps its state in the Redis of live scoring.
    expect(await replay(place.stack.redisUrl)).toMatchObject({ events })
    expect(await photograph(place)).toEqual(before)
  })

  it('the replay asks the brokers for nothing that writes', () => {
    expect(asked).toContain('Fetch')
    expect([...asked].filter((name) => !READING.includes(name))).toEqual([])
  })
})

type Photograph = {
  readonly keys: ReadonlyMap<string, string>
  readonly committed: readonly (readonly [number, number])[][]
  readonly ends: unknown
  /** All groups that Weir could have made: those of other tests come and go. */
  readonly groups: readonly string[]
}

async function photograph(place: ScoringPlace): Promise<Photograph> {
  const { kafka, groupId, definition, stack, keyPrefix } = place
  const admin = kafka.admin()
  const redis = new Redis(stack.redisUrl)
  await admin.connect()
  try {
    const committed = []
    for (const topic of inputTopicsOf(definition)) {
      committed.push([...(await readCommitted(admin, groupId, topic))])
    }
    const ends = []
    for (const topic of allTopicsOf(definition)) ends.push(await admin.fetchTopicOffsets(topic))
    const { groups } = await admin.listGroups()
    const ours = groups.map((group) => group.groupId).filter((name) => name.includes(groupId))
    return { keys: await dumpKeys(redis, keyPrefix), committed, ends, groups: ours.sort() }
  } finally {
    redis.disconnect()
    await admin.disconnect()
  }
}

/** Every key with its bytes, as Redis itself writes them down. */
async function dumpKeys(redis: Redis, keyPrefix: string): Promise<Map<string, string>> {
  const dumps = new Map<string, string>()
  for await (const keys of redis.scanStream({ match: `*${keyPrefix}*`, count: 1000 })) {
    for (const key of keys as string[]) {
      dumps.set(key, (await redis.dumpBuffer(key))!.toString('base64'))
    }
  }
  return new Map([...dumps].sort(([a], [b]) => (a < b ? -1 : 1)))
}
