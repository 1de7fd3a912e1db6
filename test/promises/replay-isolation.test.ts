// Promise 4: a replay cannot touch live state.
//
// It runs at full speed over the topics that a live scorer reads, first beside that scorer under
// load, then with the scorer stopped. Under load the scorer's history must be what it has to be
// (every ordinal, vector and offset, judged from topics and logs); at rest every key in Redis,
// every committed offset, every topic's end and every group are the same before and after, to the
// byte. Then two places with the same backlog: beside one scorer history is replayed again and
// again, and its scored topic, its committed offsets and its keys are those of the other. What the
// replay asked of the brokers is written down: nothing of it writes.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { prefillTopic } from '../../load/generator/prefill.ts'
import type { Progress } from '../../load/generator/schedule.ts'
import type { Kafka } from '../../services/adapters/kafka/client/kafka-client.ts'
import { decodeStoredLog, encodeStoredLog } from '../../services/adapters/redis/logs/stored-log.ts'
import { connectRegistry } from '../../services/adapters/registry/schema-registry.ts'
import { openInputDecoders } from '../../services/environment/open-decoders.ts'
import { createEntityLog } from '../../services/pipeline/enrich/entity-log.ts'
import { planFeatures } from '../../services/pipeline/enrich/feature-plan.ts'
import { type FoldPolicy, foldLog } from '../../services/pipeline/enrich/fold-log.ts'
import type { LogKind } from '../../services/pipeline/enrich/log-store.ts'
import type { ScoredTransactionRecord } from '../../services/pipeline/publish/output-records.ts'
import type { ReplayReport } from '../../services/replay/run-records.ts'
import { runReplay } from '../../services/replay/run-replay.ts'
import { inputTopicsOf, readCommitted, untilCommitted } from '../support/committed-offsets.ts'
import { judgeHistory, type Verdict } from '../support/judge-history.ts'
import {
  openScoringEnvironment,
  replaceLine,
  type ScoringEnvironment,
} from '../support/scoring-environment.ts'
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

type ReplayBeside = {
  readonly folders: string[]
  readonly asked: Set<string>
  readonly redisUrl?: string
}

/** The whole history of the place's topics, at full speed. */
async function replayTopics(
  { stack, definition, kafka }: ScoringEnvironment,
  { folders, asked, ...store }: ReplayBeside,
): Promise<ReplayReport> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-isolation-'))
  folders.push(folder)
  const registry = connectRegistry(stack.registryUrl)
  const decoders = openInputDecoders(registry, definition)
  const all = { fromMs: null, toMs: null, labelsToMs: null }
  try {
    return await runReplay({
      definition,
      isScoring: true,
      ...store,
      outFolder: join(folder, 'run'),
      topicHistory: { kafka: watch(kafka, asked), decoders, ...all },
    })
  } finally {
    await registry.close()
  }
}

describe('a replay beside live scoring', () => {
  let place: ScoringEnvironment
  let collector: TopicCollector
  let sent: Progress
  let topics: WeirTopics
  let verdict: Verdict
  const beside: ReplayReport[] = []
  const folders: string[] = []
  const asked = new Set<string>()

  const replay = (redisUrl?: string) =>
    replayTopics(place, { folders, asked, ...(redisUrl === undefined ? {} : { redisUrl }) })

  const untilScored = (count: number) =>
    waitFor(
      () => topics.scored().length >= count,
      () => `${topics.scored().length} scored, expected ${count}`,
    )

  beforeAll(async () => {
    place = await openScoringEnvironment({ purpose: 'isolation' })
    const { definition, kafka, stack } = place
    collector = await collectTopics(kafka, allTopicsOf(definition))
    topics = readWeirTopics(definition, collector)
    const traffic = await place.startTraffic({
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

describe('the same backlog with and without a replay beside its scorer', () => {
  const EVENTS = 12_000
  const startTimeMs = Date.now() - 40 * 86_400_000
  const folders: string[] = []
  const asked = new Set<string>()
  const places: ScoringEnvironment[] = []
  let replays = 0

  async function openBacklog(): Promise<ScoringEnvironment> {
    // The order among lanes is that of event time for as long as they wait for each other: on a
    // busy machine a fetch may take longer than the usual two seconds.
    const pipelineText = replaceLine('pipeline:', 'pipeline: card-fraud\nalign: { maxWait: 5m }')
    const place = await openScoringEnvironment({ purpose: 'isolation-twin', pipelineText })
    places.push(place)
    const { stack, definition, schemaIds } = place
    await prefillTopic({
      brokers: stack.kafkaBrokers,
      transactionsTopic: definition.topics.transactions,
      labelsTopic: definition.topics.labels,
      schemaIds,
      generator: { count: EVENTS, customers: 300, terminals: 100, fraudShare: 0.02, startTimeMs },
      // No poison: a schema id that the registry does not know keeps its own lane waiting for the
      // registry's last word and nobody else, so the order among lanes would depend on the machine.
      disturbances: { lateShare: 0.01 },
    })
    return place
  }

  async function drain(
    place: ScoringEnvironment,
    beside: (() => Promise<void>) | null,
  ): Promise<Outcome> {
    const scorer = await place.startScorer()
    let isDone = false
    const drained = untilCommitted(place).finally(() => {
      isDone = true
    })
    if (beside !== null) {
      do await beside()
      while (!isDone)
    }
    await drained
    scorer.signal('SIGTERM')
    expect(await scorer.ended).toBe('exited with code 0')
    return describeOutcome(place)
  }

  afterAll(async () => {
    for (const place of places) await place.close()
    for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  })

  it('leaves scored events, committed offsets and keys as they are without it', async () => {
    const alone = await drain(await openBacklog(), null)
    const place = await openBacklog()
    const accompanied = await drain(place, async () => {
      const { events } = await replayTopics(place, { folders, asked })
      expect(events).toBeGreaterThanOrEqual(EVENTS)
      replays++
    })
    expect(replays).toBeGreaterThan(0)
    expect([alone.scored.length, accompanied.scored.length]).toEqual([EVENTS, EVENTS])
    expect(alone.keys.size).toBeGreaterThan(300)
    expect(differences(alone.scored, accompanied.scored)).toEqual([])
    expect(accompanied.committed).toEqual(alone.committed)
    expect([...accompanied.keys.keys()]).toEqual([...alone.keys.keys()])
    for (const [key, value] of alone.keys) {
      if (accompanied.keys.get(key) !== value) throw new Error(`${key} holds something else`)
    }
    expect([...asked].filter((name) => !READING.includes(name))).toEqual([])
  })
})

type Outcome = {
  /** In the order of partitions and offsets, without the two fields that are clocks. */
  readonly scored: readonly object[]
  readonly committed: readonly unknown[]
  /**
   * Applied offsets, and logs to the byte once they are folded as far as may be: when a log was
   * folded depends on when its rows' commits were heard of, so on the machine. Generations are left
   * out.
   */
  readonly keys: ReadonlyMap<string, string>
}

/** As text, which is all that a reader of the topic could tell apart: the first few fields. */
function differences(alone: readonly object[], accompanied: readonly object[]): readonly string[] {
  return alone
    .flatMap((event, i) => {
      const other = accompanied[i] as Record<string, unknown>
      return Object.entries(event).map(([name, value]) => {
        const [mine, theirs] = [value, other[name]].map((each) => JSON.stringify(each))
        return mine === theirs ? null : `event ${i}, ${name}: ${mine}, with a replay ${theirs}`
      })
    })
    .filter((difference) => difference !== null)
    .slice(0, 20)
}

/** All that follows from the input, and nothing of when or how fast it was scored. */
function withoutTimes(scored: ScoredTransactionRecord) {
  const { brokerTime: _, scoredTime: __, modelMs: ___, challengers, ...event } = scored
  return { ...event, challengers: challengers.map(({ modelMs: ____, ...score }) => score) }
}

async function describeOutcome(place: ScoringEnvironment): Promise<Outcome> {
  const { kafka, definition } = place
  const collector = await collectTopics(kafka, allTopicsOf(definition))
  try {
    await collector.untilEnd()
    const scored = readWeirTopics(definition, collector)
      .scored()
      .map(withoutTimes)
      .sort((a, b) => a.sourcePartition - b.sourcePartition || a.sourceOffset - b.sourceOffset)
    return { scored, committed: await readCommittedWithMemory(place), keys: await readLogs(place) }
  } finally {
    await collector.close()
  }
}

async function readCommittedWithMemory({ kafka, groupId, definition }: ScoringEnvironment) {
  const admin = kafka.admin()
  await admin.connect()
  try {
    const found = await admin.fetchOffsets({ groupId, topics: [...inputTopicsOf(definition)] })
    return found.map(({ partitions }) => partitions.toSorted((a, b) => a.partition - b.partition))
  } finally {
    await admin.disconnect()
  }
}

const APPLIED_AT = 8
const foldNow: FoldPolicy = { isDue: () => true, isWorthIt: () => true }

function foldFully(stored: Buffer, { shape, history }: LogKind): string {
  const log = createEntityLog(shape)
  decodeStoredLog(stored, log, history)
  foldLog(log, history, () => true, foldNow)
  return encodeStoredLog(log, history, 0).toString('base64')
}

async function readLogs(place: ScoringEnvironment): Promise<Map<string, string>> {
  const { stack, keyPrefix, definition } = place
  const { kinds } = planFeatures(definition)
  const redis = new Redis(stack.redisUrl)
  const found = new Map<string, string>()
  try {
    for await (const keys of redis.scanStream({ match: `*${keyPrefix}*`, count: 1000 })) {
      for (const key of keys as string[]) {
        // The tag spreads buckets over slots and so follows from the prefix; the bucket does not.
        const name = key.replace(/^\{.*:(\d+)\.[^}]*\}/, '$1 ')
        if (name.endsWith(' fence')) {
          for (const [lane, value] of Object.entries(await redis.hgetallBuffer(key))) {
            if (!/^\d+$/.test(lane)) continue
            found.set(`${name} ${lane}`, String((value as Buffer).readDoubleLE(APPLIED_AT)))
          }
          continue
        }
        const kind = kinds[Number(/^\d+ (\d+):/.exec(name)![1])]!
        found.set(name, foldFully((await redis.getBuffer(key))!, kind))
      }
    }
  } finally {
    redis.disconnect()
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)))
}

type Photograph = {
  readonly keys: ReadonlyMap<string, string>
  readonly committed: readonly (readonly [number, number])[][]
  readonly ends: unknown
  /** All groups that Weir could have made: those of other tests come and go. */
  readonly groups: readonly string[]
}

async function photograph(place: ScoringEnvironment): Promise<Photograph> {
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
