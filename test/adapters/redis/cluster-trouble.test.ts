// What may befall a Redis Cluster under a running store: slots that move, masters that fail over,
// are restarted or are new. Each test has keys of its own, and leaves the cluster whole.
//
// The store is driven as a lane does it: what is refused or not answered is claimed and sent again.
// Ordinals then show whether an event was lost or counted twice. Names of keys are not presumed:
// the test looks them up.

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { keySlot } from '../../../services/adapters/redis/client/key-slot.ts'
import { connectRedis } from '../../../services/adapters/redis/client/redis-client.ts'
import type { RedisClient } from '../../../services/adapters/redis/client/redis-commands.ts'
import { createRedisLogStore } from '../../../services/adapters/redis/logs/redis-log-store.ts'
import { WeirError } from '../../../services/core/errors.ts'
import type { EntityLogStore } from '../../../services/pipeline/enrich/log-store.ts'
import { observeNothing, type Signal } from '../../../services/pipeline/observe/signals.ts'
import {
  entriesOf,
  ordinalsOf,
  requestOf,
  type TestEntry,
  testKinds,
} from '../../support/log-requests.ts'
import {
  type ClusterNode,
  hasRedisServer,
  startTestCluster,
  type TestCluster,
} from '../../support/redis-cluster.ts'
import { uniqueName } from '../../support/stack.ts'
import { waitFor } from '../../support/wait-for.ts'

const KEYS = 12
const DEADLINE_MS = 45_000

let cluster: TestCluster
let redis: RedisClient
let signals: Signal[] = []

beforeAll(async () => {
  if (!hasRedisServer) return
  cluster = await startTestCluster({ masters: 3, replicasEach: 1 })
  redis = await connectRedis(cluster.url, (signal) => signals.push(signal))
})

afterAll(async () => {
  redis?.disconnect()
  await cluster?.stop()
})

/** A lane over a store of its own, that goes on whatever happens to the cluster. */
async function openLane(buckets = 4) {
  const prefix = uniqueName('slots')
  const laneId = 1
  const store = await createRedisLogStore({
    redis,
    kinds: testKinds,
    prefix,
    buckets,
    retentionMs: 600_000,
    observe: (signal) => signals.push(signal),
  })
  let epoch = await claim(store, laneId, 0)
  let committed = 0
  /** Sends offsets from..to until they are answered, and returns their ordinals. */
  const advance = async (from: number, to: number): Promise<number[]> => {
    const entries: TestEntry[] = entriesOf(from, to).map((e) => ({ ...e, key: keyOf(e.offset) }))
    const deadlineMs = Date.now() + DEADLINE_MS
    for (;;) {
      try {
        const reply = await store.advance(requestOf([{ laneId, epoch }], entries))
        committed = to + 1
        return ordinalsOf(reply)
      } catch (error) {
        if (!(error instanceof WeirError) || Date.now() > deadlineMs) throw error
        epoch = await claim(store, laneId, committed).catch(() => epoch)
      }
    }
  }
  return { prefix, advance }
}

async function claim(store: EntityLogStore, laneId: number, committedOffset: number) {
  const { epoch } = await store.claim(laneId)
  await store.confirm({ laneId, epoch, committedOffset }, [laneId])
  return epoch
}

const keyOf = (offset: number): string => `k${offset % KEYS}`
const ordinalsFor = (from: number, to: number): number[] =>
  entriesOf(from, to).map(({ offset }) => Math.floor(offset / KEYS))

/** The slots that hold keys of this prefix. */
async function slotsOf(prefix: string): Promise<number[]> {
  const masters = await mastersOf(cluster)
  const keys = await Promise.all(masters.map((node) => node.redis.keys(`{${prefix}:*`)))
  return [...new Set(keys.flat().map(keySlot))]
}

async function mastersOf({ nodes }: TestCluster): Promise<ClusterNode[]> {
  const roles = await Promise.all(nodes.map((node) => node.redis.info('replication')))
  return nodes.filter((_, i) => roles[i]!.includes('role:master'))
}

async function replicaOf(master: ClusterNode): Promise<ClusterNode> {
  const links = await Promise.all(cluster.nodes.map((node) => node.redis.info('replication')))
  const isLinked = (text: string) =>
    text.includes('role:slave') && text.includes(`master_port:${master.port}\r\n`)
  return cluster.nodes[links.findIndex(isLinked)]!
}

const has = (node: ClusterNode, text: string): Promise<boolean> =>
  node.redis.info('replication').then((shown) => shown.includes(text))

/** How often the nodes have answered with an error of this kind. */
async function countErrors(kind: string): Promise<number> {
  const texts = await Promise.all(cluster.nodes.map((node) => node.redis.info('errorstats')))
  return texts.reduce((sum, text) => {
    return sum + Number(new RegExp(`errorstat_${kind}:count=(\\d+)`).exec(text)?.[1] ?? 0)
  }, 0)
}

/** Every node sees six healthy ones, and every replica has what its master has. */
const waitUntilWhole = () =>
  waitFor(
    async () => {
      const views = await Promise.all(cluster.nodes.map((node) => node.redis.cluster('NODES')))
      const links = await Promise.all(cluster.nodes.map((n) => n.redis.info('replication')))
      const isSound = (view: unknown) => !/fail|handshake|disconnected/.test(String(view))
      return views.every(isSound) && links.every((l) => !l.includes('link_status:down'))
    },
    () => 'the cluster to be whole again',
  )

/** Makes a replica the master, as an operator does; it may have to be asked more than once. */
async function failOver(replica: ClusterNode, slot: number): Promise<void> {
  await waitFor(
    async () => {
      if ((await cluster.ownerOf(slot)) === replica) return true
      await replica.redis.cluster('FAILOVER').catch(() => undefined)
      return false
    },
    () => `node ${replica.port} to take over`,
    { everyMs: 500 },
  )
}

describe.skipIf(!hasRedisServer)('Redis Cluster', () => {
  test('key slots - are those that a server computes', async () => {
    const brace = fc.constantFrom('{', '}', 'ä', '€', '𝄞', 'a', '1', ' ')
    const key = fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: brace }))
    const property = fc.asyncProperty(key, async (text) => {
      expect(keySlot(text)).toBe(await cluster.nodes[0]!.redis.cluster('KEYSLOT', text))
    })
    await fc.assert(property, { numRuns: 300 })
  })

  test('Redis Cluster - a slot moves key by key under a store that goes on', async () => {
    const { prefix, advance } = await openLane()
    expect(await advance(0, 23)).toEqual(ordinalsFor(0, 23))
    let next = 24
    for (const slot of await slotsOf(prefix)) {
      const masters = await mastersOf(cluster)
      const from = await cluster.ownerOf(slot)
      const to = masters[(masters.indexOf(from) + 1) % masters.length]!
      let during: Promise<number[]> | undefined
      const before = (await countErrors('ASK')) + (await countErrors('TRYAGAIN'))
      const [first, last] = [next, next + 29]
      await cluster.moveSlot(slot, to, async () => {
        // Some keys are here and some there: this is answered once the slot has moved.
        during = advance(first, last)
        await waitFor(
          async () => (await countErrors('ASK')) + (await countErrors('TRYAGAIN')) > before,
          () => 'a call to meet the migration',
        )
      })
      expect(await during).toEqual(ordinalsFor(first, last))
      next = last + 1
      expect(await cluster.ownerOf(slot)).toBe(to)
    }
    expect(await advance(next, next + 11)).toEqual(ordinalsFor(next, next + 11))
    await waitUntilWhole()
  })

  test('Redis Cluster - a master dies, and its replica takes over', async () => {
    const { prefix, advance } = await openLane()
    let next = 0
    const goOn = async () => {
      expect(await advance(next, next + 19)).toEqual(ordinalsFor(next, next + 19))
      next += 20
    }
    await goOn()
    const [slot] = await slotsOf(prefix)
    const master = await cluster.ownerOf(slot!)
    const replica = await replicaOf(master)
    // What the replica has not got is another story: that of a store that lost its tail.
    expect(await master.redis.wait(1, 10_000)).toBe(1)
    signals = []
    await cluster.kill(master)
    await goOn()
    expect(await cluster.ownerOf(slot!)).toBe(replica)
    expect(connectionStates().at(0)).toBe('down')
    expect(connectionStates().at(-1)).toBe('up')
    await cluster.start(master)
    await waitUntilWhole()
    await goOn()
  })

  test('Redis Cluster - a master falls silent without closing a connection', async () => {
    const { prefix, advance } = await openLane()
    expect(await advance(0, 19)).toEqual(ordinalsFor(0, 19))
    const [slot] = await slotsOf(prefix)
    const master = await cluster.ownerOf(slot!)
    const replica = await replicaOf(master)
    expect(await master.redis.wait(1, 10_000)).toBe(1)
    process.kill(master.pid, 'SIGSTOP')
    try {
      expect(await advance(20, 39)).toEqual(ordinalsFor(20, 39))
      expect(await has(replica, 'role:master')).toBe(true)
    } finally {
      process.kill(master.pid, 'SIGCONT')
    }
    await waitUntilWhole()
    expect(await advance(40, 59)).toEqual(ordinalsFor(40, 59))
  })

  test('Redis Cluster - a planned failover is followed', async () => {
    const { prefix, advance } = await openLane()
    expect(await advance(0, 19)).toEqual(ordinalsFor(0, 19))
    const [slot] = await slotsOf(prefix)
    const master = await cluster.ownerOf(slot!)
    const replica = await replicaOf(master)
    const failedOver = failOver(replica, slot!)
    let next = 20
    await waitFor(
      async () => {
        expect(await advance(next, next + 19)).toEqual(ordinalsFor(next, next + 19))
        next += 20
        return (await cluster.ownerOf(slot!)) === replica
      },
      () => 'the failover',
    )
    await failedOver
    expect(await advance(next, next + 19)).toEqual(ordinalsFor(next, next + 19))
    await waitUntilWhole()
  })

  test('Redis Cluster - all nodes are restarted with their data', async () => {
    const { advance } = await openLane()
    expect(await advance(0, 19)).toEqual(ordinalsFor(0, 19))
    await Promise.all(cluster.nodes.map(cluster.kill))
    const during = advance(20, 39)
    await Promise.all(cluster.nodes.map(cluster.start))
    expect(await during).toEqual(ordinalsFor(20, 39))
    await waitUntilWhole()
  })

  test('Redis Cluster - a master without the functions gets them, and the others keep theirs', async () => {
    const { prefix, advance } = await openLane()
    expect(await advance(0, 19)).toEqual(ordinalsFor(0, 19))
    const [slot] = await slotsOf(prefix)
    const bare = await cluster.ownerOf(slot!)
    const others = (await mastersOf(cluster)).filter((node) => node !== bare)
    for (const { redis: node } of others) await node.call('FUNCTION', 'LOAD', countingLibrary)
    const count = (node: ClusterNode) => node.redis.call('FCALL', 'weir_test_count', '0')
    expect(await count(others[0]!)).toBe(1)
    await bare.redis.call('FUNCTION', 'FLUSH')
    expect(await advance(20, 39)).toEqual(ordinalsFor(20, 39))
    await redis.loadFunctions(countingLibrary)
    expect([await count(others[0]!), await count(bare)]).toEqual([2, 1])
  })

  test('Redis Cluster - what is not whole is not started with, and says where it looked', async () => {
    const masters = await mastersOf(cluster)
    await Promise.all(cluster.nodes.map(cluster.kill))
    await cluster.start(masters[0]!)
    await expect(connectRedis(cluster.url, observeNothing)).rejects.toMatchObject({
      code: 'WEIR_ENRICH_STORE_AWAY',
      message: expect.stringContaining(`127.0.0.1:${masters[0]!.port}`),
    })
    const rest = cluster.nodes.filter((node) => node !== masters[0])
    await Promise.all(rest.map(cluster.start))
    await waitUntilWhole()
    const client = await connectRedis(masters[1]!.url, observeNothing)
    client.disconnect()
  })
})

const countingLibrary = `#!lua name=weir_test_counting
local count = 0
redis.register_function('weir_test_count', function()
  count = count + 1
  return count
end)`

/** The states of the connection that were told, without repetitions. */
const connectionStates = (): string[] =>
  signals
    .filter((signal) => signal.kind === 'connection')
    .map(({ state }) => state)
    .filter((state, i, all) => state !== all[i - 1])
