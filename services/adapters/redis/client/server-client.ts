// The narrow port to one Redis server, whoever stands behind its name.
//
// In: a URL. Out: replies; errors as they come, after at most limits.redisCommandMsMax. A
// connection that closed is made again by itself, and so is one to a server that has become a
// replica. Invariant: a command is sent again only on a new connection, and given up after three of
// those failed, so nothing is queued without end while Redis is away.

import { Redis } from 'ioredis'
import { limits } from '../../../core/limits.ts'
import type { Observe } from '../../../pipeline/observe/signals.ts'
import { FunctionCall } from '../calls/function-call.ts'
import { orAway } from './or-away.ts'
import type { RedisClient } from './redis-commands.ts'

/** How long anything is waited for. A silent connection is closed: the other end may be gone. */
export const patience = {
  commandTimeout: limits.redisCommandMsMax,
  connectTimeout: limits.redisCommandMsMax,
  socketTimeout: limits.redisCommandMsMax,
}

/** A server that is not connected yet. */
export function openServer(url: string): Redis {
  const redis = new Redis(url, {
    lazyConnect: true,
    ...patience,
    maxRetriesPerRequest: 3,
    retryStrategy: (attempt) => Math.min(limits.retryPauseMsMax, 50 * attempt),
    // Behind this name now stands a replica: connecting anew finds the master that took over.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  })
  // Every failure also fails a command, which is where it is treated; without a listener ioredis
  // would print it.
  redis.on('error', () => undefined)
  return redis
}

export function createServerClient(redis: Redis, observe: Observe): RedisClient {
  const say = (state: 'up' | 'down', detail: string): void =>
    observe({ kind: 'connection', system: 'redis', state, detail })
  let reason = 'connection closed'
  let isEnding = false
  say('up', '')
  redis.on('ready', () => say('up', ''))
  redis.on('error', (error) => {
    reason = error.message
  })
  redis.on('close', () => {
    // That we ended it is no outage.
    if (!isEnding) say('down', reason)
    reason = 'connection closed'
  })
  return {
    loadFunctions: (code) => orAway(() => loadLibrary(redis, code)),
    call: (name, keys, args) =>
      redis.sendCommand(new FunctionCall(name, keys, args)) as Promise<unknown>,
    command: (name, args) => orAway(() => redis.call(name, ...args)),
    scan: (match) => scanKeys(redis, match),
    disconnect: () => {
      isEnding = true
      redis.disconnect()
    },
  }
}

const SCAN_COUNT = 1000

export const scanKeys = (redis: Redis, match: string): AsyncIterable<readonly string[]> =>
  redis.scanStream({ match, count: SCAN_COUNT })

/** Not REPLACE: loading again would wipe what the library remembers. */
export async function loadLibrary(redis: Redis, code: string): Promise<void> {
  try {
    await redis.call('FUNCTION', 'LOAD', code)
  } catch (error) {
    // A function of that name in another library is a fault, and says "Function ... exists".
    if (!(error instanceof Error) || !/\bLibrary .* already exists/.test(error.message)) throw error
  }
}
