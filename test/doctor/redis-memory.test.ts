// The arithmetic of growing strings against MEMORY USAGE of a real Redis.

import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { allocated, keyBytes, valueBytes } from '../../services/doctor/redis-memory.ts'
import { createRandom } from '../support/random.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'
import { uniqueName } from '../support/stack.ts'

let server: TestRedis
let redis: Redis

beforeAll(async () => {
  server = await startTestRedis()
  redis = new Redis(server.url)
})

afterAll(async () => {
  redis?.disconnect()
  await server?.stop()
})

test('Redis memory - sizes of the allocator are those of jemalloc', () => {
  const sizes = [1, 8, 9, 17, 128, 129, 161, 257, 513, 4097, 20_481, 1_048_577]
  const classes = [8, 8, 16, 32, 128, 160, 192, 320, 640, 5120, 24_576, 1_310_720]
  expect(sizes.map(allocated)).toEqual(classes)
})

const seed = 20_260
/** Redis versions differ by a few bytes per key. */
const tolerance = 0.1

test(`Redis memory - a string that is set and appended to takes what is said, seed ${seed}`, async () => {
  const random = createRandom(seed)
  const prefix = uniqueName('memory')
  for (let round = 0; round < 60; round++) {
    const key = `${prefix}${'k'.repeat(random.integer(0, 60))}`
    const size = 16 + 8 * random.integer(0, 6)
    const first = random.pick([16 + size, 40, random.integer(50, 5000), 600_000])
    const appends = random.integer(0, 120)
    const predicted = valueBytes(first, size, appends).map((bytes) => bytes + keyBytes(key.length))
    await redis.set(key, Buffer.alloc(first))
    const taken = [await redis.memory('USAGE', key)]
    for (let i = 0; i < appends; i++) {
      await redis.append(key, Buffer.alloc(size))
      taken.push(await redis.memory('USAGE', key))
    }
    for (const [i, bytes] of taken.entries()) {
      const told = `${first} bytes and ${i} appends of ${size}, key of ${key.length}`
      expect(predicted[i]! / bytes!, told).toBeGreaterThan(1 - tolerance)
      expect(predicted[i]! / bytes!, told).toBeLessThan(1 + tolerance)
    }
    await redis.del(key)
  }
})
