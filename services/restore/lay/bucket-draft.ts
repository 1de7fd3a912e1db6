// One bucket's logs while they are laid out anew.
//
// In: rows of the bucket that it has not applied. Out: its logs, folded as they grow, so that what
// is held is about what the store will hold. Stored logs are read when their first row comes; a
// bucket that knows nothing begins all logs anew. Refused (WEIR_ENRICH_STATE_LOST): rows that
// contradict what is stored. Invariant: only rows of committed events are laid out before
// `uncommitted` ones are looked at, so all that is laid out may be folded.

import { WeirError } from '../../core/errors.ts'
import { laneOfSource, offsetOfSource } from '../../pipeline/enrich/entity-log.ts'
import type { FeaturePlan } from '../../pipeline/enrich/feature-plan.ts'
import { type FoldPolicy, foldLog, type IsCommitted } from '../../pipeline/enrich/fold-log.ts'
import type { RestoreLane } from '../plan/history.ts'
import type { LaneProgress, LogName, RestoreSession } from '../restorable-store.ts'
import {
  appendToDraft,
  createLogDraft,
  dropOldHoles,
  endOf,
  type HistoryReach,
  type LogDraft,
  placeRow,
  type Row,
  type UncommittedRow,
} from './log-draft.ts'

export type BucketDraft = {
  readonly bucket: number
  /** Offsets up to here are in the stored logs; -1 for a bucket that knows nothing. */
  readonly appliedOf: (laneId: number) => number
  readonly knowsNothing: boolean
  /** Of the logs of transactions, and of those of labels. */
  readonly reaches: { readonly transactions: HistoryReach; readonly labels: HistoryReach }
  /** By kind. */
  readonly drafts: readonly Map<string, LogDraft>[]
  /** Rows held, an empty log counted as a few. */
  rows: number
  /** In the order in which the lanes would merge them. */
  readonly uncommitted: UncommittedRow[]
}

/** A bucket to restore, and what it knows of the lanes. */
export type BucketTask = {
  readonly bucket: number
  /** Empty for a bucket whose logs all begin anew. */
  readonly fence: ReadonlyMap<number, LaneProgress>
}

export type DraftContext = {
  readonly plan: FeaturePlan
  readonly session: RestoreSession
  readonly isCommitted: IsCommitted
  readonly foldPolicy: FoldPolicy
  readonly wholeAfterMs: number
}

/** What an empty log takes, in rows. */
const ROWS_PER_LOG = 8
/** So many rows above a hole: time to ask whether it is one, or just where the history begins. */
const WAITING_ROWS_MAX = 256

export function isCommittedBy(lanes: readonly RestoreLane[]): IsCommitted {
  const offsets = new Map(
    lanes.map(({ address, committedOffset }) => [address.laneId, committedOffset]),
  )
  return (source) => offsetOfSource(source) < (offsets.get(laneOfSource(source)) ?? 0)
}

export function createBucketDraft(
  start: Pick<BucketDraft, 'bucket' | 'appliedOf' | 'knowsNothing' | 'reaches'>,
  plan: FeaturePlan,
): BucketDraft {
  const drafts = plan.kinds.map(() => new Map<string, LogDraft>())
  return { ...start, drafts, rows: 0, uncommitted: [] }
}

/** Reads the stored logs of these names, so that drafts can begin with them. */
export async function openStored(
  bucket: BucketDraft,
  names: readonly LogName[],
  { session, plan }: DraftContext,
): Promise<void> {
  const unread = distinctNames(names).filter(({ kind, key }) => !bucket.drafts[kind]!.has(key))
  if (unread.length === 0) return
  const logs = await session.read(bucket.bucket, unread)
  for (const [i, name] of unread.entries()) {
    const stored = logs[i] ?? null
    const reach = reachOf(bucket, name.kind, plan)
    addDraft(
      bucket,
      createLogDraft({ ...name, of: plan.kinds[name.kind]!, stored, reach, base: 0 }),
    )
  }
}

/** openStored for all buckets that know something. */
export async function openAll(
  places: readonly (LogName & { readonly bucket: BucketDraft })[],
  context: DraftContext,
): Promise<void> {
  for (const [bucket, names] of Map.groupBy(places, ({ bucket }) => bucket)) {
    if (!bucket.knowsNothing) await openStored(bucket, names, context)
  }
}

function distinctNames(names: readonly LogName[]): LogName[] {
  const known = new Map(names.map((name) => [`${name.kind}:${name.key}`, name]))
  return [...known.values()]
}

function addDraft(bucket: BucketDraft, draft: LogDraft): LogDraft {
  bucket.drafts[draft.kind]!.set(draft.key, draft)
  bucket.rows += ROWS_PER_LOG + draft.log.count
  return draft
}

const reachOf = ({ reaches }: BucketDraft, kind: number, plan: FeaturePlan): HistoryReach =>
  plan.entities.some(({ labelKind }) => labelKind === kind) ? reaches.labels : reaches.transactions

/** The log's draft; one that is not known yet begins at `base`. */
export function openDraft(
  bucket: BucketDraft,
  { kind, key }: LogName,
  base: number,
  { plan }: DraftContext,
): LogDraft {
  const known = bucket.drafts[kind]!.get(key)
  if (known !== undefined) return known
  const reach = reachOf(bucket, kind, plan)
  const of = plan.kinds[kind]!
  return addDraft(bucket, createLogDraft({ kind, key, of, stored: null, reach, base }))
}

/** Lays a row at the end of its log. */
export function layNext(
  bucket: BucketDraft,
  { kind, key, row }: LogName & { readonly row: Row },
  context: DraftContext,
): void {
  const draft = openDraft(bucket, { kind, key }, 0, context)
  appendToDraft(draft, row)
  bucket.rows++
  foldDraft(bucket, draft, context)
}

type PublishedRow = LogName & {
  readonly ordinal: number
  readonly row: Row
  readonly brokerTimeMs: number
}

/** Lays a committed transaction's row at the ordinal that was published for it. */
export function layPublished(
  bucket: BucketDraft,
  { kind, key, ordinal, row, brokerTimeMs }: PublishedRow,
  context: DraftContext,
): void {
  const { isWhole } = bucket.reaches.transactions
  const base = isWhole || brokerTimeMs > context.wholeAfterMs ? 0 : ordinal
  const draft = openDraft(bucket, { kind, key }, base, context)
  if (!placeRow(draft, ordinal, row)) {
    const place = `lane ${laneOfSource(row.source)}, offset ${offsetOfSource(row.source)}`
    const held = `has other rows from ${draft.begin} to ${endOf(draft) - 1}`
    throw contradiction(bucket, draft, `${place} was published with ordinal ${ordinal}; it ${held}`)
  }
  bucket.rows++
  if (draft.waiting.length >= WAITING_ROWS_MAX) dropOldHoles(draft)
  foldDraft(bucket, draft, context)
}

/** What is stored is no earlier state of what was published: it cannot be brought up to date. */
export function contradiction({ bucket }: BucketDraft, { of }: LogDraft, found: string): WeirError {
  const detail =
    `Bucket ${bucket}, a log of ${of.name}: ${found}. Stop the scorers and delete the pipeline's keys, ` +
    'or choose another WEIR_KEY_PREFIX: an empty store is refilled from the topics.'
  return new WeirError('WEIR_ENRICH_STATE_LOST', detail)
}

/** Keeps a draft as small as the store would keep the log. */
function foldDraft(bucket: BucketDraft, draft: LogDraft, context: DraftContext): void {
  const { log } = draft
  const before = log.count
  foldLog(log, draft.of.history, context.isCommitted, context.foldPolicy)
  bucket.rows -= before - log.count
}
