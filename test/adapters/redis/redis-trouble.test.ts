// What the Redis store does when Redis forgets, half answers or does not answer.
//
// Each test has a prefix of its own and, where needed, a client that stands between the store and
// Redis and spoils some calls. Emptying the store removes the keys of that prefix.

import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { LIBRARY } from '../../../services/adapters/redis/calls/redis-functions.ts'
import { connectRedis } from '../../../services/adapters/redis/client/redis-client.ts'
import type { RedisClient } from '../../../services/adapters/redis/client/redis-commands.ts'
import { nameKeys } from '../../../services/adapters/redis/fences/redis-fences.ts'
import { createRedisLogStore } from '../../../services/adapters/redis/logs/redis-log-store.ts'
import { limits } from '../../../services/core/limits.ts'
import { TIME } from '../../../services/pipeline/enrich/entity-log.ts'
import { observeNothing, type Signal } from '../../../services/pipeline/observe/signals.ts'
import { refusalOf } from '../../contract/log-store-contract.ts'
import { holdLane } from '../../support/hold-lane.ts'
import { entriesOf, ordinalsOf, requestOf, seenOf, testKinds } from '../../support/log-requests.ts'
import { startTestRedis, type TestRedis } from '../../support/redis.ts'
import { uniqueName } from '../../support/stack.ts'

let server: TestRedis
let redis: RedisClient
let raw: Redis

beforeAll(async () => {
  server = await startTestRedis()
  redis = await connectRedis(server.url, observeNothing)
  raw = new Redis(server.url)
})

afterAll(async () => {
  redis?.disconnect()
  raw?.disconnect()
  await server?.stop()
})

type WorldOptions = {
  readonly client?: RedisClient
  readonly buckets?: number
  readonly retentionMs?: number
  readonly cacheBytesMax?: number
}

function createWorld() {
  const prefix = uniqueName('trouble')
  const signals: Signal[] = []
  const open = ({ client, buckets = 1, retentionMs = 60_000, ...rest }: WorldOptions = {}) =>
    createRedisLogStore({
      redis: client ?? redis,
      kinds: testKinds,
      prefix,
      buckets,
      retentionMs,
      observe: (signal) => signals.push(signal),
      ...rest,
    })
  const keys = () => raw.keys(`{${prefix}:*`)
  return { open, keys, signals, prefix }
}

/** A client whose calls of advance go through `spoil` first. */
function spoiling(spoil: (call: () => Promise<unknown>, keys: readonly string[]) => unknown) {
  const client: RedisClient = {
    ...redis,
    call: async (name, keys, args) => {
      const call = () => redis.call(name, keys, args)
      return name.endsWith('_advance') ? spoil(call, keys) : call()
    },
  }
  return client
}

test('Redis store - counts once what was applied although the answer got lost', async () => {
  let lost = 0
  const client = spoiling(async (call) => {
    const answer = await call()
    if (lost++ < 2) throw new Error('Command timed out')
    return answer
  })
  const { open, signals } = createWorld()
  const store = await open({ client })
  const held = await holdLane(store, 1)
  const entries = [...entriesOf(0, 3), { offset: 4, looks: true }, { offset: 5 }]
  const reply = await store.advance(requestOf([held], entries))
  expect(ordinalsOf(reply)).toEqual([0, 1, 2, 3, -1, 4])
  expect(seenOf(reply)).toEqual([0, 1, 2, 3, 4, 4])
  expect(reply.logs[0]!.count).toBe(5)
  const retried = signals.filter(({ kind }) => kind === 'retried')
  expect(retried).toMatchObject([{ operation: 'advance' }, { operation: 'advance' }])
  expect(ordinalsOf(await store.advance(requestOf([held], entriesOf(6, 6))))).toEqual([5])
})

/** Two logs of one bucket, whose second key then holds what `spoil` makes of it. */
async function spoilSecondLog(spoil: (key: string) => Promise<unknown>) {
  const { open, keys, signals } = createWorld()
  const store = await open()
  const held = await holdLane(store, 1)
  const both = (from: number) =>
    entriesOf(from, from + 1).map((entry, i) => ({ ...entry, key: `k${i}` }))
  await store.advance(requestOf([held], both(0)))
  const second = (await keys()).find((key) => key.endsWith(':k1'))!
  await spoil(second)
  const read = async () => {
    const found: Record<string, unknown> = {}
    for (const key of (await keys()).sort()) {
      found[key] = key.endsWith('fence') ? await raw.hgetallBuffer(key) : await raw.dumpBuffer(key)
    }
    return found
  }
  const before = await read()
  const refusal = await store.advance(requestOf([held], both(2))).then(
    () => null,
    (error: unknown) => error,
  )
  expect(await read()).toEqual(before)
  return { refusal, second, signals }
}

test('Redis store - a log of a foreign layout changes nothing, not even the logs before it', async () => {
  const { refusal, second, signals } = await spoilSecondLog((key) => raw.setrange(key, 0, '\u0003'))
  expect(refusal).toMatchObject({ code: 'WEIR_ENRICH_STORE_FOREIGN' })
  expect(String(refusal)).toContain(`Key ${second} has layout version 3, expected 2`)
  expect(signals.filter(({ kind }) => kind === 'retried')).toEqual([])
})

test('Redis store - a key that is no log changes nothing, and is not asked for again', async () => {
  const { refusal, signals } = await spoilSecondLog(async (key) => {
    await raw.del(key)
    await raw.sadd(key, 'a set')
  })
  expect(refusal).toMatchObject({ code: 'WEIR_ENRICH_STORE_FOREIGN' })
  expect(String(refusal)).toContain('WRONGTYPE')
  expect(signals.filter(({ kind }) => kind === 'retried')).toEqual([])
})

test('Redis store - at maxmemory says so; fences can be read and claimed, and then it goes on', async () => {
  const full = await startTestRedis()
  const client = await connectRedis(full.url, observeNothing)
  const admin = new Redis(full.url)
  onTestFinished(async () => {
    client.disconnect()
    admin.disconnect()
    await full.stop()
  })
  const { open, signals } = createWorld()
  const store = await open({ client })
  const held = await holdLane(store, 1)
  await store.advance(requestOf([held], entriesOf(0, 1)))
  await admin.config('SET', 'maxmemory', '1mb')
  const refusal = await store.advance(requestOf([held], entriesOf(2, 3))).catch((e: unknown) => e)
  expect(refusal).toMatchObject({ code: 'WEIR_ENRICH_STORE_FULL' })
  expect(String(refusal)).toContain('maxmemory')
  const retried = signals.filter(({ kind }) => kind === 'retried')
  expect(new Set(retried.map((one) => 'code' in one && one.code))).toEqual(
    new Set(['WEIR_ENRICH_STORE_FULL']),
  )
  await store.touch([
    { laneId: 1, epoch: held.epoch, frontierMs: 5, isIdle: true, committedOffset: 2 },
  ])
  const again = await holdLane(store, 1)
  expect(again.appliedOffset).toBe(1)
  await admin.config('SET', 'maxmemory', '0')
  expect(ordinalsOf(await store.advance(requestOf([again], entriesOf(2, 3))))).toEqual([2, 3])
})

test('Redis store - goes on from a batch that only some buckets have applied', async () => {
  // The store is fenced in half of its buckets, as if another scorer were just claiming the lane.
  const fenced = ['FENCED', '1', '99', '-1'].map((part) => Buffer.from(part))
  const client = spoiling((call, [fence]) => (/:[13]\.\w+}fence$/.test(fence!) ? fenced : call()))
  const { open } = createWorld()
  const first = await open({ client, buckets: 4 })
  const entries = entriesOf(0, 39).map((e) => ({ ...e, key: `k${e.offset % 10}` }))
  const heldFirst = await holdLane(first, 1)
  const refusal = await refusalOf(first.advance(requestOf([heldFirst], entries.slice(0, 25))))
  expect(refusal.code).toBe('WEIR_ENRICH_FENCED')

  const second = await open({ buckets: 4 })
  const claimed = await holdLane(second, 1)
  expect(claimed.appliedOffset).toBe(-1)
  const ordinals: number[] = []
  for (const part of [entries.slice(0, 13), entries.slice(13)]) {
    const reply = await second.advance(requestOf([claimed], part))
    ordinals.push(...ordinalsOf(reply))
  }
  expect(ordinals).toEqual(entries.map(({ offset }) => Math.floor(offset / 10)))
  expect((await holdLane(second, 1)).appliedOffset).toBe(39)
})

test('Redis store - never extends a cached log whose key is gone or was made anew', async () => {
  const { open, keys } = createWorld()
  const [one, other] = [await open(), await open()]
  const a = await holdLane(one, 1)
  const b = await holdLane(other, 2)
  await one.advance(requestOf([a], entriesOf(0, 4)))
  const logs = (await keys()).filter((key) => !key.endsWith('fence'))
  expect(logs).toHaveLength(1)
  await raw.del(logs)
  const looked = await one.advance(requestOf([a], [{ offset: 5, looks: true }]))
  expect(seenOf(looked)).toEqual([0])

  await one.advance(requestOf([a], entriesOf(6, 7)))
  await raw.del(logs)
  // As many records as before, so that only the generation tells the two apart.
  await other.advance(requestOf([b], entriesOf(0, 1)))
  const reply = await one.advance(requestOf([a], entriesOf(8, 8)))
  expect(ordinalsOf(reply)).toEqual([2])
  expect(reply.logs[0]!.count).toBe(3)
  const restarted = await open()
  const c = await holdLane(restarted, 3)
  const told = await restarted.advance(requestOf([c], [{ offset: 0, looks: true }]))
  expect(told.logs[0]!.rows.subarray(0, 3 * told.logs[0]!.stride)).toEqual(
    reply.logs[0]!.rows.subarray(0, 3 * reply.logs[0]!.stride),
  )
})

test('Redis store - refuses as lost what was emptied, wholly or one bucket of it', async () => {
  for (const isWanted of [() => true, (key: string) => /:2\.\w+}/.test(key)]) {
    const { open, keys } = createWorld()
    const store = await open({ buckets: 4 })
    const held = await holdLane(store, 1)
    await store.advance(requestOf([held], entriesOf(0, 9)))
    await raw.del((await keys()).filter(isWanted))
    const refusal = await refusalOf(store.advance(requestOf([held], entriesOf(10, 10))))
    expect(refusal.code).toBe('WEIR_ENRICH_STORE_UNSURE')
    expect((await holdLane(store, 1)).appliedOffset).toBe(-1)
  }
})

test('Redis store - refuses as lost a fence that was restored from an older state', async () => {
  const { open, prefix } = createWorld()
  const store = await open()
  const held = await holdLane(store, 1)
  const fence = nameKeys(prefix, 1).fences[0]!
  await store.advance(requestOf([held], entriesOf(0, 4)))
  const snapshot = await raw.hgetallBuffer(fence)
  await store.advance(requestOf([held], entriesOf(5, 9)))
  await raw.hset(fence, snapshot)
  const refusal = await refusalOf(store.advance(requestOf([held], entriesOf(10, 10))))
  expect(refusal).toMatchObject({ code: 'WEIR_ENRICH_STORE_UNSURE', laneId: 1 })
  expect((await holdLane(store, 1)).appliedOffset).toBe(4)
})

test('Redis store - believes nothing it remembers of a store that was restored', async () => {
  const { open, keys } = createWorld()
  const [one, other] = [await open(), await open()]
  const a = await holdLane(one, 1)
  const b = await holdLane(other, 2)
  await one.advance(requestOf([a], entriesOf(0, 4)))
  const names = await keys()
  const dumps = await Promise.all(names.map((name) => raw.dumpBuffer(name)))
  await one.advance(requestOf([a], entriesOf(5, 9)))
  for (const [i, name] of names.entries()) await raw.restore(name, 0, dumps[i]!, 'REPLACE')
  // As many records as were lost: neither the generation nor the length tells.
  await other.advance(requestOf([b], entriesOf(50, 54)))
  const refusal = await refusalOf(one.advance(requestOf([a], entriesOf(10, 10))))
  expect(refusal.code).toBe('WEIR_ENRICH_STORE_UNSURE')

  const again = await holdLane(one, 1)
  expect(again.appliedOffset).toBe(4)
  const { logs, positions } = await one.advance(requestOf([again], entriesOf(5, 6)))
  expect([...positions]).toEqual([10, 11])
  const { rows, stride } = logs[0]!
  const times = Array.from({ length: 12 }, (_, i) => rows[i * stride + TIME]! - 1000)
  expect(times).toEqual([0, 1, 2, 3, 4, 50, 51, 52, 53, 54, 5, 6])
})

test('Redis store - keeps its cache when only a lane moves away', async () => {
  const { open, signals } = createWorld()
  const [one, other] = [await open(), await open()]
  const a = await holdLane(one, 1)
  const b = await holdLane(one, 2)
  await one.advance(requestOf([a], entriesOf(0, 4)))
  await holdLane(other, 2)
  await refusalOf(one.advance(requestOf([b], entriesOf(0, 1))))
  await one.advance(requestOf([a], entriesOf(5, 6)))
  const trip = signals.findLast((signal) => signal.kind === 'store_round_trip')
  expect(trip).toMatchObject({ logs: 1, cacheHits: 1, bytesReceived: 0 })
})

test('Redis store - loads its functions again where the server has lost them', async () => {
  const { open } = createWorld()
  const store = await open()
  await raw.call('FUNCTION', 'DELETE', LIBRARY)
  const held = await holdLane(store, 1)
  await raw.call('FUNCTION', 'DELETE', LIBRARY)
  // The functions of a server that lost them know nothing of the lanes that were confirmed.
  const refusal = await refusalOf(store.advance(requestOf([held], entriesOf(0, 1))))
  expect(refusal.code).toBe('WEIR_ENRICH_STORE_UNSURE')
  const again = await holdLane(store, 1)
  expect(ordinalsOf(await store.advance(requestOf([again], entriesOf(0, 1))))).toEqual([0, 1])
  await raw.call('FUNCTION', 'DELETE', LIBRARY)
  await store.exchangeFrontiers([])
  expect(store.knownFrontiers()).toHaveLength(1)
})

test('Redis store - gives up after a bounded number of attempts, and can go on later', async () => {
  let isAway = true
  let calls = 0
  const client = spoiling((call) => {
    calls++
    return isAway ? Promise.reject(new Error('Connection is closed.')) : call()
  })
  const { open } = createWorld()
  const store = await open({ client })
  const held = await holdLane(store, 1)
  const request = requestOf([held], entriesOf(0, 2))
  const expected = { code: 'WEIR_ENRICH_STORE_AWAY', canRetry: true }
  await expect(store.advance(request)).rejects.toMatchObject(expected)
  expect(calls).toBe(limits.retryAttemptsMax)
  isAway = false
  expect(ordinalsOf(await store.advance(request))).toEqual([0, 1, 2])
})

test('Redis store - says where it looked when there is no Redis', async () => {
  await expect(connectRedis('redis://127.0.0.1:1', observeNothing)).rejects.toMatchObject({
    code: 'WEIR_ENRICH_STORE_AWAY',
    message: expect.stringContaining('127.0.0.1:1 (WEIR_REDIS_URL)'),
  })
})

test('Redis store - sends nothing back while nobody else writes, and the rest once', async () => {
  const { open, signals } = createWorld()
  const [one, other] = [await open(), await open()]
  const a = await holdLane(one, 1)
  const b = await holdLane(other, 2)
  const advance = async (store: typeof one, held: typeof a, from: number, to: number) => {
    await store.advance(requestOf([held], entriesOf(from, to)))
    return signals.findLast((h) => h.kind === 'store_round_trip')!
  }
  const recordBytes = 16 + 8 * 2
  const toldBytes = 20
  expect(await advance(one, a, 0, 9)).toMatchObject({ bytesReceived: 0, logs: 1, cacheHits: 1 })
  expect(await advance(one, a, 10, 14)).toMatchObject({ bytesReceived: 0, cacheHits: 1 })
  expect(await advance(other, b, 0, 1)).toMatchObject({
    bytesReceived: toldBytes + 17 * recordBytes,
    cacheHits: 0,
  })
  // Its own record comes back with the two that it had not seen.
  const bytesReceived = toldBytes + 3 * recordBytes
  expect(await advance(one, a, 15, 15)).toMatchObject({ bytesReceived, cacheHits: 0 })
  expect(await advance(one, a, 10, 15)).toMatchObject({ bytesReceived: toldBytes, redelivered: 6 })
})

test('Redis store - keeps its cache below the ceiling, and forgets without harm', async () => {
  const { open, signals } = createWorld()
  const cacheBytesMax = 20_000
  const store = await open({ cacheBytesMax })
  const held = await holdLane(store, 1)
  const keyCount = 40
  const perBatch = 10
  for (let from = 0; from < 3200; from += perBatch) {
    const entries = entriesOf(from, from + perBatch - 1).map((e) => ({
      ...e,
      key: `k${e.offset % keyCount}`,
    }))
    const reply = await store.advance(requestOf([held], entries))
    expect(ordinalsOf(reply)).toEqual(entries.map(({ offset }) => Math.floor(offset / keyCount)))
  }
  const sizes = signals.filter((signal) => signal.kind === 'store_size')
  expect(sizes.length).toBeGreaterThan(0)
  // One log of 80 rows may have room for 128 of them; ten of those can come in one batch.
  const batchBytes = perBatch * (300 + 128 * 6 * 8)
  for (const { cachedBytes, cachedLogs } of sizes) {
    expect(cachedBytes).toBeGreaterThan(0)
    expect(cachedBytes).toBeLessThanOrEqual(cacheBytesMax + 2 * batchBytes)
    expect(cachedLogs).toBeLessThanOrEqual(keyCount)
  }
  const trips = signals.filter((signal) => signal.kind === 'store_round_trip')
  expect(trips.some(({ logs, cacheHits }) => cacheHits < logs)).toBe(true)
})

test('Redis store - lets logs expire after the retention, counted from the last writes', async () => {
  const { open, keys } = createWorld()
  const retentionMs = 600_000
  const store = await open({ retentionMs })
  const held = await holdLane(store, 1)
  await store.advance(requestOf([held], entriesOf(0, 4)))
  const log = (await keys()).find((key) => !key.endsWith('fence'))!
  expect(await raw.pttl(log)).toBeGreaterThan(retentionMs / 2)
  expect(await raw.pttl(log)).toBeLessThanOrEqual(retentionMs)

  await raw.pexpire(log, 5000)
  const successor = await open({ retentionMs })
  const heldNow = await holdLane(successor, 1)
  await successor.advance(requestOf([heldNow], entriesOf(5, 5)))
  expect(await raw.pttl(log)).toBeGreaterThan(retentionMs / 2)
})

test('Redis store - refuses a batch while another one is under way', async () => {
  const { open } = createWorld()
  const store = await open()
  const held = await holdLane(store, 1)
  const first = store.advance(requestOf([held], entriesOf(0, 1)))
  await expect(store.advance(requestOf([held], entriesOf(2, 3)))).rejects.toMatchObject({
    code: 'WEIR_INTERNAL_INVARIANT',
  })
  expect(ordinalsOf(await first)).toEqual([0, 1])
  expect(ordinalsOf(await store.advance(requestOf([held], entriesOf(2, 3))))).toEqual([2, 3])
})
