// The store over a cluster whose slots keep moving, the memory store and the naive oracle are
// equal.
//
// Per seed: a random feature table and random lanes, as in test/oracle/stores-equal.test.ts. Before
// every third batch one of the run's slots moves to another master, key by key. That master has to
// be told what is committed before it is trusted; the test does so, as lanes do when they are
// refused.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { keySlot } from '../../../../services/adapters/redis/client/key-slot.ts'
import { connectRedis } from '../../../../services/adapters/redis/client/redis-client.ts'
import type { RedisClient } from '../../../../services/adapters/redis/client/redis-commands.ts'
import { createRedisLogStore } from '../../../../services/adapters/redis/logs/redis-log-store.ts'
import type {
  ConfirmedLane,
  EntityLogStore,
  LogKind,
} from '../../../../services/pipeline/enrich/log-store.ts'
import { observeNothing } from '../../../../services/pipeline/observe/signals.ts'
import { createRandom, type Random } from '../../../support/random.ts'
import { randomCeilings, randomPipeline } from '../../../support/random-pipeline.ts'
import { randomStream } from '../../../support/random-stream.ts'
import {
  hasRedisServer,
  startTestCluster,
  type TestCluster,
} from '../../../support/redis-cluster.ts'
import { uniqueName } from '../../../support/stack.ts'
import { createTwinScorers } from '../../../support/twin-scorers.ts'

const SEEDS = 40
const EVENTS = 70
const MOVES_SHARE = 1 / 3

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

/** Moves a slot of these keys to another master. */
async function moveSomeSlot(prefix: string, random: Random): Promise<void> {
  const names = await Promise.all(cluster.nodes.map((node) => node.redis.keys(`{${prefix}:*`)))
  const slots = [...new Set(names.flat().map(keySlot))].sort((a, b) => a - b)
  const slot = random.pick(slots)
  const from = await cluster.ownerOf(slot)
  await cluster.moveSlot(slot, random.pick(cluster.nodes.filter((node) => node !== from)))
}

/**
 * A store with something to do before a batch; remembers what was confirmed, to confirm it again.
 */
function wandering(
  store: EntityLogStore,
  lanes: Map<number, ConfirmedLane>,
  moveSlot: () => Promise<boolean>,
): EntityLogStore {
  return {
    ...store,
    confirm: (lane, laneIds) => {
      lanes.set(lane.laneId, lane)
      return store.confirm(lane, laneIds)
    },
    advance: async (request) => {
      if (await moveSlot()) {
        // The slot's new master believes nothing before all lanes have spoken.
        await expect(store.touch([])).rejects.toMatchObject({ code: 'WEIR_ENRICH_STORE_UNSURE' })
        for (const lane of lanes.values()) await store.confirm(lane, [...lanes.keys()])
      }
      return store.advance(request)
    },
  }
}

async function runSeed(seed: number) {
  const random = createRandom(seed)
  const definition = randomPipeline(random)
  const stream = randomStream(random, EVENTS)
  const prefix = uniqueName(`moving-${seed}`)
  const foldPolicy = { isDue: () => random.chance(0.3), isWorthIt: () => true }
  const lanes = new Map<number, ConfirmedLane>()
  let moves = 0
  const moveSlot = async () => {
    if (!random.chance(MOVES_SHARE)) return false
    moves++
    await moveSomeSlot(prefix, random)
    return true
  }
  const open = async (kinds: readonly LogKind[]) =>
    wandering(
      await createRedisLogStore({
        redis,
        kinds,
        prefix,
        buckets: definition.store.buckets,
        retentionMs: 600_000,
        observe: observeNothing,
        foldPolicy,
      }),
      lanes,
      moveSlot,
    )
  const ceilings = randomCeilings(random)
  const scorers = await createTwinScorers({ definition, ceilings, stream, open, foldPolicy })
  const counts = await scorers.run(random, `seed ${seed}`)
  return { ...counts, moves }
}

describe.skipIf(!hasRedisServer)('enrich - a moving Redis Cluster, memory and the oracle', () => {
  test(`are equal bit for bit over ${SEEDS} seeds`, async () => {
    const seen = {
      batches: 0,
      rows: 0,
      redelivered: 0,
      late: 0,
      crashes: 0,
      takeovers: 0,
      moves: 0,
    }
    for (let seed = 0; seed < SEEDS; seed++) {
      const counts = await runSeed(seed)
      for (const name of Object.keys(seen) as (keyof typeof seen)[]) seen[name] += counts[name]
    }
    for (const [name, count] of Object.entries(seen)) {
      expect(count, name).toBeGreaterThan(SEEDS / 4)
    }
  })
})
