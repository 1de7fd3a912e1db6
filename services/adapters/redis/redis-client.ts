// The narrow port to ioredis: load the functions, call one of them, close.
//
// A call of a batch has hundreds of keys. ioredis would make several small strings and Buffers of
// each; here a request is written as one Buffer, which costs a third (RESP arrays of bulk strings).
// In: a URL. Out: replies as Buffers. Time-outs and lost connections are thrown as they come; the
// store decides about retries. Invariant: a command without an answer fails after
// limits.redisCommandMsMax, and nothing is queued without end while Redis is away.

import { Command, Redis } from 'ioredis'
import { WeirError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import type { Observe } from '../../pipeline/observe/happenings.ts'
import { checkRedis } from './check-redis.ts'

export type RedisClient = {
  readonly loadFunctions: (code: string) => Promise<void>
  /** Calls a function; keys must lie in one slot. Bulk replies are Buffers. */
  readonly call: (
    name: string,
    keys: readonly string[],
    args: readonly (string | Buffer)[],
  ) => Promise<unknown>
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
    checkRedis(await redis.info())
  } catch (cause) {
    redis.disconnect()
    if (cause instanceof WeirError) throw cause
    const detail = `Redis at ${new URL(url).host} (WEIR_REDIS_URL) refused: ${String(cause)}`
    throw new WeirError('WEIR_ENRICH_STORE_AWAY', detail, { cause })
  }
  return {
    loadFunctions: async (code) => {
      await redis.call('FUNCTION', 'LOAD', 'REPLACE', code)
    },
    call: (name, keys, args) =>
      redis.sendCommand(new FunctionCall(name, keys, args)) as Promise<unknown>,
    disconnect: () => redis.disconnect(),
  }
}

class FunctionCall extends Command {
  private readonly request: Buffer

  constructor(name: string, keys: readonly string[], args: readonly (string | Buffer)[]) {
    // Its arguments are in the request; null asks for Buffers.
    super('fcall', [], { replyEncoding: null })
    this.request = encodeCall(name, keys, args)
  }

  override toWritable(): Buffer {
    return this.request
  }
}

const encodeBulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`

function encodeCall(
  name: string,
  keys: readonly string[],
  args: readonly (string | Buffer)[],
): Buffer {
  let head = `*${3 + keys.length + args.length}\r\n${encodeBulk('FCALL')}${encodeBulk(name)}`
  head += encodeBulk(String(keys.length))
  for (const key of keys) head += encodeBulk(key)
  const parts: Buffer[] = [Buffer.from(head)]
  for (const arg of args) {
    const bytes = typeof arg === 'string' ? Buffer.from(arg) : arg
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'))
  }
  return Buffer.concat(parts)
}
