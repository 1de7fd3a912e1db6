// A scorer that is told to stop in the middle of its work ends well, and the next one goes on where
// it stopped, with each lane's memory from the metadata of the committed offset.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { prefillTopic } from '../../load/generator/prefill.ts'
import { limits } from '../../services/core/limits.ts'
import { decodeLaneMemory } from '../../services/pipeline/publish/lane-metadata.ts'
import { readCommitted, sumOf, untilCommitted } from '../support/committed-offsets.ts'
import { judgeHistory, type Verdict } from '../support/judge-history.ts'
import { openRedisWitness } from '../support/redis-witness.ts'
import { openScoringEnvironment, type ScoringEnvironment } from '../support/scoring-environment.ts'
import { collectTopics, type TopicCollector } from '../support/topic-collector.ts'
import { waitFor } from '../support/wait-for.ts'
import {
  allTopicsOf,
  decodeTransaction,
  readWeirTopics,
  type WeirTopics,
} from '../support/weir-topics.ts'

const EVENTS = 20_000

let place: ScoringEnvironment
let collector: TopicCollector
let topics: WeirTopics
let verdict: Verdict
let end: string
let drainedMs: number
/** As the first scorer left it: committed offsets, metadata, and what the store had applied. */
let committed: ReadonlyMap<number, number>
let metadata: ReadonlyMap<number, string>
let applied: ReadonlyMap<number, number>

beforeAll(async () => {
  place = await openScoringEnvironment({ purpose: 'drain' })
  const { definition, kafka, schemaIds, stack, groupId, keyPrefix } = place
  const topic = definition.topics.transactions
  await prefillTopic({
    brokers: stack.kafkaBrokers,
    transactionsTopic: topic,
    labelsTopic: definition.topics.labels,
    schemaIds,
    generator: { count: EVENTS, customers: 800, terminals: 400, startTimeMs: daysAgo(30) },
    disturbances: { lateShare: 0.01 },
  })
  collector = await collectTopics(kafka, allTopicsOf(definition))
  topics = readWeirTopics(definition, collector)
  const admin = kafka.admin()
  await admin.connect()
  const first = await place.startScorer()
  await waitFor(
    async () => sumOf(await readCommitted(admin, groupId, topic)) > EVENTS / 20,
    () => `no commits; see ${first.logFile}`,
    { everyMs: 2 },
  )
  const toldMs = performance.now()
  first.signal('SIGTERM')
  end = await first.ended
  drainedMs = performance.now() - toldMs
  committed = await readCommitted(admin, groupId, topic)
  const [offsets] = await admin.fetchOffsets({ groupId, topics: [topic] })
  metadata = new Map(offsets!.partitions.map((p) => [p.partition, p.metadata ?? '']))
  await admin.disconnect()
  const witness = openRedisWitness(stack.redisUrl, keyPrefix)
  applied = await witness.applied()
  witness.close()
  const second = await place.startScorer()
  await untilCommitted(place)
  second.signal('SIGTERM')
  await second.ended
  await collector.untilEnd()
  verdict = await judgeHistory(place, topics)
})
afterAll(async () => {
  await collector?.close()
  await place?.close()
})

const daysAgo = (days: number): number => Date.now() - days * 86_400_000

describe('drain on SIGTERM', () => {
  it('ends with code 0 before its time is over, in the middle of the work', () => {
    expect(end).toBe('exited with code 0')
    expect(drainedMs).toBeLessThan(limits.drainMsMax)
    expect(sumOf(committed)).toBeGreaterThan(0)
    expect(sumOf(committed)).toBeLessThan(EVENTS)
  })

  it('leaves nothing in doubt: what the store applied is what is committed', () => {
    for (const [partition, offset] of committed) {
      if (offset > 0) expect(applied.get(partition * 2), `partition ${partition}`).toBe(offset - 1)
    }
  })

  it("commits the lane's memory with the offset", () => {
    for (const [partition, offset] of committed) {
      if (offset === 0) continue
      const eventTimesMs = topics
        .received()
        .filter((record) => record.partition === partition && record.offset < offset)
        .map((record) => decodeTransaction(record).eventTime)
      const memory = decodeLaneMemory(metadata.get(partition)!)
      expect(memory?.watermarkMs).toBe(Math.max(...eventTimesMs))
      expect(memory!.brake.events + memory!.brake.eventsBefore).toBeGreaterThan(0)
    }
  })

  it('the next scorer goes on from there: each event once, lateness and vectors as if one', () => {
    expect(verdict.missing).toEqual([])
    expect(verdict.repeated).toEqual([])
    expect(verdict.latenessDifferences.slice(0, 5)).toEqual([])
    expect(verdict.recomputed.differences.slice(0, 5)).toEqual([])
    expect(verdict.recomputed.vectors).toBe(EVENTS)
  })
})
