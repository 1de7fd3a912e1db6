// The Redis store under the contract of all log stores.

import { afterAll, beforeAll } from 'vitest'
import { connectRedis } from '../../../../services/adapters/redis/client/redis-client.ts'
import type { RedisClient } from '../../../../services/adapters/redis/client/redis-commands.ts'
import { createRedisLogStore } from '../../../../services/adapters/redis/logs/redis-log-store.ts'
import { observeNothing } from '../../../../services/pipeline/observe/signals.ts'
import { describeLogStore } from '../../../contract/log-store-contract.ts'
import { testKinds } from '../../../support/log-requests.ts'
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

for (const buckets of [1, 8]) {
  describeLogStore(`Redis store, ${buckets} buckets`, () => {
    const prefix = uniqueName('contract')
    const kinds = testKinds
    const rest = { prefix, kinds, buckets, retentionMs: 60_000, observe: observeNothing }
    return { open: () => createRedisLogStore({ redis, ...rest }) }
  })
}
