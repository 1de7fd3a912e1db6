// A log store in memory that can lose what it holds, bucket by bucket, and take it back.
//
// In: records of batches; snapshots to fall back to. Out: the same answers as any store, and a
// RestoreSession. It keeps a fence per bucket and lane, as Redis does, so that buckets may know
// different things. What is stored is copied on the way in and out, as bytes would be.

import { hashToBucket } from '../../services/core/hash.ts'
import {
  appendRow,
  createEntityLog,
  type EntityLog,
  findRow,
  laneOfSource,
  offsetOfSource,
} from '../../services/pipeline/enrich/entity-log.ts'
import { type FoldPolicy, foldLog } from '../../services/pipeline/enrich/fold-log.ts'
import type {
  AdvanceReply,
  AdvanceRequest,
  LogKind,
} from '../../services/pipeline/enrich/log-store.ts'
import { copyTileTable } from '../../services/pipeline/enrich/tiles.ts'
import type {
  LaneProgress,
  LogName,
  RestorableStore,
} from '../../services/restore/restorable-store.ts'

type Bucket = {
  readonly logs: Map<string, EntityLog>
  readonly fence: Map<number, LaneProgress>
}

export type BucketSnapshot = Bucket

export type BucketStore = RestorableStore & {
  readonly advance: (request: AdvanceRequest) => Promise<AdvanceReply>
  readonly snapshot: (bucket: number) => BucketSnapshot
  /** The bucket holds what it held then; null = nothing. */
  readonly fallBack: (bucket: number, snapshot: BucketSnapshot | null) => void
  readonly logOf: (kind: number, key: string) => EntityLog | null
  /** Buckets that were finished by restores. */
  readonly finished: () => number
}

export function createBucketStore(
  kinds: readonly LogKind[],
  count: number,
  policy: FoldPolicy,
): BucketStore {
  const buckets = Array.from({ length: count }, emptyBucket)
  let finished = 0
  let isRestoring = false
  const bucketOf = (key: string): number => hashToBucket(key, count)
  const nameOf = ({ kind, key }: LogName): string => `${kind}:${key}`

  const open = (kind: number, key: string): EntityLog => {
    const { logs } = buckets[bucketOf(key)]!
    const known = logs.get(nameOf({ kind, key }))
    if (known !== undefined) return known
    const made = createEntityLog(kinds[kind]!.shape)
    logs.set(nameOf({ kind, key }), made)
    return made
  }

  const fold = (kind: number, key: string, log: EntityLog): void => {
    const { fence } = buckets[bucketOf(key)]!
    const isCommitted = (source: number): boolean =>
      offsetOfSource(source) < (fence.get(laneOfSource(source))?.committedOffset ?? 0)
    foldLog(log, kinds[kind]!.history, isCommitted, policy)
  }

  const advance = async ({ lanes, records }: AdvanceRequest): Promise<AdvanceReply> => {
    const reply = {
      logs: new Array<EntityLog>(records.count),
      positions: new Int32Array(records.count).fill(-1),
      visible: new Int32Array(records.count),
    }
    const isApplied = (entry: number): boolean => {
      const { fence } = buckets[bucketOf(records.keys[entry]!)]!
      const source = records.sources[entry]!
      return offsetOfSource(source) <= (fence.get(laneOfSource(source))?.appliedOffset ?? -1)
    }
    for (let i = 0; i < records.count; i++) {
      const [kind, key] = [records.kinds[i]!, records.keys[i]!]
      reply.logs[i] = open(kind, key)
      fold(kind, key, reply.logs[i]!)
    }
    for (let i = 0; i < records.count; i++) {
      const log = reply.logs[i]!
      if (records.appends[i] === 1) reply.positions[i] = place(log, i, records, isApplied(i))
      reply.visible[i] = reply.positions[i]! < 0 ? log.count : reply.positions[i]!
    }
    for (const { fence } of buckets) {
      for (const { laneId, lastOffset, committedOffset } of lanes) {
        const before = fence.get(laneId) ?? { appliedOffset: -1, committedOffset: 0 }
        fence.set(laneId, {
          appliedOffset: Math.max(before.appliedOffset, lastOffset),
          committedOffset: Math.max(before.committedOffset, committedOffset),
        })
      }
    }
    return reply
  }

  return {
    advance,
    snapshot: (bucket) => copyBucket(buckets[bucket]!),
    fallBack: (bucket, snapshot) => {
      buckets[bucket] = snapshot === null ? emptyBucket() : copyBucket(snapshot)
    },
    logOf: (kind, key) => buckets[bucketOf(key)]!.logs.get(nameOf({ kind, key })) ?? null,
    finished: () => finished,
    begin: async () => {
      if (isRestoring) return null
      isRestoring = true
      return {
        fences: buckets.map(({ fence }) => new Map(fence)),
        bucketOf,
        read: async (bucket, logs) =>
          logs.map((name) => {
            const log = buckets[bucket]!.logs.get(nameOf(name))
            return log === undefined ? null : copyLog(log)
          }),
        write: async (bucket, logs) => {
          for (const { log, ...name } of logs) {
            buckets[bucket]!.logs.set(nameOf(name), copyLog(log))
          }
        },
        finish: async (bucket, applied) => {
          finished++
          const { fence } = buckets[bucket]!
          for (const [laneId, appliedOffset] of applied) {
            const { committedOffset = 0 } = fence.get(laneId) ?? {}
            fence.set(laneId, { appliedOffset, committedOffset })
          }
        },
        end: async () => {
          isRestoring = false
        },
      }
    },
  }
}

function place(
  log: EntityLog,
  entry: number,
  { eventTimesMs, sources, values, valueStride }: AdvanceRequest['records'],
  isApplied: boolean,
): number {
  const source = sources[entry]!
  return isApplied
    ? findRow(log, source)
    : appendRow(log, eventTimesMs[entry]!, source, values, entry * valueStride)
}

const emptyBucket = (): Bucket => ({ logs: new Map(), fence: new Map() })

const copyBucket = ({ logs, fence }: Bucket): Bucket => ({
  logs: new Map([...logs].map(([name, log]) => [name, copyLog(log)])),
  fence: new Map(fence),
})

const copyLog = (log: EntityLog): EntityLog => ({
  ...log,
  rows: log.rows.slice(),
  tiles: log.tiles.map(copyTileTable),
})
