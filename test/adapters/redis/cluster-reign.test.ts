// A server that was trusted, became a replica and is a master again: what it remembers of its first
// reign must not make it trusted anew, for its functions' memory outlives a partial
// resynchronisation.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectRedis } from '../../../services/adapters/redis/client/redis-client.ts'
import type { RedisClient } from '../../../services/adapters/redis/client/redis-commands.ts'
import { createRedisLogStore } from '../../../services/adapters/redis/logs/redis-log-store.ts'
import { WeirError } from '../../../services/core/errors.ts'
import { observeNothing } from '../../../services/pipeline/observe/signals.ts'
import { refusalOf } from '../../contract/log-store-contract.ts'
import { entriesOf, requestOf, testKinds } from '../../support/log-requests.ts'
import {
  type ClusterNode,
  hasRedisServer,
  startTestCluster,
  type TestCluster,
} from '../../support/redis-cluster.ts'
import { uniqueName } from '../../support/stack.ts'
import { waitFor } from '../../support/wait-for.ts'

let cluster: TestCluster
let redis: RedisClient

beforeAll(async () => {
  if (!hasRedisServer) return
  cluster = await startTestCluster({ masters: 1, replicasEach: 1 })
  redis = await connectRedis(cluster.url, observeNothing)
})

afterAll(async () => {
  redis?.disconnect()
  await cluster?.stop()
})

const has = (node: ClusterNode, text: string): Promise<boolean> =>
  node.redis.info('replication').then((shown) => shown.includes(text))

/** Makes a replica the master; it may have to be asked more than once. */
async function promote(replica: ClusterNode, ...how: string[]): Promise<void> {
  await waitFor(
    async () => {
      if (await has(replica, 'role:master')) return true
      await replica.redis.call('CLUSTER', 'FAILOVER', ...how).catch(() => undefined)
      return false
    },
    () => `node ${replica.port} to take over`,
    { everyMs: 500 },
  )
}

/** Two lanes, each held by a scorer of its own. */
async function openLanes() {
  const rest = { prefix: uniqueName('reign'), kinds: testKinds, buckets: 1, retentionMs: 600_000 }
  const open = () => createRedisLogStore({ redis, observe: observeNothing, ...rest })
  const stores = [await open(), await open()] as const
  /** Claims both lanes, and tells that nothing is committed yet. */
  const hold = async () => {
    const lanes = await Promise.all(
      stores.map(async (store, i) => ({
        laneId: i + 1,
        epoch: (await answered(() => store.claim(i + 1))).epoch,
      })),
    )
    const confirm = (i: number) => stores[i]!.confirm({ ...lanes[i]!, committedOffset: 0 }, [1, 2])
    await waitFor(
      async () => {
        await confirm(0)
        return (await confirm(1)) === 'ready'
      },
      () => 'the store to be ready',
    )
    return lanes
  }
  return { stores, hold }
}

/** Calls until the store answers, with a reply or a refusal. */
async function answered<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await call()
    } catch (error) {
      const isAway = error instanceof WeirError && error.code === 'WEIR_ENRICH_STORE_AWAY'
      if (!isAway || attempt === 10) throw error
    }
  }
}

describe.skipIf(!hasRedisServer)('Redis Cluster', () => {
  test('Redis Cluster - a server that is a master for the second time is not trusted at once', async () => {
    const [first, second] = cluster.nodes as [ClusterNode, ClusterNode]
    const { stores, hold } = await openLanes()
    const [, held] = await hold()
    await stores[1].advance(requestOf([held!], entriesOf(0, 4)))
    await promote(second)
    const [a, b] = await hold()
    await stores[1].advance(requestOf([b!], entriesOf(5, 9)))
    await waitFor(
      () => has(first, 'master_link_status:up'),
      () => 'the first to be a replica',
    )
    // The first stands still while the second takes a batch of lane 1 and dies.
    process.kill(first.pid, 'SIGSTOP')
    await stores[0].advance(requestOf([a!], entriesOf(0, 4)))
    await cluster.kill(second)
    process.kill(first.pid, 'SIGCONT')
    await promote(first, 'TAKEOVER')
    // Lane 2 misses nothing of its own, but would count without what lane 1 has lost.
    const refusal = await refusalOf(
      answered(() => stores[1].advance(requestOf([b!], entriesOf(10, 14)))),
    )
    expect(refusal.code).toBe('WEIR_ENRICH_STORE_UNSURE')
  })
})
