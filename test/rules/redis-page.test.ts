// Proves docs/operating/redis.md: the sizes of logs and fences, the names of keys, the shipped
// table.
//
// A real Redis is asked what it holds, because the page promises an operator how much that will be.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadPipelineFile } from '../../services/adapters/pipeline-file/pipeline-file.ts'
import { connectRedis } from '../../services/adapters/redis/client/redis-client.ts'
import { nameKeys } from '../../services/adapters/redis/fences/redis-fences.ts'
import { recordSize } from '../../services/adapters/redis/logs/log-layout.ts'
import { createRedisLogStore } from '../../services/adapters/redis/logs/redis-log-store.ts'
import { limits } from '../../services/core/limits.ts'
import { planFeatures } from '../../services/pipeline/enrich/feature-plan.ts'
import type { EntityLogStore } from '../../services/pipeline/enrich/log-store.ts'
import { observeNothing } from '../../services/pipeline/observe/signals.ts'
import { holdLane } from '../support/hold-lane.ts'
import { entriesOf, requestOf, testKinds } from '../support/log-requests.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'
import { uniqueName } from '../support/stack.ts'
import { repositoryFolder } from './repository-files.ts'

const prefix = uniqueName('page')
let server: TestRedis
let redis: Redis
let store: EntityLogStore

beforeAll(async () => {
  server = await startTestRedis()
  redis = new Redis(server.url)
  store = await createRedisLogStore({
    redis: await connectRedis(server.url, observeNothing),
    kinds: testKinds,
    prefix,
    buckets: 2,
    retentionMs: 600_000,
    observe: observeNothing,
  })
})

afterAll(async () => {
  await store?.close()
  redis?.disconnect()
  await server?.stop()
})

const formula = (records: number, values: number): number => 16 + records * (16 + 8 * values)

async function nameOf(kind: number, key: string): Promise<string> {
  const names = await redis.keys(`{${prefix}:*}${kind}:${key}`)
  expect(names).toHaveLength(1)
  return names[0]!
}

test('Redis page - a log has the bytes of the formula, and Redis takes what the page says', async () => {
  const { epoch } = await holdLane(store, 0)
  const held = [{ laneId: 0, epoch }]
  let offset = 0
  for (const records of [1, 2, 8, 500, 1000]) {
    while (offset < records) {
      const upTo = Math.min(records, offset + 40)
      await store.advance(requestOf(held, entriesOf(offset, upTo - 1, { key: 'c-17' })))
      offset = upTo
    }
    const name = await nameOf(0, 'c-17')
    const length = await redis.strlen(name)
    expect(length).toBe(formula(records, testKinds[0]!.shape.values))
    const taken = await redis.memory('USAGE', name)
    expect(taken).toBeLessThanOrEqual(2.5 * length + name.length + 100)
  }
})

test('Redis page - a log is folded down to what the page says', async () => {
  const { epoch } = await holdLane(store, 2)
  const held = [{ laneId: 2, epoch }]
  const { shape } = testKinds[1]!
  const { entityRecordsKeptMax, entityRecordsKeptAfterTrim, entityRecordsMax } = limits
  const lengths: number[] = []
  const advance = async (from: number, committedOffset: number) => {
    const request = requestOf(held, entriesOf(from, from + 1023, { kind: 1, key: 'm-204' }))
    const lanes = request.lanes.map((lane) => ({ ...lane, committedOffset }))
    await store.advance({ ...request, lanes })
    lengths.push(await redis.strlen(await nameOf(1, 'm-204')))
  }
  // Nothing is committed, so the log grows beyond the ceiling, until it is looked at again.
  const folded = 12
  let offset = 0
  do {
    await advance(offset, 0)
    offset += 1024
    expect(offset).toBeLessThan(entityRecordsKeptMax * 1.3)
  } while (lengths.at(-1)! > (lengths.at(-2) ?? 0))
  expect(lengths.at(-2)!).toBeGreaterThan(formula(entityRecordsKeptMax, shape.values))
  const kept = entityRecordsKeptAfterTrim + entityRecordsMax + 1024
  expect(lengths.at(-1)).toBe(formula(kept, shape.values) + folded)
  // Once all is committed, what exact windows can see is left.
  do {
    await advance(offset, offset)
    offset += 1024
  } while (lengths.at(-1)! > lengths.at(-2)!)
  expect(lengths.at(-1)).toBe(formula(entityRecordsMax + 1024, shape.values) + folded)
  const page = await readPage()
  for (const records of [entityRecordsKeptMax, entityRecordsKeptAfterTrim, entityRecordsMax]) {
    expect(page).toContain(records.toLocaleString('en'))
  }
})

test('Redis page - every bucket has a fence of 48 bytes per lane, without expiry', async () => {
  for (const name of nameKeys(prefix, 2).fences) {
    const entry = await redis.hgetBuffer(name, '0')
    expect(entry).toHaveLength(48)
    expect(await redis.pttl(name)).toBe(-1)
  }
})

test('Redis page - has the logs of the shipped pipeline', async () => {
  const plan = planFeatures(loadPipelineFile(join(repositoryFolder, 'pipelines/card-fraud.yaml')))
  const rows = plan.kinds.map(
    ({ name, shape }) => `| ${name} | ${shape.values} | ${recordSize(shape)} |`,
  )
  const table = (await readPage()).split('| Log | Values | Bytes a record |\n|---|---|---|\n')[1]
  expect(table?.split('\n\n')[0]?.split('\n')).toEqual(rows)
})

const readPage = (): Promise<string> =>
  readFile(join(repositoryFolder, 'docs/operating/redis.md'), 'utf8')
