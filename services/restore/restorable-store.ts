// The port of a store whose lost state can be put back: it is locked, read, replaced and let go
// again.
//
// Implemented by adapters/redis; by memory in tests. In: whole logs, bucket by bucket, and how far
// each lane is applied in them. Out: what is left in the store. Invariants: while a session is open
// nobody can advance, and no lane can commit; a bucket counts as whole only after `finish`, so a
// restore that is cut off is simply done again.

import type { EntityLog } from '../pipeline/enrich/entity-log.ts'

export type LaneProgress = {
  /** Highest offset of the lane that the bucket has applied; -1 for none. */
  readonly appliedOffset: number
  /** Offset of the lane's next event to commit, as far as the bucket was told; 0 for nothing. */
  readonly committedOffset: number
}

/** One log of the store; `kind` is an index into FeaturePlan.kinds. */
export type LogName = {
  readonly kind: number
  readonly key: string
}

export type NamedLog = LogName & { readonly log: EntityLog }

export type RestoreSession = {
  /** Per bucket, by lane; a lane that the bucket knows nothing of is absent. */
  readonly fences: readonly ReadonlyMap<number, LaneProgress>[]
  readonly bucketOf: (key: string) => number
  /** The logs as they are stored now, null where there is none. */
  readonly read: (
    bucket: number,
    logs: readonly LogName[],
  ) => Promise<readonly (EntityLog | null)[]>
  /** Replaces logs whole. */
  readonly write: (bucket: number, logs: readonly NamedLog[]) => Promise<void>
  /** The bucket is whole up to these offsets, by lane. */
  readonly finish: (bucket: number, applied: ReadonlyMap<number, number>) => Promise<void>
  readonly end: () => Promise<void>
}

export type RestorableStore = {
  /** null = another process is restoring. */
  readonly begin: () => Promise<RestoreSession | null>
}
