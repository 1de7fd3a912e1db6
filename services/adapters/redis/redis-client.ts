// The narrow port to ioredis: load the functions, call one of them, close.
//
// In: a URL. Out: replies as Buffers. Time-outs and lost connections are thrown as they come; the
// store decides about retries. Invariant: a command without an answer fails after
// limits.redisCommandMsMax, and nothing is queued without end while Redis is away.

import { Redis } from 'ioredis'
import { WeirError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import type { Observe } from '../../pipeline/observe/happenings.ts'

export type RedisClient = {
  readonly loadFunctions: (code: string) => Promise<void>
  /** Calls a function; keys must lie in one slot. Bulk replies are Buffers. */
  readonly call: (
    name: string,
    keys: readonly string[],
    args: readonly (string | Buffer)[],
  ) => Promise<unknown>
  readonly ping: () => Promise<void>
  readonly disconnect: () => void
}

export async function connectRedis(url: string, observe: Observe): Promise<RedisClient> {
  const redis = new Redis(url, {
    lazyConnect: true,
    commandTimeout: limits.redisCommandMsMax,
    maxRetriesPerRequest: 3,
    retryStrategy: (attempt) => Math.min(limits.retryPauseMsMax, 50 * attempt),
  })
  redis.on('ready', () => observe({ kind: 'connection', system: 'redis', state: 'up', detail: '' }))
  redis.on('close', () =>
    observe({ kind: 'connection', system: 'redis', state: 'down', detail: 'connection closed' }),
  )
  // Every failure also fails a command, which is where it is treated; without a listener ioredis
  // would print it.
  redis.on('error', () => undefined)
  try {
    await redis.connect()
  } catch (cause) {
    redis.disconnect()
    const detail = `Redis at ${new URL(url).host} (WEIR_REDIS_URL) refused: ${String(cause)}`
    throw new WeirError('WEIR_ENRICH_STORE_AWAY', detail, { cause })
  }
  return {
    loadFunctions: async (code) => {
      await redis.call('FUNCTION', 'LOAD', 'REPLACE', code)
    },
    call: (name, keys, args) => redis.callBuffer('FCALL', name, keys.length, ...keys, ...args),
    ping: async () => {
      await redis.ping()
    },
    disconnect: () => redis.disconnect(),
  }
}
