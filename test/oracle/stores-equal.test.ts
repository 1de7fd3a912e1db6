// The Redis store, the memory store and the naive oracle give the same bits, whatever happens.
//
// Per seed: a random feature table and random lanes, dealt out between two scorers that share
// Redis. They take turns with random shares of random lanes, crash and start again from an older
// committed offset with other batch borders, and take lanes from one another. Every batch goes
// through the enrich stage over Redis and over memory, and through the oracle.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectRedis } from '../../services/adapters/redis/client/redis-client.ts'
import type { RedisClient } from '../../services/adapters/redis/client/redis-commands.ts'
import { createRedisLogStore } from '../../services/adapters/redis/logs/redis-log-store.ts'
import type { LogKind } from '../../services/pipeline/enrich/log-store.ts'
import { observeNothing } from '../../services/pipeline/observe/signals.ts'
import { createRandom } from '../support/random.ts'
import { randomCeilings, randomPipeline } from '../support/random-pipeline.ts'
import { randomStream } from '../support/random-stream.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'
import { uniqueName } from '../support/stack.ts'
import { createTwinScorers } from '../support/twin-scorers.ts'

const SEEDS = 240
const SEEDS_PER_TEST = 40
const EVENTS = 70

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

async function runSeed(seed: number) {
  const random = createRandom(seed)
  const definition = randomPipeline(random)
  const stream = randomStream(random, EVENTS)
  const prefix = uniqueName(`oracle-${seed}`)
  // Folding comes whenever chance wills, and takes all that may leave.
  const share = seed % 4 === 0 ? 0 : random.pick([0.1, 0.5, 1])
  const foldPolicy = { isDue: () => random.chance(share), isWorthIt: () => true }
  const open = (kinds: readonly LogKind[]) =>
    createRedisLogStore({
      redis,
      kinds,
      prefix,
      buckets: definition.store.buckets,
      retentionMs: 60_000,
      observe: observeNothing,
      // Some seeds run with a cache that forgets nearly everything at once.
      cacheBytesMax: seed % 5 === 0 ? 1 : 1_000_000,
      foldPolicy,
    })
  const ceilings = randomCeilings(random)
  const scorers = await createTwinScorers({ definition, ceilings, stream, open, foldPolicy })
  return scorers.run(random, `seed ${seed}`)
}

describe('enrich - Redis, memory and the naive oracle are equal bit for bit', () => {
  const starts = Array.from({ length: SEEDS / SEEDS_PER_TEST }, (_, i) => i * SEEDS_PER_TEST)
  test.each(starts)('from seed %i on', async (start) => {
    const seen = { batches: 0, rows: 0, redelivered: 0, late: 0, crashes: 0, takeovers: 0 }
    for (let seed = start; seed < start + SEEDS_PER_TEST; seed++) {
      const counts = await runSeed(seed)
      for (const name of Object.keys(seen) as (keyof typeof seen)[]) seen[name] += counts[name]
    }
    // The seeds did reach what they are there for.
    for (const [name, count] of Object.entries(seen)) {
      expect(count, `${name} over seeds ${start}..`).toBeGreaterThan(SEEDS_PER_TEST / 4)
    }
  })
})
