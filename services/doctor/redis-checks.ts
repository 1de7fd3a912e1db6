// What the feature store has to be like: the table.
//
// In: a RedisSight. Out: verdicts. Refused, as fatal: servers that cannot hold the state (a version
// without functions, a replica, a cluster with slots that nobody serves) or throw parts of it away.
// Lost state is put back from the topics, so what loses all of it at once is a warning only.

import {
  findRedisFaults,
  memoryMaxOf,
  type RedisFault,
} from '../adapters/redis/inspect/check-redis.ts'
import type { RedisServerSight, RedisSight } from '../adapters/redis/inspect/inspect-redis.ts'
import {
  type Check,
  type Examination,
  fatal,
  ok,
  orOk,
  unknown,
  unseen,
  type Verdict,
  warning,
} from './finding.ts'
import { inBytes } from './units.ts'

const SLOTS = 16_384
/** A batch waits for one round trip; at this, a third of what an event may take is gone. */
const ROUND_TRIP_MS_MAX = 5
/** Keys come and go, buffers grow, and a snapshot copies what is written meanwhile. */
export const MEMORY_ROOM = 1.3
const MEMORY_FULL = 0.85

/** In the words of redis.conf. */
const changes: Readonly<Record<RedisFault['kind'], string>> = {
  version: 'use Redis 7.0 or later, or a server compatible with it',
  role: 'WEIR_REDIS_URL has to name the master',
  eviction: 'maxmemory-policy noeviction',
}

const refusal =
  (kind: RedisFault['kind'], field: string): Check<RedisSight>['judge'] =>
  ({ servers }) =>
    judgeServers(servers, ({ fields }) => {
      const fault = findRedisFaults(fields).find((found) => found.kind === kind)
      return fault
        ? fatal(fault.found, changes[kind])
        : (fields.get(field) ??
            unknown(`${field} is not shown`, 'permit INFO to the user of the doctor'))
    })

const checks: readonly Check<RedisSight>[] = [
  {
    name: 'version',
    why: 'logs are kept by Redis Functions, which came with 7.0',
    worst: 'fatal',
    judge: refusal('version', 'redis_version'),
  },
  {
    name: 'role',
    why: 'a replica refuses writes',
    worst: 'fatal',
    judge: refusal('role', 'role'),
  },
  {
    name: 'eviction',
    why: 'a deleted log looks like an entity that was silent: its windows count short',
    worst: 'fatal',
    judge: refusal('eviction', 'maxmemory_policy'),
  },
  {
    name: 'evicted keys',
    why: 'logs that are gone count short until their entities are put back',
    worst: 'warning',
    judge: ({ servers }) =>
      judgeServers(servers, ({ fields }) => {
        const evicted = Number(fields.get('evicted_keys') ?? 0)
        if (evicted === 0) return 'none since the server began'
        return warning(`${evicted} since the server began`, 'run `weir rebuild`')
      }),
  },
  {
    name: 'memory',
    why: 'at maxmemory Redis refuses writes and lanes wait; without one the machine may end it',
    worst: 'warning',
    judge: ({ servers }, { forecast }) =>
      judgeServers(servers, ({ fields }) => {
        const most = memoryMaxOf(fields)
        const used = Number(fields.get('used_memory') ?? 0)
        const share = forecast === null ? 0 : (forecast.bytes * MEMORY_ROOM) / servers.length
        const needed = forecast === null ? '' : `, ${inBytes(share)} needed`
        const found = `${inBytes(used)} used of ${most === 0 ? 'no ceiling' : inBytes(most)}${needed}`
        const isTight = most > 0 && (used > most * MEMORY_FULL || share > most)
        if (most > 0 && !isTight) return found
        const wanted = Math.ceil(Math.max(share, used * MEMORY_ROOM))
        const size = forecast === null ? 'what `weir doctor --entities` predicts' : `${wanted}`
        return warning(found, `maxmemory ${size}`)
      }),
  },
  {
    name: 'persistence',
    why: 'a server that restarts empty has all state read from the topics again before lanes go on',
    worst: 'warning',
    judge: ({ servers }) => judgeServers(servers, judgePersistence),
  },
  {
    name: 'replicas',
    why: 'a master that is alone takes its state along; one that outruns its replica, its last writes',
    worst: 'warning',
    judge: ({ servers }) => judgeServers(servers, judgeReplicas),
  },
  {
    name: 'cluster slots',
    why: 'a bucket whose slot nobody serves stops every lane',
    worst: 'fatal',
    judge: ({ cluster }) => {
      if (cluster === null) return ok('no cluster')
      const { state, slotsServed } = cluster
      const found = `state ${state}, ${slotsServed} of ${SLOTS} slots served`
      if (state === 'ok' && slotsServed === SLOTS) return ok(found)
      return fatal(found, 'run `redis-cli --cluster fix` on a node')
    },
  },
  {
    name: 'functions',
    why: 'the scorer loads its library by itself, and needs the permission for it',
    worst: 'warning',
    judge: ({ servers }) =>
      judgeServers(servers, ({ libraries }) => {
        if (libraries === null) return unseen('the libraries', 'FUNCTION to the user of the scorer')
        return libraries.length === 0 ? 'none yet: a scorer loads them' : libraries.join(', ')
      }),
  },
  {
    name: 'round trip',
    why: 'each batch waits for one',
    worst: 'warning',
    judge: ({ roundTripsMs }) => {
      if (roundTripsMs.length === 0) return unseen('round trips', 'PING')
      const sorted = roundTripsMs.toSorted((a, b) => a - b)
      const median = sorted[Math.floor(sorted.length / 2)] ?? 0
      const found = `median ${median.toFixed(2)} ms, longest ${(sorted.at(-1) ?? 0).toFixed(2)} ms`
      if (median <= ROUND_TRIP_MS_MAX) return ok(found)
      return warning(found, 'bring Redis nearer to the scorer, or look at what else it does')
    },
  },
]

export const redisExamination: Examination<RedisSight> = {
  system: 'redis',
  reach: {
    name: 'answers',
    why: "entities' histories are there; without it lanes wait",
    change: 'WEIR_REDIS_URL, or the server',
  },
  checks,
}

function judgePersistence({ fields, config }: RedisServerSight): Verdict | string {
  const hasFile = fields.get('aof_enabled') === '1'
  const saves = config?.get('save')
  const failed = ['aof_last_write_status', 'rdb_last_bgsave_status'].filter(
    (name) => (fields.get(name) ?? 'ok') !== 'ok',
  )
  if (failed.length > 0) return warning(`${failed.join(', ')}: err`, "Redis' disk and its log")
  if (hasFile) return `append-only file, ${config?.get('appendfsync') ?? 'sync not shown'}`
  if (saves === undefined) return unseen('`save`', 'CONFIG GET')
  if (saves !== '') return warning(`snapshots only (save ${saves})`, 'appendonly yes')
  return warning('neither append-only file nor snapshots', 'appendonly yes')
}

function judgeReplicas({ fields, config }: RedisServerSight): Verdict | string {
  const replicas = Number(fields.get('connected_slaves') ?? 0)
  if (replicas === 0) return warning('no replica', 'add a replica on another machine')
  const least = config?.get('min-replicas-to-write')
  if (least === undefined) return unseen('min-replicas-to-write', 'CONFIG GET')
  const found = `${replicas} replicas, min-replicas-to-write ${least}`
  return Number(least) > 0 ? found : warning(found, 'min-replicas-to-write 1')
}

/** A judge gives a fault, or a sentence for a server that is as it should be. */
function judgeServers(
  servers: readonly RedisServerSight[],
  judge: (server: RedisServerSight) => Verdict | string,
): readonly Verdict[] {
  const faults: Verdict[] = []
  const sound = new Set<string>()
  for (const server of servers) {
    const judged = judge(server)
    if (typeof judged === 'string') sound.add(judged)
    else faults.push({ ...judged, found: `${server.address}: ${judged.found}` })
  }
  return orOk(faults, [...sound].join('; '))
}
