// The functions of weir-functions.lua, called until they answer.
//
// In: a function's name without the library's, keys of one bucket, arguments. Out: its reply. A call
// without an answer is sent again: every function may be called twice and has the effect of one.
// Refused: a server that does not answer limits.retryAttemptsMax times (WEIR_ENRICH_STORE_AWAY).

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { WeirError } from '../../../core/errors.ts'
import { limits } from '../../../core/limits.ts'
import type { Observe } from '../../../pipeline/observe/signals.ts'
import type { RedisClient } from '../client/redis-commands.ts'

const SOURCE = readFileSync(new URL('./weir-functions.lua', import.meta.url), 'utf8')
/** Other code has other names: a library that was replaced would forget what it knows. */
export const LIBRARY = `weir_${createHash('sha256').update(SOURCE).digest('hex').slice(0, 8)}`
const FUNCTIONS = SOURCE.replaceAll('weir_VERSION', LIBRARY)

/** A Redis, and who is told of calls that had to be sent again. */
export type RedisEnvironment = {
  readonly redis: RedisClient
  readonly observe: Observe
}

/** Loading again what is there is harmless: whoever has the library keeps it. */
export const loadFunctions = (redis: RedisClient): Promise<void> => redis.loadFunctions(FUNCTIONS)

export async function callFunction(
  { redis, observe }: RedisEnvironment,
  operation: string,
  keys: readonly string[],
  args: readonly (string | Buffer)[],
): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await redis.call(`${LIBRARY}_${operation}`, keys, args)
    } catch (cause) {
      const detail = cause instanceof Error ? cause.message : String(cause)
      const code = 'WEIR_ENRICH_STORE_AWAY'
      if (attempt >= limits.retryAttemptsMax) throw new WeirError(code, detail, { cause })
      observe({ kind: 'retried', operation, attempt, code, detail })
      await sleep(Math.min(limits.retryPauseMsMax, 20 * 2 ** attempt))
      // A server that was restarted or failed over may have lost the functions. Whether loading
      // them succeeds is seen by the next attempt.
      if (/function not found/i.test(detail)) {
        await redis.loadFunctions(FUNCTIONS).catch(() => undefined)
      }
    }
  }
}
