// WEIR_REDIS_URL: one URL or several, and what a comma is.

import { expect, test } from 'vitest'
import { readRedisUrls } from '../../services/core/redis-urls.ts'
import { readSettings, redactSettings } from '../../services/core/settings.ts'

test('redis urls - are one, or several that differ in the host alone', () => {
  expect(readRedisUrls('redis://r:6379/2')).toEqual(['redis://r:6379/2'])
  const nodes = ['rediss://u:p@a:6379', 'rediss://u:p@b:6380/', 'rediss://u:p@[::1]:6381']
  expect(readRedisUrls(nodes.join(', '))).toEqual(nodes)
})

test('redis urls - take a comma inside a password for what it is', () => {
  expect(readRedisUrls('redis://u:a,b@r:6379')).toEqual(['redis://u:a,b@r:6379'])
  const two = 'redis://u:a,b@r:6379,redis://u:a,b@s:6379'
  expect(readRedisUrls(two)).toEqual(['redis://u:a,b@r:6379', 'redis://u:a,b@s:6379'])
})

test.each([
  'http://r:6379',
  'r:6379',
  'redis://a:1,rediss://b:1',
  'redis://u:p@a:1,redis://b:1',
  'redis://a:1/0,redis://b:1/1',
  'redis://a:1,',
])('redis urls - refuse %s', (text) => {
  expect(readRedisUrls(text)).toBeUndefined()
})

test('redis urls - show no password, neither in the log nor in a fault', () => {
  const settings = readSettings({ WEIR_REDIS_URL: 'redis://u:hush@a:1,redis://u:hush@b:2' })
  expect(settings.redis.url).toBe('redis://u:hush@a:1,redis://u:hush@b:2')
  expect(redactSettings(settings).redis.url).toBe('redis://[redacted]@a:1,redis://[redacted]@b:2')
  const wrong = { WEIR_REDIS_URL: 'redis://u:hush@a:1,redis://b:2' }
  expect(() => readSettings(wrong)).toThrow(/alike but for the host/)
  expect(() => readSettings(wrong)).not.toThrow(/hush/)
})
