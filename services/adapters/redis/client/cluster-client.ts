// The same narrow port to a Redis Cluster: a call goes to the master that has its keys' slot.
//
// In: URLs of some nodes; the rest is asked of them. Out: replies; errors as they come. Moved slots
// (MOVED, ASK) are followed at once and a migrating one is tried again for about a second; a node
// that went away, CLUSTERDOWN and the like are thrown, for ioredis' own retries would send a call
// again that the store has given up already. Every call that fails ends in the store's retries, so
// a failover is waited for there. Refused: a cluster that is not whole, a master that is unfit.
// Invariant: nothing is queued while the cluster is away; a master without the functions gets them.

import { once } from 'node:events'
import { Cluster } from 'ioredis'
import { WeirError } from '../../../core/errors.ts'
import { limits } from '../../../core/limits.ts'
import type { Observe } from '../../../pipeline/observe/signals.ts'
import { FunctionCall } from '../calls/function-call.ts'
import { checkRedis } from '../inspect/check-redis.ts'
import { orAway } from './or-away.ts'
import type { RedisClient } from './redis-commands.ts'
import { loadLibrary, patience, scanKeys } from './server-client.ts'

/** Where a call is sent on to, and how often a migrating slot is tried, before it fails. */
const REDIRECTIONS_MAX = 8
const TRY_AGAIN_MS = 100

/**
 * @param urls of nodes to start from; how to log in and whether to speak TLS is that of the first.
 */
export async function connectCluster(
  urls: readonly string[],
  observe: Observe,
): Promise<RedisClient> {
  const cluster = openCluster(urls)
  const signal = AbortSignal.timeout(limits.redisCommandMsMax)
  try {
    await once(cluster, 'ready', { signal })
    for (const node of cluster.nodes('master')) checkRedis(await node.info())
  } catch (cause) {
    cluster.disconnect()
    if (cause instanceof WeirError) throw cause
    const hosts = urls.map((url) => new URL(url).host).join(', ')
    const reason = signal.aborted ? 'found no cluster_state:ok, expected it' : String(cause)
    const detail = `the Redis Cluster of ${hosts} (WEIR_REDIS_URL) is not whole: ${reason}`
    throw new WeirError('WEIR_ENRICH_STORE_AWAY', detail, { cause })
  }
  return createClusterClient(cluster, observe)
}

function openCluster(urls: readonly string[]): Cluster {
  const { protocol, username, password, pathname } = new URL(urls[0]!)
  if (!['', '/', '/0'].includes(pathname)) {
    const detail = `found database ${pathname} in WEIR_REDIS_URL, expected none: a cluster has one.`
    throw new WeirError('WEIR_SETTINGS_INVALID', detail)
  }
  const login = {
    ...(username !== '' && { username: decodeURIComponent(username) }),
    ...(password !== '' && { password: decodeURIComponent(password) }),
  }
  const seeds = urls.map((url) => ({
    host: new URL(url).hostname.replace(/^\[|\]$/g, ''),
    port: Number(new URL(url).port || 6379),
  }))
  const cluster = new Cluster(seeds, {
    redisOptions: { ...login, ...patience, ...(protocol === 'rediss:' && { tls: {} }) },
    // Names stay names: a certificate is made out to one, and an address behind it may change.
    dnsLookup: (address, callback) => callback(null, address),
    clusterRetryStrategy: (attempt) => Math.min(limits.retryPauseMsMax, 50 * attempt),
    maxRedirections: REDIRECTIONS_MAX,
    retryDelayOnTryAgain: TRY_AGAIN_MS,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
  })
  cluster.on('error', () => undefined)
  return cluster
}

function createClusterClient(cluster: Cluster, observe: Observe): RedisClient {
  const slots = watchSlots(cluster, observe)
  const call: RedisClient['call'] = async (name, keys, args) => {
    const command = new FunctionCall(name, keys, args)
    try {
      // ioredis would queue it, without an end.
      if (cluster.status !== 'ready') throw new Error(`the cluster is away: ${cluster.status}`)
      const reply: unknown = await cluster.sendCommand(command)
      slots.answered(command.getSlot())
      return reply
    } catch (error) {
      slots.failed(command.getSlot(), error)
      throw error
    }
  }
  return {
    loadFunctions: (code) => orAway(() => loadEverywhere(cluster, code)),
    call,
    command: (name, args) => orAway(() => cluster.call(name, ...args)),
    scan: (match) => scanMasters(cluster, match),
    disconnect: () => {
      slots.end()
      cluster.disconnect()
    },
  }
}

async function* scanMasters(cluster: Cluster, match: string): AsyncGenerator<readonly string[]> {
  for (const node of cluster.nodes('master')) yield* scanKeys(node, match)
}

/** One master that is away keeps none of the others from having the functions. */
async function loadEverywhere(cluster: Cluster, code: string): Promise<void> {
  const loads = cluster.nodes('master').map((node) => loadLibrary(node, code))
  const failed = (await Promise.allSettled(loads)).find(({ status }) => status === 'rejected')
  if (failed?.status === 'rejected') throw failed.reason
}

/**
 * The store is up when every slot that was asked for answers: a batch needs all of its buckets, so
 * one master that is away is as bad as all of them.
 */
function watchSlots(cluster: Cluster, observe: Observe) {
  const silent = new Set<number>()
  let isEnding = false
  const say = (state: 'up' | 'down', detail: string): void => {
    // That we ended it is no outage.
    if (!isEnding) observe({ kind: 'connection', system: 'redis', state, detail })
  }
  say('up', '')
  cluster.on('ready', () => {
    silent.clear()
    say('up', '')
  })
  cluster.on('close', () => say('down', 'no node of the cluster is connected'))
  return {
    end: () => {
      isEnding = true
    },
    answered: (slot: number) => {
      if (silent.delete(slot) && silent.size === 0) say('up', '')
    },
    failed: (slot: number, error: unknown) => {
      const detail = error instanceof Error ? error.message : String(error)
      // A plain error is an answer, such as that the function is not known.
      if (detail.startsWith('ERR ')) return
      if (silent.size === 0) say('down', `slot ${slot}: ${detail}`)
      silent.add(slot)
    },
  }
}
