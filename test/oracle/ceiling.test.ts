// Entities with more records than the ceiling: what is shown, what is trimmed, what is marked.
//
// One customer gets more events than the stores keep, in batches as large as they come. Around the
// ceiling and around each trim the vectors equal the oracle's, which never trims; and what a crash
// can have left uncommitted is found again behind a trim, with the whole of its windows.

import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createMemoryLogStore } from '../../services/adapters/memory/memory-log-store.ts'
import { connectRedis } from '../../services/adapters/redis/client/redis-client.ts'
import type { RedisClient } from '../../services/adapters/redis/client/redis-commands.ts'
import { createRedisLogStore } from '../../services/adapters/redis/logs/redis-log-store.ts'
import { limits } from '../../services/core/limits.ts'
import { enrich } from '../../services/pipeline/enrich/enrich.ts'
import { planFeatures } from '../../services/pipeline/enrich/feature-plan.ts'
import type { EntityLogStore } from '../../services/pipeline/enrich/log-store.ts'
import { observeNothing } from '../../services/pipeline/observe/signals.ts'
import {
  addArrival,
  createLane,
  EPOCH_MS,
  laneBatch,
  type TestLane,
  transactionOf,
} from '../support/batches.ts'
import { compareWithOracle } from '../support/compare-rows.ts'
import { holdLane } from '../support/hold-lane.ts'
import { customer, DAY_MS, pipelineOf, windowFeature } from '../support/pipelines.ts'
import { createRandom } from '../support/random.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'
import { uniqueName } from '../support/stack.ts'
import { createOracle, type Oracle } from './oracle.ts'

let server: TestRedis
let redis: RedisClient

beforeAll(async () => {
  server = await startTestRedis()
  redis = await connectRedis(server.url, observeNothing)
})

afterAll(async () => {
  redis?.disconnect()
  await server?.stop()
})

const numberOps = ['sum', 'mean', 'max', 'last'] as const
const timeOps = [
  'count',
  'seconds_since_last',
  'seconds_since_first',
  'fraud_rate',
  'fraud_count',
  'seconds_since_last_fraud',
  'seconds_since_first_fraud',
] as const
const allTime = { entity: 'customer', windowMs: 30 * DAY_MS }
const minute = { entity: 'customer', windowMs: 60_000, current: false }

const definition = pipelineOf({
  entities: [customer],
  features: [
    ...timeOps.map((op) => windowFeature({ ...allTime, op })),
    ...numberOps.map((op) => windowFeature({ ...allTime, op, of: 'amountMinor' })),
    ...numberOps.map((op) => windowFeature({ ...minute, op, of: 'amountMinor' })),
    windowFeature({ ...allTime, op: 'count', current: false, name: 'count_before' }),
    windowFeature({ ...minute, op: 'stddev', of: 'amountMinor' }),
    windowFeature({ ...minute, op: 'distinct', of: 'terminalId' }),
  ],
})
const plan = planFeatures(definition)
const { late } = definition

/** A second apart at most, ties and late ones among them, amounts as large as they may be. */
function busyLane(events: number): TestLane {
  const random = createRandom(events)
  const lane = createLane(1)
  let nowMs = EPOCH_MS
  for (let i = 0; i < events; i++) {
    nowMs += random.pick([0, 1000, 1000])
    const transaction = transactionOf({
      transactionId: `t${i}`,
      eventTime: random.chance(0.02) ? nowMs - random.integer(1, 60_000) : nowMs,
      terminalId: `p${random.integer(0, 400)}`,
      amountMinor: limits.amountMinorMax - random.integer(0, 9),
    })
    addArrival(lane, transaction)
  }
  return lane
}

type Contestant = { readonly name: string; readonly store: EntityLogStore; epoch: number }

async function contest(name: string, store: EntityLogStore): Promise<Contestant> {
  return { name, store, epoch: (await holdLane(store, 1)).epoch }
}

async function deliver(
  contestants: readonly Contestant[],
  oracle: Oracle,
  lane: TestLane,
  range: { from: number; count: number; isWanted: (index: number) => boolean },
): Promise<{ saturated: number }> {
  const { from, count } = range
  const isWanted = (i: number) => range.isWanted(from + i)
  const rows = oracle.advance(laneBatch(lane, 0, from, count), { isWanted })
  let saturated = 0
  for (const { name, store, epoch } of contestants) {
    const enriched = await enrich(laneBatch(lane, epoch, from, count), { plan, store, late })
    const chosen = rows.map((row) => row.arrivalIndex)
    expect([...enriched.ordinals]).toEqual(Array.from({ length: count }, (_, i) => from + i))
    compareWithOracle(pickRows(enriched, chosen), rows, `${name} from ${from} on`)
    saturated += enriched.saturated.reduce((sum, bit) => sum + bit, 0)
  }
  return { saturated }
}

type Enriched = Awaited<ReturnType<typeof enrich>>

function pickRows(enriched: Enriched, rows: readonly number[]): Enriched {
  const pick = <T extends Float32Array | Float64Array>(
    from: T,
    into: new (n: number[]) => T,
  ): T => {
    const width = from.length / enriched.count
    return new into(rows.flatMap((row) => [...from.subarray(row * width, (row + 1) * width)]))
  }
  return {
    ...enriched,
    count: rows.length,
    arrivalIndexes: Uint32Array.from(rows),
    vectors: pick(enriched.vectors, Float32Array),
    ordinals: pick(enriched.ordinals, Float64Array),
    eventsSeen: pick(enriched.eventsSeen, Float64Array),
    labelsSeen: pick(enriched.labelsSeen, Float64Array),
    saturated: Uint8Array.from(rows, (row) => enriched.saturated[row]!),
  }
}

const openRedis = (prefix: string) =>
  createRedisLogStore({
    redis,
    kinds: plan.kinds,
    prefix,
    buckets: 1,
    retentionMs: 60_000,
    observe: observeNothing,
  })

// Windows over thousands of records for tens of thousands of events take their time.
vi.setConfig({ testTimeout: 180_000 })

test('enrich - the ceiling and trimming show no more and no less than the definition', async () => {
  const prefix = uniqueName('ceiling')
  const memory = await contest('memory', createMemoryLogStore(plan.kinds))
  const shared = await contest('Redis', await openRedis(prefix))
  const oracle = createOracle(definition)
  const size = limits.batchEventsMax
  const events = Math.ceil((limits.entityRecordsKeptMax * 1.2) / size) * size
  const lane = busyLane(events + size)
  const { entityRecordsMax: shown, entityRecordsKeptMax: kept } = limits
  // Around the ceiling, around the trim, at the ends of batches, and now and then.
  const isWanted = (index: number) =>
    Math.abs(index - shown) < 4 ||
    Math.abs(index - kept) < 4 ||
    index % size < 2 ||
    index % size > size - 3 ||
    index % 499 === 0
  let saturatedEarly = 0
  let saturated = 0
  for (let from = 0; from < events; from += size) {
    const range = { from, count: size, isWanted }
    const counts = await deliver([memory, shared], oracle, lane, range)
    if (from + size <= shown) saturatedEarly += counts.saturated
    saturated += counts.saturated
  }
  expect(saturatedEarly).toBe(0)
  expect(saturated).toBeGreaterThan(0)

  // Everything that a crash may leave uncommitted comes again, to a scorer that knows nothing.
  const uncommitted = limits.batchesInFlightMax * limits.batchEventsMax
  const successors = [
    { ...memory, epoch: (await holdLane(memory.store, 1)).epoch },
    await contest('Redis again', await openRedis(prefix)),
  ]
  for (let from = events - uncommitted; from < events + size; from += size) {
    await deliver(successors, oracle, lane, { from, count: size, isWanted })
  }
})
