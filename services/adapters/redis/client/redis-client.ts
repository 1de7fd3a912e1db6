// The narrow port to ioredis: load the functions, call one of them, find keys, close.
//
// In: WEIR_REDIS_URL. Out: a client of one server, or of a Redis Cluster where the server says that
// it belongs to one (cluster-client.ts); to the store they are the same. Errors are thrown as they
// come; the store decides about retries. Refused: no answer, a server that is unfit for state, and
// several URLs of servers that form no cluster. Invariant: a command without an answer fails after
// limits.redisCommandMsMax, and nothing is queued without end while Redis is away.

import type { Redis } from 'ioredis'
import { WeirError } from '../../../core/errors.ts'
import { readRedisUrls } from '../../../core/redis-urls.ts'
import type { Observe } from '../../../pipeline/observe/signals.ts'
import { checkRedis, isClusterNode } from '../inspect/check-redis.ts'
import { connectCluster } from './cluster-client.ts'
import type { RedisClient } from './redis-commands.ts'
import { createServerClient, openServer } from './server-client.ts'

/** @param url one URL, or those of several nodes of a cluster, separated by commas. */
export async function connectRedis(url: string, observe: Observe): Promise<RedisClient> {
  const urls = readRedisUrls(url) ?? []
  const { redis, info } = await reachFirst(urls)
  if (isClusterNode(info)) {
    redis.disconnect()
    return connectCluster(urls, observe)
  }
  try {
    if (urls.length > 1) refuseCrowd(urls, redis)
    checkRedis(info)
  } catch (error) {
    redis.disconnect()
    throw error
  }
  return createServerClient(redis, observe)
}

function refuseCrowd(urls: readonly string[], { options }: Redis): never {
  const found = `found ${urls.length} URLs in WEIR_REDIS_URL, but ${options.host}:${options.port}`
  const detail = `${found} belongs to no cluster; expected one URL, or nodes of a Redis Cluster.`
  throw new WeirError('WEIR_SETTINGS_INVALID', detail)
}

/** The first of the servers that answers, and what it says of itself. */
async function reachFirst(urls: readonly string[]): Promise<{ redis: Redis; info: string }> {
  let reason: unknown
  for (const url of urls) {
    const redis = openServer(url)
    // connect() only tells that the connection closed; why is an event.
    redis.once('error', (error) => {
      reason = error
    })
    try {
      await redis.connect()
      return { redis, info: await redis.info() }
    } catch (cause) {
      redis.disconnect()
      reason ??= cause
    }
  }
  const hosts = urls.map((url) => new URL(url).host).join(', ')
  const detail = `Redis at ${hosts} (WEIR_REDIS_URL) refused: ${String(reason)}`
  throw new WeirError('WEIR_ENRICH_STORE_AWAY', detail, { cause: reason })
}
