// What the Redis servers say of themselves, without changing anything: state, settings, clock,
// speed.
//
// In: WEIR_REDIS_URL. Out: a RedisSight, of the one server or of every master of its cluster. What
// the user may not see is null and never guessed. Thrown: WEIR_ENRICH_STORE_AWAY when the first
// server does not answer. Invariant: only INFO, CONFIG GET, CLUSTER, FUNCTION LIST, TIME and PING
// are sent, on connections of its own.

import { Redis } from 'ioredis'
import { WeirError } from '../../../core/errors.ts'
import { limits } from '../../../core/limits.ts'
import { readRedisUrls } from '../../../core/redis-urls.ts'
import { orAway } from '../client/or-away.ts'
import { readFields } from './check-redis.ts'

type RedisFields = ReadonlyMap<string, string>

export type RedisServerSight = {
  readonly address: string
  /** Lines of INFO by their names. */
  readonly fields: RedisFields
  /** Settings that INFO does not have; null where CONFIG is not permitted. */
  readonly config: RedisFields | null
  /** Names of Weir's function libraries; null where FUNCTION LIST is not permitted. */
  readonly libraries: readonly string[] | null
}

export type RedisSight = {
  readonly servers: readonly RedisServerSight[]
  /** null outside of a cluster. */
  readonly cluster: { readonly state: string; readonly slotsServed: number } | null
  /** Of each PING, ms; none where it is not permitted. */
  readonly roundTripsMs: readonly number[]
  /** The server's clock minus ours, and how exact that can be: half of the time of the question. */
  readonly clock: { readonly aheadMs: number; readonly uncertainMs: number }
}

const PINGS = 20
/** Asked of CONFIG GET: what INFO does not tell. */
const settings = ['save', 'appendfsync', 'min-replicas-to-write', 'cluster-require-full-coverage']
const LIBRARIES = 'weir_*'

/** @param text one URL, or those of several nodes of a cluster, separated by commas. */
export async function inspectRedis(text: string): Promise<RedisSight> {
  const { first, url } = await openFirst(readRedisUrls(text) ?? [])
  const look = async (): Promise<RedisSight> => {
    const own = await inspectServer(first)
    const isCluster = own.fields.get('cluster_enabled') === '1'
    const masters = isCluster ? await inspectMasters(first, url) : [own]
    return {
      servers: masters,
      cluster: isCluster ? await inspectSlots(first) : null,
      roundTripsMs: (await ifPermitted(() => timePings(first))) ?? [],
      clock: await compareClocks(first),
    }
  }
  try {
    return await orAway(look)
  } finally {
    first.disconnect()
  }
}

/** The first of the servers that answers. */
async function openFirst(urls: readonly string[]): Promise<{ first: Redis; url: string }> {
  const reasons: unknown[] = []
  for (const url of urls) {
    try {
      return { first: await open(url), url }
    } catch (error) {
      reasons.push(error)
    }
  }
  throw reasons[0]
}

async function open(url: string): Promise<Redis> {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: limits.redisCommandMsMax,
    commandTimeout: limits.redisCommandMsMax,
    retryStrategy: () => null,
  })
  // connect() only tells that the connection closed; why is an event.
  let reason: unknown
  redis.on('error', (error) => {
    reason = error
  })
  try {
    await redis.connect()
    return redis
  } catch (cause) {
    redis.disconnect()
    const { host } = new URL(url)
    const detail = `Redis at ${host} (WEIR_REDIS_URL) refused: ${String(reason ?? cause)}`
    throw new WeirError('WEIR_ENRICH_STORE_AWAY', detail, { cause })
  }
}

async function inspectServer(redis: Redis): Promise<RedisServerSight> {
  const { host, port } = redis.options
  return {
    address: `${host}:${port}`,
    fields: readFields(await redis.info()),
    config: await ifPermitted(async () => readPairs(await redis.config('GET', ...settings))),
    libraries: await ifPermitted(async () => readLibraries(await listLibraries(redis))),
  }
}

/** The server's refusal is null; a lost connection is thrown. */
async function ifPermitted<T>(ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask()
  } catch (error) {
    if ((error as { name?: unknown }).name === 'ReplyError') return null
    throw error
  }
}

/** Both shapes: a flat list of names and values, or an object where RESP3 is spoken. */
function readPairs(reply: unknown): RedisFields {
  if (!Array.isArray(reply)) return new Map(Object.entries(reply as Record<string, string>))
  const pairs = new Map<string, string>()
  for (let i = 0; i + 1 < reply.length; i += 2) pairs.set(String(reply[i]), String(reply[i + 1]))
  return pairs
}

const listLibraries = (redis: Redis): Promise<unknown> =>
  redis.call('FUNCTION', 'LIST', 'LIBRARYNAME', LIBRARIES)

const readLibraries = (reply: unknown): readonly string[] =>
  (reply as readonly unknown[]).map((entry) => readPairs(entry).get('library_name') ?? '')

/**
 * Of CLUSTER SLOTS: first and last slot, then the master's endpoint, port and name, then replicas.
 */
type SlotRange = readonly [number, number, readonly [string | null, number, string]]

/**
 * Every master that serves slots. One that does not answer is told by the slots it leaves behind.
 */
async function inspectMasters(first: Redis, url: string): Promise<RedisServerSight[]> {
  const ranges = (await first.call('CLUSTER', 'SLOTS')) as readonly SlotRange[]
  const urls = new Set(ranges.map(([, , [host, port]]) => urlAt(url, host, port)))
  const sights = await Promise.allSettled([...urls].map(inspectAt))
  return sights.flatMap((sight) => (sight.status === 'fulfilled' ? [sight.value] : []))
}

/**
 * The same way in, to another node; one that does not say its address is the one that was asked.
 */
function urlAt(url: string, host: string | null, port: number): string {
  const place = new URL(url)
  if (host) place.hostname = host.includes(':') ? `[${host}]` : host
  place.port = String(port)
  return place.toString()
}

async function inspectAt(url: string): Promise<RedisServerSight> {
  const redis = await open(url)
  try {
    return await inspectServer(redis)
  } finally {
    redis.disconnect()
  }
}

async function inspectSlots(redis: Redis): Promise<RedisSight['cluster']> {
  const fields = readFields(String(await redis.call('CLUSTER', 'INFO')))
  return {
    state: fields.get('cluster_state') ?? 'unknown',
    slotsServed: Number(fields.get('cluster_slots_ok') ?? 0),
  }
}

async function timePings(redis: Redis): Promise<readonly number[]> {
  const durations: number[] = []
  for (let i = 0; i < PINGS; i++) {
    const startedMs = performance.now()
    await redis.ping()
    durations.push(performance.now() - startedMs)
  }
  return durations
}

async function compareClocks(redis: Redis): Promise<RedisSight['clock']> {
  const sentMs = Date.now()
  const [seconds, micros] = await redis.time()
  const uncertainMs = (Date.now() - sentMs) / 2
  const serverMs = Number(seconds) * 1000 + Number(micros) / 1000
  return { aheadMs: serverMs - (sentMs + uncertainMs), uncertainMs }
}
