// A replay that keeps its state in Redis: the rows of the memory store, and nothing left or
// touched.
//
// Beside it stand keys of live pipelines, one of them under the most unlucky prefix that
// WEIR_KEY_PREFIX permits. They are compared as Redis itself writes them down.

import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { writeFiles } from '../../load/generator/file-sink.ts'
import { nameKeys } from '../../services/adapters/redis/fences/redis-fences.ts'
import { repositoryPath } from '../adapters/pipeline-file/pipeline-text.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'
import { hasRedisServer, startTestCluster } from '../support/redis-cluster.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { waitFor } from '../support/wait-for.ts'
import { startReplay } from './replay-process.ts'
import { replaySmall, shippedPipeline, smallHistory } from './replay-world.ts'

const HOUR_MS = 3_600_000
const livePlace = ':card-fraud:12345678-16:'
const page = repositoryPath('docs/reference/replay.md')
const ours = /^\{?weir-replay\//

let server: TestRedis
let redis: Redis

beforeAll(async () => {
  server = await startTestRedis()
  redis = new Redis(server.url)
  for (const prefix of ['weir:card-fraud:12345678-16', 'weir-replay:card-fraud:12345678-16']) {
    const names = nameKeys(prefix, 16)
    await redis.hset(names.fences[0]!, '0', 'live fence')
    await redis.set(names.log(0, 0, 'c1'), `live log ${prefix}`)
  }
})
beforeEach(async () => {
  expect(await keysOfReplays()).toEqual([])
})
afterAll(async () => {
  redis?.disconnect()
  await server?.stop()
})

async function allKeys(): Promise<string[]> {
  const found: string[] = []
  for await (const keys of redis.scanStream({ count: 1000 })) found.push(...(keys as string[]))
  return found.sort()
}

const keysOfReplays = async () => (await allKeys()).filter((key) => ours.test(key))

async function photographLive(): Promise<ReadonlyMap<string, string>> {
  const dumps = new Map<string, string>()
  for (const key of (await allKeys()).filter((name) => name.includes(livePlace))) {
    dumps.set(key, (await redis.dumpBuffer(key))!.toString('base64'))
  }
  return dumps
}

test('redis replay - gives the bytes of the memory store, and leaves live keys as they were', async () => {
  const history = smallHistory(31, 60)
  const before = await photographLive()
  const memory = await replaySmall(history, { isScoring: true })
  let most = 0
  const shared = await replaySmall(history, {
    isScoring: true,
    redisUrl: server.url,
    batchEvents: 97,
    onProgress: () => {
      void keysOfReplays().then(({ length }) => {
        most = Math.max(most, length)
      })
    },
  })
  expect(shared.bytes.equals(memory.bytes)).toBe(true)
  for (const name of ['manifest.json', 'report.json', 'rejected.ndjson']) {
    expect(shared.read(name)).toBe(memory.read(name))
  }
  // It did keep its state there, and removed it.
  expect(most).toBeGreaterThan(20)
  expect(before.size).toBe(4)
  expect(await keysOfReplays()).toEqual([])
  expect(await photographLive()).toEqual(before)
})

test('redis replay - forgets silent entities when the memory store does', async () => {
  const history = smallHistory(32, 30)
  const definition = shippedPipeline()
  // So short that most entities are forgotten again and again, while windows still look back on
  // them.
  const forgetful = { ...definition, store: { ...definition.store, retentionMs: 7 * HOUR_MS } }
  const memory = await replaySmall(history, { definition: forgetful })
  const shared = await replaySmall(history, { definition: forgetful, redisUrl: server.url })
  expect(shared.bytes.equals(memory.bytes)).toBe(true)
  const remembering = await replaySmall(history, { definition })
  expect(remembering.bytes.equals(memory.bytes)).toBe(false)
})

test('redis replay - removes the logs of forgotten entities while it runs', async () => {
  const definition = shippedPipeline()
  const forgetful = { ...definition, store: { ...definition.store, retentionMs: 7 * HOUR_MS } }
  const { transactions } = smallHistory(33, 1)
  const [first] = transactions
  // A thousand customers who come once, an hour after another.
  const passing = Array.from({ length: 1000 }, (_, i) => ({
    ...first!,
    transactionId: `t${i}`,
    customerId: `c${i}`,
    eventTime: Date.UTC(2026, 0, 1) + i * HOUR_MS,
  }))
  const sizes: Promise<readonly string[]>[] = []
  const run = await replaySmall(
    { transactions: passing, labels: [] },
    {
      definition: forgetful,
      redisUrl: server.url,
      batchEvents: 10,
      onProgress: () => void sizes.push(keysOfReplays()),
    },
  )
  expect(run.report.events).toBe(1000)
  const most = Math.max(...(await Promise.all(sizes)).map(({ length }) => length))
  expect(most).toBeLessThan(300)
})

test('redis replay - leaves nothing behind when it fails or is ended', async () => {
  const history = smallHistory(34, 20)
  const stop = new AbortController()
  const ended = replaySmall(history, {
    redisUrl: server.url,
    batchEvents: 10,
    signal: stop.signal,
    onProgress: () => stop.abort(new Error('enough')),
  })
  await expect(ended).rejects.toThrow('enough')
  expect(await keysOfReplays()).toEqual([])
})

test.runIf(hasRedisServer)('redis replay - needs no key but its own', async () => {
  const acl = /^ACL SETUSER weir-replay on >PASSWORD .*$/m.exec(readFileSync(page, 'utf8'))![0]
  const words = acl.replace('>PASSWORD', '>secret').split(' ').slice(1)
  await redis.call('ACL', ...words)
  const url = server.url.replace('//', '//weir-replay:secret@')
  const history = smallHistory(42, 10)
  const shared = await replaySmall(history, { redisUrl: url })
  expect(shared.bytes.equals((await replaySmall(history)).bytes)).toBe(true)
  await redis.call('ACL', 'SETUSER', 'weir-replay', '-sadd')
  const refused = replaySmall(history, { redisUrl: url })
  await expect(refused).rejects.toThrow(/^WEIR_ENRICH_STORE_AWAY.*SADD: NOPERM/)
  await redis.call('ACL', 'DELUSER', 'weir-replay')
  // What could not be said to be there is not found; only the sign of life goes by itself.
  for (const key of await keysOfReplays()) {
    expect(key).toMatch(/^weir-replay\/alive\//)
    await redis.del(key)
  }
})

test('redis replay - is refused where Redis does not answer', async () => {
  const run = replaySmall(smallHistory(35, 2), { redisUrl: 'redis://localhost:1' })
  await expect(run).rejects.toThrow(/^WEIR_ENRICH_STORE_AWAY/)
})

test('redis replay - is refused when its state was taken away, and computes nothing from the rest', async () => {
  const run = replaySmall(smallHistory(36, 20), {
    redisUrl: server.url,
    batchEvents: 10,
    // What another run does that takes this one for dead.
    onProgress: () => {
      void keysOfReplays().then((keys) =>
        Promise.all(keys.filter((key) => key.endsWith('fence')).map((key) => redis.unlink(key))),
      )
    },
  })
  await expect(run).rejects.toThrow(/^WEIR_ENRICH_STORE_UNSURE/)
  expect(await keysOfReplays()).toEqual([])
})

test('redis replay - removes what a killed run left, and not what a living one holds', async () => {
  const folder = temporaryFolder()
  const directory = join(folder, 'history')
  writeFiles({ directory, format: 'parquet', generator: { seed: 37, days: 12 } })
  const start = async (name: string) => {
    const child = startReplay(
      [
        ...['--transactions', join(directory, 'transactions.parquet'), '--features-only'],
        ...['--store', 'redis', '--out', join(folder, name)],
      ],
      { WEIR_REDIS_URL: server.url },
    )
    await once(child.stderr!, 'data')
    return child
  }
  const runsOf = async () =>
    new Set(
      (await keysOfReplays()).flatMap(
        (key) => /^\{weir-replay\/([0-9a-f-]{36}):/.exec(key)?.[1] ?? [],
      ),
    )
  const killed = await start('killed')
  killed.kill('SIGKILL')
  await once(killed, 'exit')
  const [dead] = await runsOf()
  const living = await start('living')
  const [alive] = [...(await runsOf())].filter((run) => run !== dead)
  expect(alive).toBeDefined()
  // As if a minute had passed since the kill.
  expect(await redis.del(`weir-replay/alive/${dead}`)).toBe(1)

  await replaySmall(smallHistory(38, 2), { redisUrl: server.url })
  const left = await runsOf()
  expect([left.has(dead!), left.has(alive!)]).toEqual([false, true])

  living.kill('SIGINT')
  const [code] = await once(living, 'exit')
  expect(code).toBe(130)
  expect(readdirSync(folder).filter((name) => name.includes('living'))).toEqual([])
  await waitFor(
    async () => (await keysOfReplays()).length === 0,
    () => 'keys of replays are left',
  )
})

test.runIf(hasRedisServer)('redis replay - gives the same bytes with a cluster', async () => {
  const cluster = await startTestCluster({ masters: 3 })
  onTestFinished(() => cluster.stop())
  const history = smallHistory(39, 10)
  const memory = await replaySmall(history)
  const shared = await replaySmall(history, { redisUrl: cluster.url })
  expect(shared.bytes.equals(memory.bytes)).toBe(true)
  const sizes = await Promise.all(cluster.nodes.map(({ redis: node }) => node.dbsize()))
  expect(sizes).toEqual([0, 0, 0])
})
