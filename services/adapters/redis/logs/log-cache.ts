// The bounded cache of decoded entity logs, in two halves: young and old.
//
// A log that is used moves to the young half; when that half holds its share of the bytes, it
// becomes the old one and whatever was in the old one is forgotten. So a log survives as long as it
// is used once per turn, at the price of one map look-up, without a list to keep in order.
// Invariant: decoded bytes pass the ceiling by no more than what one batch adds. Forgetting is
// always safe: a log that is not here is read from Redis again, whole.

import { createEntityLog, type EntityLog } from '../../../pipeline/enrich/entity-log.ts'
import type { LogHistory } from '../../../pipeline/enrich/fold-log.ts'
import type { LogKind } from '../../../pipeline/enrich/log-store.ts'

export type CachedLog = {
  readonly log: EntityLog
  readonly history: LogHistory
  readonly redisKey: string
  readonly bucket: number
  /** Incarnation of the key in Redis that `log` decodes; 0 = the key is thought not to exist. */
  generation: number
  /** Wall clock when the key's expiry was last set, ms. */
  expirySetMs: number
  needsExpiry: boolean
  /** What Redis is told to fold with the running batch; null for nothing. */
  fold: Fold | null
  /** Bytes that the cache has counted for it. */
  bytes: number
  /** Place within the running batch; meaningless outside it. */
  batch: number
  firstEntry: number
  lastEntry: number
  appendCount: number
  /** Whether an entry only looks at it. */
  looks: boolean
}

/** Approximate bytes of one cached log beside its rows: object, map entry, key. */
const OVERHEAD_BYTES = 300

export type LogCache = {
  readonly open: (kind: number, key: string) => CachedLog
  /** Counts what a log of the running batch has grown by. */
  readonly weigh: (cached: CachedLog) => void
  /** Called between batches: never while a batch holds logs. */
  readonly turn: () => void
  readonly forget: () => void
  readonly size: () => { logs: number; bytes: number }
}

type LogCacheOptions = {
  readonly kinds: readonly LogKind[]
  readonly bytesMax: number
  /** Name and bucket of a log's key in Redis. */
  readonly locate: (kind: number, key: string) => { redisKey: string; bucket: number }
}

type Half = { readonly logs: readonly Map<string, CachedLog>[]; bytes: number }

export function createLogCache({ kinds, bytesMax, locate }: LogCacheOptions): LogCache {
  const emptyHalf = (): Half => ({ logs: kinds.map(() => new Map()), bytes: 0 })
  let young = emptyHalf()
  let old = emptyHalf()

  const make = (kind: number, key: string): CachedLog => ({
    log: createEntityLog(kinds[kind]!.shape),
    history: kinds[kind]!.history,
    ...locate(kind, key),
    generation: 0,
    expirySetMs: 0,
    needsExpiry: false,
    fold: null,
    bytes: OVERHEAD_BYTES,
    batch: -1,
    firstEntry: -1,
    lastEntry: -1,
    appendCount: 0,
    looks: false,
  })

  const open = (kind: number, key: string): CachedLog => {
    const fresh = young.logs[kind]!.get(key)
    if (fresh !== undefined) return fresh
    const known = old.logs[kind]!.get(key)
    if (known !== undefined) {
      old.logs[kind]!.delete(key)
      old.bytes -= known.bytes
    }
    const opened = known ?? make(kind, key)
    young.logs[kind]!.set(key, opened)
    young.bytes += opened.bytes
    return opened
  }

  const weigh = (cached: CachedLog): void => {
    const { rows, tiles } = cached.log
    const bytes = tiles.reduce(
      (sum, { lines }) => sum + lines.byteLength,
      OVERHEAD_BYTES + rows.byteLength,
    )
    young.bytes += bytes - cached.bytes
    cached.bytes = bytes
  }

  const turn = (): void => {
    if (young.bytes < bytesMax / 2) return
    old = young
    young = emptyHalf()
  }

  const forget = (): void => {
    young = emptyHalf()
    old = emptyHalf()
  }

  const size = () => ({
    logs: [...young.logs, ...old.logs].reduce((sum, logs) => sum + logs.size, 0),
    bytes: young.bytes + old.bytes,
  })

  return { open, weigh, turn, forget, size }
}

/** What a folded log tells Redis: fold as well, if it still begins where it was known to. */
export type Fold = {
  readonly knownBase: number
  readonly part: Buffer
}
