// A batch made ready for sending: its entries grouped by log, its logs by bucket.
//
// In: the records of a batch, in merged order. Out: per bucket the logs to send; entries of one log
// form a chain in their order, kept in the cached log and `nextEntries`, so that nothing is copied.
// Invariant: every entry is in exactly one chain, every log of the batch in exactly one bucket.

import type { EntityLog } from '../../../pipeline/enrich/entity-log.ts'
import { type FoldPolicy, foldLog, type IsCommitted } from '../../../pipeline/enrich/fold-log.ts'
import type { LogRecords } from '../../../pipeline/enrich/log-store.ts'
import { encodeFoldedPart } from './folded-part.ts'
import type { CachedLog, LogCache } from './log-cache.ts'
import { type BucketDraft, foldSize, recordSize } from './log-layout.ts'

/** Refresh a key's expiry once this share of the retention has passed since it was last set. */
const EXPIRY_REFRESH_SHARE = 0.1

/** A batch grouped for sending, with room for the places that the answers give. */
export type Draft = {
  readonly logs: readonly EntityLog[]
  readonly appends: Uint8Array
  readonly nextEntries: Int32Array
  readonly buckets: readonly BucketDraft[]
  readonly positions: Int32Array
  readonly visible: Int32Array
}

type DraftContext = {
  readonly cache: LogCache
  readonly buckets: number
  readonly batch: number
  readonly retentionMs: number
  readonly isCommitted: IsCommitted
  readonly foldPolicy: FoldPolicy
}

/** Groups a batch's entries by log and logs by bucket; entries of one log form a chain. */
export function draftBatch(records: LogRecords, context: DraftContext): Draft {
  const { cache, batch } = context
  const logs = new Array<EntityLog>(records.count)
  const nextEntries = new Int32Array(records.count).fill(-1)
  const buckets = Array.from({ length: context.buckets }, () => ({
    logs: [],
    recordBytes: 0,
    foldBytes: 0,
  }))
  const nowMs = Date.now()
  for (let entry = 0; entry < records.count; entry++) {
    const cached = cache.open(records.kinds[entry]!, records.keys[entry]!)
    const bucket: BucketDraft = buckets[cached.bucket]!
    logs[entry] = cached.log
    if (cached.batch !== batch) {
      startLog(cached, entry, nowMs, context)
      bucket.logs.push(cached)
      if (cached.fold !== null) bucket.foldBytes += foldSize(cached.fold)
    } else {
      nextEntries[cached.lastEntry] = entry
      cached.lastEntry = entry
    }
    if (records.appends[entry] === 1) {
      cached.appendCount++
      bucket.recordBytes += recordSize(cached.log.shape)
    } else {
      cached.looks = true
    }
  }
  return {
    logs,
    appends: records.appends,
    nextEntries,
    buckets,
    positions: new Int32Array(records.count).fill(-1),
    visible: new Int32Array(records.count),
  }
}

function startLog(cached: CachedLog, entry: number, nowMs: number, context: DraftContext): void {
  cached.fold = fold(cached, context)
  cached.batch = context.batch
  cached.firstEntry = entry
  cached.lastEntry = entry
  cached.appendCount = 0
  cached.looks = false
  cached.needsExpiry = nowMs - cached.expirySetMs > context.retentionMs * EXPIRY_REFRESH_SHARE
  if (cached.needsExpiry) cached.expirySetMs = nowMs
}

/** Folds the cached log at once; Redis does the same with the batch, or tells the log anew. */
function fold({ log, history }: CachedLog, { isCommitted, foldPolicy }: DraftContext) {
  const knownBase = log.base
  if (!foldLog(log, history, isCommitted, foldPolicy)) return null
  return { knownBase, part: encodeFoldedPart(log, history) }
}
