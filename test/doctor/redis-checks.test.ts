// Each check of the feature store, on servers where one thing is wrong.

import { expect, test } from 'vitest'
import { judgeSight } from '../../services/doctor/finding.ts'
import { redisExamination } from '../../services/doctor/redis-checks.ts'
import { soundNeeds, soundRedis, soundServer, verdictsOf } from '../support/sights.ts'

const judge = (check: string, ...servers: ReturnType<typeof soundServer>[]) =>
  verdictsOf(redisExamination, check, soundRedis({ servers }))

test('doctor, Redis - finds nothing wrong with a sound server', () => {
  const findings = judgeSight(redisExamination, soundRedis(), soundNeeds)
  expect(findings.filter(({ level }) => level !== 'ok')).toEqual([])
})

test.each([
  ['version', { redis_version: '6.2.14' }, 'fatal', /7\.0 or later/],
  ['role', { role: 'slave', master_host: 'elsewhere' }, 'fatal', /WEIR_REDIS_URL/],
  ['eviction', { maxmemory_policy: 'allkeys-lru' }, 'fatal', /^maxmemory-policy noeviction$/],
  ['evicted keys', { evicted_keys: '3' }, 'warning', /weir rebuild/],
  ['memory', { maxmemory: '0' }, 'warning', /^maxmemory /],
  ['memory', { used_memory: '900000000' }, 'warning', /^maxmemory /],
  ['persistence', { aof_enabled: '0' }, 'warning', /^appendonly yes$/],
  ['persistence', { aof_last_write_status: 'err' }, 'warning', /disk/],
  ['replicas', { connected_slaves: '0' }, 'warning', /^add a replica/],
] as const)('doctor, Redis - %s with %o is judged %s', (check, fields, level, change) => {
  expect(judge(check, soundServer(), soundServer(fields))).toEqual([
    { level, found: expect.stringMatching(/^redis:6379: /), change: expect.stringMatching(change) },
  ])
})

test('doctor, Redis - an evicting policy without a ceiling evicts nothing yet', () => {
  const server = soundServer({ maxmemory: '0', maxmemory_policy: 'allkeys-lru' })
  expect(judge('eviction', server)).toMatchObject([{ level: 'ok' }])
})

test('doctor, Redis - a replica that need not have the writes is a warning', () => {
  expect(judge('replicas', soundServer({}, { 'min-replicas-to-write': '0' }))).toMatchObject([
    { level: 'warning', change: 'min-replicas-to-write 1' },
  ])
})

test('doctor, Redis - what the server hides is a warning where it decides', () => {
  const hidden = soundServer({ aof_enabled: '0' }, null)
  expect(judge('persistence', hidden)).toMatchObject([
    { level: 'warning', found: 'redis:6379: `save` could not be seen' },
  ])
  expect(judge('replicas', hidden)).toMatchObject([{ level: 'warning' }])
  expect(judge('functions', { ...soundServer(), libraries: null })).toMatchObject([
    { level: 'warning' },
  ])
  expect(judge('functions', { ...soundServer(), libraries: [] })).toMatchObject([{ level: 'ok' }])
})

test('doctor, Redis - a ceiling below what is predicted is a warning; masters share the need', () => {
  const forecast = { kinds: [], bytes: 1_500_000_000 }
  const judged = (...servers: ReturnType<typeof soundServer>[]) =>
    verdictsOf(redisExamination, 'memory', soundRedis({ servers }), { ...soundNeeds, forecast })
  expect(judged(soundServer())).toMatchObject([
    { level: 'warning', change: `maxmemory ${1_500_000_000 * 1.3}` },
  ])
  expect(judged(soundServer(), soundServer())).toMatchObject([{ level: 'ok' }])
})

test('doctor, Redis - a cluster that does not serve all slots is fatal', () => {
  const judged = (state: string, slotsServed: number) =>
    verdictsOf(redisExamination, 'cluster slots', soundRedis({ cluster: { state, slotsServed } }))
  expect(judged('ok', 16_384)).toMatchObject([{ level: 'ok' }])
  expect(judged('ok', 16_383)).toMatchObject([{ level: 'fatal' }])
  expect(judged('fail', 16_384)).toMatchObject([{ level: 'fatal' }])
})

test('doctor, Redis - the median of round trips decides, not a single slow one', () => {
  const judged = (roundTripsMs: number[]) =>
    verdictsOf(redisExamination, 'round trip', soundRedis({ roundTripsMs }))
  expect(judged([0.1, 0.2, 90])).toMatchObject([
    { level: 'ok', found: 'median 0.20 ms, longest 90.00 ms' },
  ])
  expect(judged([5.1, 5.2, 6])).toMatchObject([{ level: 'warning' }])
  expect(judged([])).toMatchObject([{ level: 'warning', found: 'round trips could not be seen' }])
})
