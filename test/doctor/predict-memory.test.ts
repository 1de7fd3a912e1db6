// The forecast against a real Redis that a real store has filled: per kind of log, and as a whole.

import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectRedis } from '../../services/adapters/redis/client/redis-client.ts'
import { nameKeys } from '../../services/adapters/redis/fences/redis-fences.ts'
import { createRedisLogStore } from '../../services/adapters/redis/logs/redis-log-store.ts'
import { type Load, predictMemory } from '../../services/doctor/predict-memory.ts'
import { encodeSource } from '../../services/pipeline/enrich/entity-log.ts'
import { planFeatures } from '../../services/pipeline/enrich/feature-plan.ts'
import type { AdvanceRequest, EntityLogStore } from '../../services/pipeline/enrich/log-store.ts'
import { observeNothing } from '../../services/pipeline/observe/signals.ts'
import { holdLane } from '../support/hold-lane.ts'
import {
  customer,
  DAY_MS,
  HOUR_MS,
  pair,
  pipelineOf,
  terminal,
  windowFeature,
} from '../support/pipelines.ts'
import { createRandom, type Random } from '../support/random.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'
import { uniqueName } from '../support/stack.ts'

/**
 * Logs of every sort: exact windows over more and fewer rows than are kept anyway, tails, labels.
 */
const definition = pipelineOf({
  entities: [customer, terminal, pair],
  features: [
    windowFeature({ entity: 'customer', op: 'mean', of: 'amountMinor', windowMs: 5 * DAY_MS }),
    windowFeature({ entity: 'customer', op: 'distinct', of: 'terminalId', windowMs: DAY_MS }),
    ...(['sum', 'max', 'fraud_rate'] as const).map((op) =>
      windowFeature({
        entity: 'terminal',
        op,
        of: op === 'fraud_rate' ? null : 'amountMinor',
        windowMs: 5 * DAY_MS,
        tailMs: HOUR_MS,
      }),
    ),
    windowFeature({ entity: 'pair', op: 'count', windowMs: 5 * DAY_MS }),
  ],
})
const plan = planFeatures(definition)
const { buckets } = definition.store

const KEY_LENGTH = 12
const entities = new Map([
  ['customer', 150],
  ['terminal', 200],
  ['pair', 6000],
])
const AGE_DAYS = 10
const EVENTS = 60_000
const FRAUDS = 9000
/**
 * As under live traffic: a log seldom gets two records at once, which would let it grow otherwise.
 */
const BATCH = 25
const seed = 7

const prefix = uniqueName('forecast')
const load: Load = {
  entities,
  eventsPerDay: EVENTS / AGE_DAYS,
  fraudsPerDay: FRAUDS / AGE_DAYS,
  ageDays: AGE_DAYS,
  keyLength: KEY_LENGTH,
  prefixLength: nameKeys(prefix, buckets).log(0, 0, '').length,
}

let server: TestRedis
let redis: Redis
let store: EntityLogStore
let usedBefore: number

beforeAll(async () => {
  server = await startTestRedis()
  redis = new Redis(server.url)
  store = await createRedisLogStore({
    redis: await connectRedis(server.url, observeNothing),
    kinds: plan.kinds,
    prefix,
    buckets,
    retentionMs: definition.store.retentionMs,
    observe: observeNothing,
  })
  usedBefore = await usedMemory()
  await fill(store, createRandom(seed))
}, 120_000)

afterAll(async () => {
  await store?.close()
  redis?.disconnect()
  await server?.stop()
})

const usedMemory = async (): Promise<number> =>
  Number(/used_memory:(\d+)/.exec(await redis.info('memory'))![1])

/**
 * Every event meets some customer, terminal and pair; every so often a terminal's label comes in.
 */
async function fill(store: EntityLogStore, random: Random): Promise<void> {
  const { epoch } = await holdLane(store, 0)
  const labelEvery = EVENTS / FRAUDS
  for (let from = 0; from < EVENTS; from += BATCH) {
    const entries: Entry[] = []
    for (let offset = from; offset < from + BATCH; offset++) {
      for (const { name, kind } of plan.entities) {
        entries.push({ kind, key: keyOf(random.integer(1, entities.get(name)!)), offset })
      }
      for (const { name, labelKind } of plan.entities) {
        if (labelKind < 0 || offset % labelEvery >= 1) continue
        entries.push({
          kind: labelKind,
          key: keyOf(random.integer(1, entities.get(name)!)),
          offset,
        })
      }
    }
    await store.advance(requestOf(entries, { epoch, from }))
  }
}

type Entry = { readonly kind: number; readonly key: string; readonly offset: number }

const keyOf = (number: number): string => String(number).padStart(KEY_LENGTH, '0')

function requestOf(
  entries: readonly Entry[],
  { epoch, from }: { readonly epoch: number; readonly from: number },
): AdvanceRequest {
  const { valueStride } = plan
  const timeOf = ({ offset }: Entry) => (offset / EVENTS) * AGE_DAYS * DAY_MS
  const watermarkMs = timeOf(entries.at(-1)!)
  return {
    lanes: [
      {
        laneId: 0,
        stream: 'transactions',
        partition: 0,
        epoch,
        fromOffset: from,
        committedOffset: from,
        firstOffset: from,
        lastOffset: from + BATCH - 1,
        watermarkMs,
        frontierMs: watermarkMs,
        isIdle: false,
      },
    ],
    records: {
      count: entries.length,
      kinds: Uint8Array.from(entries, ({ kind }) => kind),
      keys: entries.map(({ key }) => key),
      eventTimesMs: Float64Array.from(entries, timeOf),
      sources: Float64Array.from(entries, ({ offset }) => encodeSource(0, offset)),
      laneIndexes: new Uint16Array(entries.length),
      appends: new Uint8Array(entries.length).fill(1),
      values: new Float64Array(entries.length * valueStride),
      valueStride,
    },
  }
}

/** Name and MEMORY USAGE of each key of a kind. */
async function usageOf(kind: number): Promise<readonly number[]> {
  const usages: number[] = []
  const match = `{${prefix}*}${kind}:*`
  for await (const keys of redis.scanStream({ match, count: 1000 })) {
    const asked = redis.pipeline()
    for (const key of keys as string[]) asked.memory('USAGE', key, 'SAMPLES', 0)
    for (const [, bytes] of (await asked.exec()) ?? []) usages.push(bytes as number)
  }
  return usages
}

const within = 0.1

test(`memory forecast - is what Redis takes for each kind of log, seed ${seed}`, async () => {
  const forecast = predictMemory(definition, load)
  expect(forecast.kinds.map(({ kind }) => kind)).toEqual(plan.kinds.map(({ name }) => name))
  for (const [i, { kind, keys, bytesPerKey }] of forecast.kinds.entries()) {
    const usages = await usageOf(i)
    expect(usages.length / keys, `${kind}: keys`).toBeGreaterThan(1 - within)
    expect(usages.length / keys, `${kind}: keys`).toBeLessThan(1 + within)
    const taken = usages.reduce((sum, bytes) => sum + bytes, 0) / usages.length
    expect
      .soft(bytesPerKey / taken, `${kind}: ${bytesPerKey} of ${taken}`)
      .toBeGreaterThan(1 - within)
    expect.soft(bytesPerKey / taken, `${kind}: ${bytesPerKey} of ${taken}`).toBeLessThan(1 + within)
  }
})

test('memory forecast - is what the server takes as a whole', async (context) => {
  if (server.pid === undefined) context.skip('the server is shared: others use its memory too')
  const taken = (await usedMemory()) - usedBefore
  const { bytes } = predictMemory(definition, load)
  expect(bytes / taken).toBeGreaterThan(1 - within)
  expect(bytes / taken).toBeLessThan(1 + within)
})

test('memory forecast - a busy entity with tails takes no more than a bounded log', () => {
  const busy = { ...load, entities: new Map([...entities, ['terminal', 1]]), eventsPerDay: 1e6 }
  const { rows, tiles, bytesPerKey } = predictMemory(definition, busy).kinds.find(
    ({ kind }) => kind === 'terminal',
  )!
  expect(rows).toBeLessThan(100)
  expect(tiles).toBeLessThanOrEqual((5 * DAY_MS + 600_000) / HOUR_MS + 3)
  expect(bytesPerKey).toBeLessThan(32 * 1024)
})

test('memory forecast - refuses entities without a count', () => {
  const some = { ...load, entities: new Map([['customer', 10]]) }
  expect(() => predictMemory(definition, some)).toThrow(
    /Found counts of customer, expected one of terminal too: --entities terminal=N/,
  )
})
