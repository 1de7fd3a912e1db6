// The function library by itself: what it knows of fences is forgotten once nobody speaks of them.

import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SOURCE } from '../../../../services/adapters/redis/calls/redis-functions.ts'
import { startTestRedis, type TestRedis } from '../../../support/redis.ts'
import { uniqueName } from '../../../support/stack.ts'

let server: TestRedis
let redis: Redis
const libraries: string[] = []

beforeAll(async () => {
  server = await startTestRedis()
  redis = new Redis(server.url)
})
afterAll(async () => {
  for (const library of libraries) await redis.function('DELETE', library)
  redis?.disconnect()
  await server?.stop()
})

/** The library under a name of its own, with other bounds; a fence is held by lane 1 alone. */
async function openLibrary(bounds: { readonly forgetMs: number; readonly forgetFrom: number }) {
  const library = uniqueName('forgetful').replaceAll('-', '_')
  const source = SOURCE.replaceAll('weir_VERSION', library).replace(
    'FORGET_MS, FORGET_FROM = 3600000, 1024',
    `FORGET_MS, FORGET_FROM = ${bounds.forgetMs}, ${bounds.forgetFrom}`,
  )
  expect(source).toContain(`= ${bounds.forgetMs}, ${bounds.forgetFrom}\n`)
  await redis.function('LOAD', source)
  libraries.push(library)
  const call = (name: string, fence: string, ...args: string[]) =>
    redis.fcall(`${library}_${name}`, 1, fence, ...args) as Promise<string[]>
  return {
    confirm: async (fence: string): Promise<string> => {
      const [epoch] = await call('claim', fence, '1', '0', '0')
      return (await call('confirm', fence, '1', epoch!, '0', '1'))[0]!
    },
    touch: async (fence: string): Promise<string> => (await call('touch', fence, ''))[0]!,
  }
}

test('Redis functions - forget fences that nobody speaks of, and believe them no more', async () => {
  const { confirm, touch } = await openLibrary({ forgetMs: 0, forgetFrom: 2 })
  const [a, b, c, d] = [1, 2, 3, 4].map((i) => `{${uniqueName('fence')}}${i}`)
  expect([await confirm(a!), await confirm(b!)]).toEqual(['READY', 'READY'])
  expect(await touch(a!)).toBe('OK')
  await confirm(c!)
  expect([await touch(a!), await touch(b!), await touch(c!)]).toEqual(['UNSURE', 'UNSURE', 'OK'])
  // Who comes back is found whole again, and known.
  expect([await confirm(a!), await touch(a!), await confirm(d!)]).toEqual(['READY', 'OK', 'READY'])
})

test('Redis functions - keep what was heard of lately, however many there are', async () => {
  const { confirm, touch } = await openLibrary({ forgetMs: 3_600_000, forgetFrom: 2 })
  const fences = Array.from({ length: 50 }, (_, i) => `{${uniqueName('fence')}}${i}`)
  for (const fence of fences) await confirm(fence)
  for (const fence of fences) expect(await touch(fence)).toBe('OK')
})
