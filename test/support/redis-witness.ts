// What the store holds, read straight from Redis and not through the adapter.
//
// In: the beginning of every key. Out: the highest applied offset of each lane, and the logs of one
// kind in their order. The layouts are those at the head of
// services/adapters/redis/calls/weir-functions.lua.

import { Redis } from 'ioredis'

export type RedisWitness = {
  /** Highest offset that any bucket has applied, by lane. */
  readonly applied: () => Promise<ReadonlyMap<number, number>>
  /** Sources of each log of a kind in its order, by the log's key. */
  readonly logs: (kind: number) => Promise<ReadonlyMap<string, readonly LogSource[]>>
  readonly close: () => void
}

export type LogSource = { readonly laneId: number; readonly offset: number }

const HEADER_SIZE = 16
const VALUES_AT = 2
const SOURCE_AT = 8
const RECORD_HEAD_SIZE = 16
const SOURCE_LANE = 2 ** 44
const APPLIED_AT = 8

export function openRedisWitness(redisUrl: string, keyPrefix: string): RedisWitness {
  const redis = new Redis(redisUrl)

  const scan = async function* (ending: string): AsyncGenerator<string> {
    const match = `{${keyPrefix}*${ending}`
    for await (const keys of redis.scanStream({ match, count: 1000 })) yield* keys as string[]
  }

  const applied = async () => {
    const offsets = new Map<number, number>()
    for await (const key of scan('}fence')) {
      for (const [lane, entry] of Object.entries(await redis.hgetallBuffer(key))) {
        const offset = (entry as Buffer).readDoubleLE(APPLIED_AT)
        offsets.set(Number(lane), Math.max(offsets.get(Number(lane)) ?? -1, offset))
      }
    }
    return offsets
  }

  const readLogs = async (kind: number) => {
    const logs = new Map<string, LogSource[]>()
    for await (const key of scan(`}${kind}:*`)) {
      const bytes = (await redis.getBuffer(key))!
      const size = RECORD_HEAD_SIZE + 8 * bytes.readUInt16LE(VALUES_AT)
      const sources: LogSource[] = []
      for (let at = HEADER_SIZE; at < bytes.length; at += size) {
        const source = bytes.readDoubleLE(at + SOURCE_AT)
        const laneId = Math.floor(source / SOURCE_LANE)
        sources.push({ laneId, offset: source % SOURCE_LANE })
      }
      logs.set(key, sources)
    }
    return logs
  }

  return { applied, logs: readLogs, close: () => redis.disconnect() }
}
