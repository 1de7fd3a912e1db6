// Putting lost state back into Redis: whole logs, bucket by bucket, under a lease.
//
// In: logs as services/restore has laid them out. Out: Redis holds them, and the fences say how
// far. Refused: a lease that somebody else holds meanwhile (WEIR_ENRICH_STORE_UNSURE): whoever was
// stopped for longer than the lease must not write over what others have put back and extended
// since. Invariant: from `begin` to `end` no lane advances in any bucket; what is cut off in
// between is found as lost again, and done again.

import { randomInt, randomUUID } from 'node:crypto'
import { hashToBucket } from '../../../core/hash.ts'
import { createEntityLog, type EntityLog } from '../../../pipeline/enrich/entity-log.ts'
import { LaneRefusedError, type LogKind } from '../../../pipeline/enrich/log-store.ts'
import type {
  LaneProgress,
  LogName,
  NamedLog,
  RestorableStore,
  RestoreSession,
} from '../../../restore/restorable-store.ts'
import { callFunction, loadFunctions, type RedisEnvironment } from '../calls/redis-functions.ts'
import { nameKeys } from '../fences/redis-fences.ts'
import { decodeStoredLog, encodeStoredLog } from '../logs/stored-log.ts'

type RedisRestoreOptions = RedisEnvironment & {
  readonly kinds: readonly LogKind[]
  readonly prefix: string
  readonly buckets: number
  readonly retentionMs: number
}

/**
 * Longer than reading a stretch of the topics takes; whoever waits for a dead process waits so
 * long.
 */
const LEASE_MS = 30_000
const RENEW_MS = LEASE_MS / 3
/** Logs of one call: it must not hold up the server. */
const LOGS_AT_ONCE = 200
const GENERATION_MAX = 2 ** 32 - 1

export async function createRedisRestore(options: RedisRestoreOptions): Promise<RestorableStore> {
  await loadFunctions(options.redis)
  const { fences } = nameKeys(options.prefix, options.buckets)
  return {
    begin: async () => {
      const lease = createLease(options, fences, randomUUID())
      const progress: ReadonlyMap<number, LaneProgress>[] = []
      for (const fence of fences) {
        const [status, lanes] = await lease.call(fence, 'begin', [String(LEASE_MS)])
        if (status!.toString() === 'BUSY') {
          await lease.leave()
          return null
        }
        progress.push(decodeProgress(lanes!))
      }
      lease.keep()
      return createSession(options, lease, progress)
    },
  }
}

type Lease = ReturnType<typeof createLease>

/** The right to write, bucket by bucket, renewed until it is given back. */
function createLease(place: RedisEnvironment, fences: readonly string[], token: string) {
  let renewal: NodeJS.Timeout | undefined
  const held = new Set<string>()
  const call = async (
    fence: string,
    verb: string,
    args: readonly (string | Buffer)[],
    keys: readonly string[] = [],
  ): Promise<Buffer[]> => {
    const reply = (await callFunction(
      place,
      'restore',
      [fence, ...keys],
      [verb, token, ...args],
    )) as Buffer[]
    const status = reply[0]!.toString()
    if (status === 'LEASE_GONE') {
      throw new LaneRefusedError('WEIR_ENRICH_STORE_UNSURE', -1, 'another process restores it now.')
    }
    if (status === 'OK' && verb === 'begin') held.add(fence)
    return reply
  }
  const letGo = async (fence: string, verb: 'finish' | 'leave', args: readonly Buffer[] = []) => {
    if (held.delete(fence)) await call(fence, verb, args)
  }
  const renew = async (): Promise<void> => {
    for (const fence of held) await call(fence, 'read', [String(LEASE_MS)])
  }
  return {
    call,
    keep: () => {
      // A renewal that fails shows in the next write.
      renewal = setInterval(() => void renew().catch(() => undefined), RENEW_MS)
    },
    finish: (fence: string, applied: Buffer) => letGo(fence, 'finish', [applied]),
    leave: async () => {
      clearInterval(renewal)
      for (const fence of fences) await letGo(fence, 'leave')
    },
  }
}

function createSession(
  { kinds, prefix, buckets, retentionMs }: RedisRestoreOptions,
  lease: Lease,
  fences: RestoreSession['fences'],
): RestoreSession {
  const keys = nameKeys(prefix, buckets)
  const keyOf = (bucket: number) => (log: LogName) => keys.log(bucket, log.kind, log.key)

  const readSome = async (bucket: number, logs: readonly LogName[]) => {
    const names = logs.map(keyOf(bucket))
    const [, ...stored] = await lease.call(keys.fences[bucket]!, 'read', [String(LEASE_MS)], names)
    return stored.map((bytes, i) => decode(bytes, kinds[logs[i]!.kind]!))
  }

  const writeSome = async (bucket: number, logs: readonly NamedLog[]) => {
    const stored = logs.map(({ kind, log }) =>
      encodeStoredLog(log, kinds[kind]!.history, randomInt(1, GENERATION_MAX)),
    )
    const args = [String(LEASE_MS), String(retentionMs), ...stored]
    await lease.call(keys.fences[bucket]!, 'write', args, logs.map(keyOf(bucket)))
  }

  return {
    fences,
    bucketOf: (key) => hashToBucket(key, buckets),
    read: async (bucket, logs) => {
      const read: (EntityLog | null)[] = []
      for (const some of inSlices(logs)) read.push(...(await readSome(bucket, some)))
      return read
    },
    write: async (bucket, logs) => {
      for (const some of inSlices(logs)) await writeSome(bucket, some)
    },
    finish: (bucket, applied) => {
      const lanes = Buffer.from(Float64Array.from([...applied].flat()).buffer)
      return lease.finish(keys.fences[bucket]!, lanes)
    },
    end: () => lease.leave(),
  }
}

const inSlices = <T>(logs: readonly T[]): T[][] =>
  Array.from({ length: Math.ceil(logs.length / LOGS_AT_ONCE) }, (_, i) =>
    logs.slice(i * LOGS_AT_ONCE, (i + 1) * LOGS_AT_ONCE),
  )

function decode(bytes: Buffer, { shape, history }: LogKind): EntityLog | null {
  if (bytes.length === 0) return null
  const log = createEntityLog(shape)
  decodeStoredLog(bytes, log, history)
  return log
}

/** Per lane: id, epoch, applied and committed, a double each. */
function decodeProgress(bytes: Buffer): ReadonlyMap<number, LaneProgress> {
  const lanes = new Map<number, LaneProgress>()
  for (let at = 0; at < bytes.length; at += 32) {
    lanes.set(bytes.readDoubleLE(at), {
      appliedOffset: bytes.readDoubleLE(at + 16),
      committedOffset: bytes.readDoubleLE(at + 24),
    })
  }
  return lanes
}
