// What is seen of a real Redis, with all permissions and with few.

import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { loadFunctions } from '../../../../services/adapters/redis/calls/redis-functions.ts'
import { connectRedis } from '../../../../services/adapters/redis/client/redis-client.ts'
import { inspectRedis } from '../../../../services/adapters/redis/inspect/inspect-redis.ts'
import { observeNothing } from '../../../../services/pipeline/observe/signals.ts'
import { startTestRedis, type TestRedis } from '../../../support/redis.ts'
import { hasRedisServer, startTestCluster } from '../../../support/redis-cluster.ts'
import { uniqueName } from '../../../support/stack.ts'

let server: TestRedis
let raw: Redis

beforeAll(async () => {
  server = await startTestRedis()
  raw = new Redis(server.url)
})

afterAll(async () => {
  raw?.disconnect()
  await server?.stop()
})

test('Redis inspection - sees state, settings, libraries, round trips and clock', async () => {
  const client = await connectRedis(server.url, observeNothing)
  await loadFunctions(client)
  client.disconnect()
  const { servers, cluster, roundTripsMs, clock } = await inspectRedis(server.url)
  expect(cluster).toBeNull()
  expect(servers).toHaveLength(1)
  const { address, fields, config, libraries } = servers[0]!
  expect(server.url).toContain(address)
  expect(fields.get('role')).toBe('master')
  expect(fields.get('maxmemory_policy')).toBe('noeviction')
  expect([...config!.keys()].sort()).toContain('min-replicas-to-write')
  expect(libraries).toContainEqual(expect.stringMatching(/^weir_[0-9a-f]{8}$/))
  expect(roundTripsMs.every((ms) => ms > 0)).toBe(true)
  // It runs on this machine; other tests may have interrupted the question.
  expect(Math.abs(clock.aheadMs)).toBeLessThanOrEqual(clock.uncertainMs + 2)
})

test('Redis inspection - what the user may not see is null', async () => {
  const user = uniqueName('inspector')
  await raw.acl('SETUSER', user, 'on', '>secret', '+info', '+time')
  const url = new URL(server.url)
  url.username = user
  url.password = 'secret'
  const { servers, roundTripsMs } = await inspectRedis(url.toString())
  await raw.acl('DELUSER', user)
  expect(servers[0]).toMatchObject({ config: null, libraries: null })
  expect(roundTripsMs).toEqual([])
  expect(servers[0]!.fields.get('role')).toBe('master')
})

test('Redis inspection - sees all masters of a cluster, and the slots of one that died', async (context) => {
  if (!hasRedisServer) context.skip('there is no redis-server on this machine')
  const cluster = await startTestCluster({ masters: 3 })
  onTestFinished(() => cluster.stop())
  const whole = await inspectRedis(cluster.url)
  expect(whole.cluster).toEqual({ state: 'ok', slotsServed: 16_384 })
  const ports = whole.servers.map(({ address }) => Number(address.split(':').at(-1)))
  expect(ports.sort()).toEqual(cluster.nodes.map(({ port }) => port).sort())
  expect(whole.servers.every(({ fields }) => fields.get('role') === 'master')).toBe(true)

  await cluster.kill(cluster.nodes[2]!)
  const left = async () => (await inspectRedis(cluster.url)).cluster
  await expect.poll(left, { timeout: 30_000 }).toMatchObject({ state: 'fail' })
  const broken = await inspectRedis(cluster.url)
  expect(broken.servers).toHaveLength(2)
  expect(broken.cluster!.slotsServed).toBeLessThan(16_384)
}, 60_000)

test('Redis inspection - refuses a server that is not there, without its password', async () => {
  const inspection = inspectRedis('redis://user:hushhush@127.0.0.1:1')
  await expect(inspection).rejects.toMatchObject({
    code: 'WEIR_ENRICH_STORE_AWAY',
    message: expect.stringMatching(/127\.0\.0\.1:1 .*ECONNREFUSED/),
  })
  await expect(inspection).rejects.not.toThrow(/hushhush/)
})
