// Putting back under a lease: one process at a time, and nobody advances meanwhile.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectRedis } from '../../../../services/adapters/redis/client/redis-client.ts'
import type { RedisClient } from '../../../../services/adapters/redis/client/redis-commands.ts'
import { createRedisLogStore } from '../../../../services/adapters/redis/logs/redis-log-store.ts'
import { createRedisRestore } from '../../../../services/adapters/redis/restore/redis-restore.ts'
import { hashToBucket } from '../../../../services/core/hash.ts'
import {
  appendRow,
  createEntityLog,
  encodeSource,
} from '../../../../services/pipeline/enrich/entity-log.ts'
import { observeNothing } from '../../../../services/pipeline/observe/signals.ts'
import { refusalOf } from '../../../contract/log-store-contract.ts'
import { holdLane } from '../../../support/hold-lane.ts'
import { entriesOf, ordinalsOf, requestOf, testKinds } from '../../../support/log-requests.ts'
import { startTestRedis, type TestRedis } from '../../../support/redis.ts'
import { uniqueName } from '../../../support/stack.ts'

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

const place = (prefix: string) => ({
  redis,
  kinds: testKinds,
  prefix,
  buckets: 2,
  retentionMs: 600_000,
  observe: observeNothing,
})

const key = entriesOf(0, 0)[0]!.key ?? 'k'
const bucket = hashToBucket(key, 2)

async function openLost() {
  const prefix = uniqueName('restore')
  const store = await createRedisLogStore(place(prefix))
  const held = await holdLane(store, 1, { committedOffset: 4 })
  expect(held.state).toBe('lost')
  return { store, held, restore: await createRedisRestore(place(prefix)) }
}

function rowsUntil(last: number) {
  const log = createEntityLog(testKinds[0]!.shape)
  for (let offset = 0; offset <= last; offset++) {
    appendRow(log, 1000 + offset, encodeSource(1, offset), Float64Array.from([offset, 0]), 0)
  }
  return log
}

test('Redis restore - what was put back is extended, and the lane goes on', async () => {
  const { store, held, restore } = await openLost()
  const session = (await restore.begin())!
  expect(session.fences.map((lanes) => lanes.get(1))).toEqual([
    { appliedOffset: -1, committedOffset: 4 },
    { appliedOffset: -1, committedOffset: 4 },
  ])
  expect(session.bucketOf(key)).toBe(bucket)
  expect(await session.read(bucket, [{ kind: 0, key }])).toEqual([null])
  await session.write(bucket, [{ kind: 0, key, log: rowsUntil(3) }])
  expect((await session.read(bucket, [{ kind: 0, key }]))[0]!.count).toBe(4)
  // While it goes on nobody is told that all is well.
  const confirmed = { laneId: 1, epoch: held.epoch, committedOffset: 4 }
  expect(await store.confirm(confirmed, [1])).toBe('waiting')
  for (const b of [0, 1]) await session.finish(b, new Map([[1, 3]]))
  await session.end()
  expect(await store.confirm(confirmed, [1])).toBe('ready')
  const again = await store.advance(requestOf([held], entriesOf(3, 5)))
  expect(ordinalsOf(again)).toEqual([3, 4, 5])
})

test('Redis restore - only one process at a time, and a session that ended early leaves it lost', async () => {
  const { store, held, restore } = await openLost()
  const session = (await restore.begin())!
  expect(await restore.begin()).toBeNull()
  await session.write(bucket, [{ kind: 0, key, log: rowsUntil(1) }])
  await session.end()
  const confirmed = { laneId: 1, epoch: held.epoch, committedOffset: 4 }
  expect(await store.confirm(confirmed, [1])).toBe('lost')
  const next = (await restore.begin())!
  // The first one may have been stopped for a while; it must not write over what is put back now.
  await refusalOf(session.write(bucket, [{ kind: 0, key, log: rowsUntil(1) }]))
  expect((await next.read(bucket, [{ kind: 0, key }]))[0]!.count).toBe(2)
  await next.end()
})
