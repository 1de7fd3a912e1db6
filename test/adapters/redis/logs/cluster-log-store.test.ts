// The Redis store over a cluster of three masters, under the contract of all log stores.

import { afterAll, beforeAll } from 'vitest'
import { connectRedis } from '../../../../services/adapters/redis/client/redis-client.ts'
import type { RedisClient } from '../../../../services/adapters/redis/client/redis-commands.ts'
import { createRedisLogStore } from '../../../../services/adapters/redis/logs/redis-log-store.ts'
import { observeNothing } from '../../../../services/pipeline/observe/signals.ts'
import { describeLogStore } from '../../../contract/log-store-contract.ts'
import { testKinds } from '../../../support/log-requests.ts'
import {
  hasRedisServer,
  startTestCluster,
  type TestCluster,
} from '../../../support/redis-cluster.ts'
import { uniqueName } from '../../../support/stack.ts'

let cluster: TestCluster
let redis: RedisClient

beforeAll(async () => {
  if (!hasRedisServer) return
  cluster = await startTestCluster({ masters: 3 })
  redis = await connectRedis(cluster.url, observeNothing)
})

afterAll(async () => {
  redis?.disconnect()
  await cluster?.stop()
})

for (const buckets of [1, 8]) {
  describeLogStore(`Redis Cluster, ${buckets} buckets`, () => {
    const prefix = uniqueName('cluster')
    const rest = { prefix, kinds: testKinds, buckets, retentionMs: 60_000, observe: observeNothing }
    return { open: () => createRedisLogStore({ redis, ...rest }) }
  })
}
