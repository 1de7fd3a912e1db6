// The functions of weir-functions.lua, called until they answer.
//
// In: a function's name without the library's, keys of one bucket, arguments. Out: its reply. A
// call without an answer, or that the server cannot take now, is sent again: every function may be
// called twice and has the effect of one. Refused: a server that does not answer
// limits.retryAttemptsMax times (WEIR_ENRICH_STORE_AWAY), or is at its maxmemory for as long
// (WEIR_ENRICH_STORE_FULL); at once, a function that failed: it would fail again
// (WEIR_ENRICH_STORE_FOREIGN).

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ErrorCode, WeirError } from '../../../core/errors.ts'
import { limits } from '../../../core/limits.ts'
import type { Observe } from '../../../pipeline/observe/signals.ts'
import type { RedisClient } from '../client/redis-commands.ts'

export const SOURCE = readFileSync(new URL('./weir-functions.lua', import.meta.url), 'utf8')
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
      const code = codeOf(detail)
      const isOver = code === 'WEIR_ENRICH_STORE_FOREIGN' || attempt >= limits.retryAttemptsMax
      if (isOver) throw new WeirError(code, describe(code, detail), { cause })
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

/** States of a server that pass, whether met before a function or by a command within it. */
const passing =
  /^(READONLY|NOREPLICAS|MISCONF|MASTERDOWN|CLUSTERDOWN|LOADING|BUSY|TRYAGAIN|MOVED|ASK)\b/
/** Redis names the function in which a command or the code itself failed. */
const withinFunction = /script: |@user_function/

function codeOf(detail: string): ErrorCode {
  if (detail.startsWith('OOM ')) return 'WEIR_ENRICH_STORE_FULL'
  const hasFailed = withinFunction.test(detail) && !passing.test(detail)
  return hasFailed ? 'WEIR_ENRICH_STORE_FOREIGN' : 'WEIR_ENRICH_STORE_AWAY'
}

const describe = (code: ErrorCode, detail: string): string =>
  code === 'WEIR_ENRICH_STORE_FULL'
    ? `Redis says: ${detail}. Found its maxmemory reached, expected room for more records.`
    : detail
