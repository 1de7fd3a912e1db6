// The bounded cache of decoded entity logs, in two halves: young and old.
//
// A log that is used moves to the young half; when that half holds its share of the bytes, it becomes
// the old one and whatever was in the old one is forgotten. So a log survives as long as it is used
// once per turn, at the price of one map look-up, without a list to keep in order.
// Invariant: decoded bytes never pass the ceiling by more than what comes between two turns. Forgetting is always safe:
// a log that is not here is read from Redis again, whole.

import { createEntityLog, type EntityLog } from '../../pipeline/enrich/entity-log.ts'
import type { LogKind } from '../../pipeline/enrich/log-store.ts'

export type CachedLog = {
  readonly log: EntityLog
  readonly redisKey: string
  readonly bucket: number
  /** Incarnation of the key in Redis that `log` decodes; 0 = the key is thought not to exist. */
  generation: number
  /** Wall clock when the key's expiry was last set, ms. */
  expirySetMs: number
  needsExpiry: boolean
  /** Place within the running batch; meaningless outside it. */
  batch: number
  firstEntry: number
  lastEntry: number
  appendCount: number
}

/** Approximate bytes of one cached log beside its rows: object, map entry, key. */
const OVERHEAD_BYTES = 300

export type LogCache = {
  readonly open: (kind: number, key: string) => CachedLog
  readonly forget: () => void
  readonly turn: () => void
  readonly size: () => { logs: number; bytes: number }
}

export type LogCacheOptions = {
  readonly kinds: readonly LogKind[]
  readonly bytesMax: number
  /** Name and bucket of a log's key in Redis. */
  readonly locate: (kind: number, key: string) => { redisKey: string; bucket: number }
}

export function createLogCache({ kinds, bytesMax, locate }: LogCacheOptions): LogCache {
  const emptyHalf = () => kinds.map(() => new Map<string, CachedLog>())
  let young = emptyHalf()
  let old = emptyHalf()

  const make = (kind: number, key: string): CachedLog => ({
    log: createEntityLog(kinds[kind]!.shape),
    ...locate(kind, key),
    generation: 0,
    expirySetMs: 0,
    needsExpiry: false,
    batch: -1,
    firstEntry: -1,
    lastEntry: -1,
    appendCount: 0,
  })

  const open = (kind: number, key: string): CachedLog => {
    const fresh = young[kind]!.get(key)
    if (fresh !== undefined) return fresh
    const known = old[kind]!.get(key) ?? make(kind, key)
    young[kind]!.set(key, known)
    return known
  }

  /** Called between batches: never while a batch holds logs. */
  const turn = (): void => {
    if (bytesOf(young) < bytesMax / 2) return
    old = young
    young = emptyHalf()
  }

  const forget = (): void => {
    young = emptyHalf()
    old = emptyHalf()
  }

  const size = () => ({
    logs: young.concat(old).reduce((sum, half) => sum + half.size, 0),
    bytes: bytesOf(young) + bytesOf(old),
  })

  return { open, forget, turn, size }
}

function bytesOf(half: readonly Map<string, CachedLog>[]): number {
  let bytes = 0
  for (const logs of half) {
    for (const { log } of logs.values()) bytes += OVERHEAD_BYTES + log.rows.byteLength
  }
  return bytes
}
