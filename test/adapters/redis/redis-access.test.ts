// Ways to reach Redis: TLS, a user who may do what the page says and nothing else, several URLs.
//
// The user of docs/operating/redis.md is made as it stands there, and put under the contract of all
// log stores: a command that the functions learn and the page does not have fails here.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectRedis } from '../../../services/adapters/redis/client/redis-client.ts'
import type { RedisClient } from '../../../services/adapters/redis/client/redis-commands.ts'
import { createRedisLogStore } from '../../../services/adapters/redis/logs/redis-log-store.ts'
import { observeNothing, type Signal } from '../../../services/pipeline/observe/signals.ts'
import { describeLogStore } from '../../contract/log-store-contract.ts'
import { testKinds } from '../../support/log-requests.ts'
import { startTestRedis, type TestRedis } from '../../support/redis.ts'
import { hasRedisServer, startTestCluster } from '../../support/redis-cluster.ts'
import { uniqueName } from '../../support/stack.ts'
import { canSpeakTls, makeCertificate } from '../../support/test-certificate.ts'
import { waitFor } from '../../support/wait-for.ts'

const page = readFileSync(new URL('../../../docs/operating/redis.md', import.meta.url), 'utf8')
const functions = readFileSync(
  new URL('../../../services/adapters/redis/calls/weir-functions.lua', import.meta.url),
  'utf8',
)
const password = 'p@ss,word'
const user = uniqueName('weir')

/** The rules of the page's user, for keys that begin with this prefix. */
function rulesOf(prefix: string): string[] {
  const words = /^ACL SETUSER weir ([^`]*?)```/m.exec(page)![1]!.trim().split(/\s+/)
  return words.map((word) =>
    word.replace('PASSWORD', password).replace('~{weir:*', `~{${prefix}:*`),
  )
}

let server: TestRedis
let raw: Redis
let redis: RedisClient
const prefix = uniqueName('access')

beforeAll(async () => {
  server = await startTestRedis()
  raw = new Redis(server.url)
  await raw.acl('SETUSER', user, ...rulesOf(prefix))
  const url = new URL(server.url)
  url.username = user
  url.password = encodeURIComponent(password)
  redis = await connectRedis(url.toString(), observeNothing)
})

afterAll(async () => {
  redis?.disconnect()
  await raw?.acl('DELUSER', user)
  raw?.disconnect()
  await server?.stop()
})

describeLogStore('Redis store, as the user of the page', () => {
  const rest = { kinds: testKinds, buckets: 2, retentionMs: 60_000, observe: observeNothing }
  const own = `${prefix}:${uniqueName('k')}`
  return { open: () => createRedisLogStore({ redis, prefix: own, ...rest }) }
})

test('Redis page - its user may run what the functions call, and no other command of data', () => {
  const called = [...functions.matchAll(/\bcall\('([A-Z]+)'/g)].map(([, name]) =>
    name!.toLowerCase(),
  )
  const allowed = rulesOf(prefix)
    .filter((rule) => rule.startsWith('+'))
    .map((rule) => rule.slice(1))
  const sent = ['fcall', 'function|load', 'info', 'cluster|slots', 'cluster|info']
  expect(allowed.slice().sort()).toEqual([...new Set([...sent, ...called])].sort())
})

test('Redis access - is refused outside of the prefix, and without the password', async () => {
  await redis.loadFunctions(
    `#!lua name=weir_access_test
    redis.register_function('weir_access_set', function(keys) return redis.call('SET', keys[1], 1) end)`,
  )
  await redis.call('weir_access_set', [`{${prefix}:0}x`], [])
  await expect(redis.call('weir_access_set', ['{other:0}x'], [])).rejects.toThrow(/NOPERM/)
  await raw.call('FUNCTION', 'DELETE', 'weir_access_test')
  const url = server.url.replace('://', `://${user}:wrong@`)
  await expect(connectRedis(url, observeNothing)).rejects.toMatchObject({
    code: 'WEIR_ENRICH_STORE_AWAY',
    message: expect.stringContaining('WRONGPASS'),
  })
})

test('Redis access - several URLs lead to a cluster or nowhere', async () => {
  const two = `redis://127.0.0.1:1,${server.url}`
  await expect(connectRedis(two, observeNothing)).rejects.toMatchObject({
    code: 'WEIR_SETTINGS_INVALID',
    message: expect.stringMatching(/found 2 URLs .* belongs to no cluster/),
  })
  const none = 'redis://127.0.0.1:1,redis://127.0.0.1:2'
  await expect(connectRedis(none, observeNothing)).rejects.toMatchObject({
    code: 'WEIR_ENRICH_STORE_AWAY',
    message: expect.stringMatching(/127\.0\.0\.1:1, 127\.0\.0\.1:2 .*ECONNREFUSED/),
  })
})

test('Redis access - a library keeps what it remembers when it is loaded again', async () => {
  const library = uniqueName('lib').replace(/\W/g, '_')
  const code = `#!lua name=${library}
    local count = 0
    redis.register_function('${library}', function() count = count + 1 return count end)`
  await redis.loadFunctions(code)
  const key = `{${prefix}:0}x`
  expect(await redis.call(library, [key], [])).toBe(1)
  await redis.loadFunctions(code)
  expect(await redis.call(library, [key], [])).toBe(2)
  // A function of that name in another library is a fault, not the library that is there already.
  const rival = code.replace(`name=${library}`, `name=${library}_2`)
  await expect(redis.loadFunctions(rival)).rejects.toThrow(/Function .* already exists/)
  await raw.call('FUNCTION', 'DELETE', library)
})

test('Redis access - a name behind which a replica stands now is asked anew', async (context) => {
  if (server.pid === undefined) context.skip('the server is shared: its role is not ours to change')
  const signals: Signal[] = []
  const client = await connectRedis(server.url, (signal) => signals.push(signal))
  const code = `#!lua name=weir_role
    redis.register_function('weir_role', function(keys) return redis.call('INCR', keys[1]) end)`
  await client.loadFunctions(code)
  await raw.replicaof('127.0.0.1', 1)
  await expect(client.call('weir_role', ['role'], [])).rejects.toThrow(/^READONLY/)
  await waitFor(
    () => signals.length === 3,
    () => `a new connection, found ${JSON.stringify(signals)}`,
  )
  expect(signals).toMatchObject([{ state: 'up' }, { state: 'down' }, { state: 'up' }])
  await raw.replicaof('NO', 'ONE')
  expect(await client.call('weir_role', ['role'], [])).toBe(1)
  client.disconnect()
  await raw.del('role')
  await raw.call('FUNCTION', 'DELETE', 'weir_role')
})

describe.skipIf(!hasRedisServer || !canSpeakTls)('Redis access', () => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-tls-'))
  const authorities = tls.getCACertificates('default')
  const certificate = makeCertificate(folder)
  afterAll(() => {
    tls.setDefaultCACertificates(authorities)
    rmSync(folder, { recursive: true, force: true })
  })
  const trust = () =>
    tls.setDefaultCACertificates([...authorities, readFileSync(certificate.authority, 'utf8')])

  async function expectStore(url: string): Promise<void> {
    const client = await connectRedis(url, observeNothing)
    const rest = { kinds: testKinds, buckets: 3, retentionMs: 60_000, observe: observeNothing }
    const store = await createRedisLogStore({ redis: client, prefix: `${prefix}:tls`, ...rest })
    expect((await store.claim(1)).appliedOffset).toBe(-1)
    await store.close()
  }

  test('Redis access - TLS to a server whose authority is trusted, and to no other', async () => {
    trust()
    const secure = await startTestRedis(certificate)
    try {
      await expectStore(secure.url)
      tls.setDefaultCACertificates(authorities)
      await expect(connectRedis(secure.url, observeNothing)).rejects.toMatchObject({
        code: 'WEIR_ENRICH_STORE_AWAY',
        message: expect.stringMatching(/certificate/),
      })
    } finally {
      await secure.stop()
    }
  })

  test('Redis access - TLS to a cluster, as the user of the page', async () => {
    trust()
    const cluster = await startTestCluster({ masters: 2, tls: certificate })
    try {
      for (const node of cluster.nodes) await node.redis.acl('SETUSER', user, ...rulesOf(prefix))
      const login = `://${user}:${encodeURIComponent(password)}@`
      await expectStore(cluster.url.replaceAll('://', login))
      await expect(
        connectRedis(`${cluster.nodes[0]!.url}/1`, observeNothing),
      ).rejects.toMatchObject({ code: 'WEIR_SETTINGS_INVALID' })
    } finally {
      await cluster.stop()
    }
  })
})
