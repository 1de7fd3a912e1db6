// The start-up check on the text of INFO, and once against a real server that evicts.

import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectRedis } from '../../../../services/adapters/redis/client/redis-client.ts'
import { checkRedis } from '../../../../services/adapters/redis/inspect/check-redis.ts'
import { observeNothing } from '../../../../services/pipeline/observe/signals.ts'
import { startTestRedis, type TestRedis } from '../../../support/redis.ts'

const infoOf = (version: string, policy: string, memoryMax: number): string =>
  `# Server\r\nredis_version:${version}\r\nmaxmemory:${memoryMax}\r\nmaxmemory_policy:${policy}\r\n`

test('Redis check - refuses an evicting policy under a ceiling, and servers without functions', () => {
  expect(() => checkRedis(infoOf('7.2.4', 'allkeys-lru', 1000))).toThrow(/found maxmemory-policy/)
  expect(() => checkRedis(infoOf('6.2.14', 'noeviction', 0))).toThrow(/found Redis 6.2.14/)
})

test('Redis check - accepts noeviction, no ceiling, and fields that are hidden', () => {
  checkRedis(infoOf('7.0.15', 'noeviction', 1000))
  checkRedis(infoOf('8.0.0', 'allkeys-lru', 0))
  checkRedis('# Server\r\n')
})

let redis: TestRedis
beforeAll(async () => {
  redis = await startTestRedis()
})
afterAll(() => redis.stop())

test('Redis check - a scorer does not connect to a server that evicts', async (context) => {
  if (redis.pid === undefined)
    context.skip('the server is shared: its settings are not ours to change')
  const raw = new Redis(redis.url)
  await raw.config('SET', 'maxmemory', '100mb')
  await raw.config('SET', 'maxmemory-policy', 'allkeys-lru')
  await expect(connectRedis(redis.url, observeNothing)).rejects.toMatchObject({
    code: 'WEIR_ENRICH_STORE_UNFIT',
  })
  await raw.config('SET', 'maxmemory-policy', 'noeviction')
  const client = await connectRedis(redis.url, observeNothing)
  client.disconnect()
  raw.disconnect()
})
