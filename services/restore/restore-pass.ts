// One pass over the topics: the lost rows of a group of buckets are laid out, and the buckets
// written.
//
//   labels ─► transactions ─► holes ─► write, finish        a bucket that makes the group too large
//                                                           waits for the next pass
// In: buckets, and what they know. Out: which are whole now, and which have to come again. Refused
// (WEIR_ENRICH_STATE_LOST): topics that begin too late. Invariant: the rows held at once are
// bounded by `rowsMax`, unless a single bucket has more; a bucket is finished only after all of it
// was written.

import { WeirError } from '../core/errors.ts'
import type { LaneAddress } from '../lanes/lane-input.ts'
import type { Stream } from '../pipeline/records.ts'
import { closeHoles, findFillers } from './fill/fill-holes.ts'
import { type BucketDraft, type BucketTask, createBucketDraft } from './lay/bucket-draft.ts'
import { layLabels } from './lay/lay-labels.ts'
import { layTransactions } from './lay/lay-transactions.ts'
import type { HistoryReach } from './lay/log-draft.ts'
import { goesOnAt, type LaneRange, type OpenedHistory } from './plan/history.ts'
import type { Coverage } from './plan/look-back.ts'
import type { PassContext, PassLane, RestoreContext } from './plan/restore-context.ts'
import { createMessageCursor } from './read/message-cursor.ts'
import type { NamedLog } from './restorable-store.ts'

type PassOutcome = {
  readonly logs: number
  readonly holes: number
  readonly postponed: readonly BucketTask[]
}

/** Labels read before the lost ones, to learn the highest label time by which lanes are merged. */
const CLOCK_LABELS = 1000
const LOGS_PER_WRITE = 500
/**
 * A key's expiry is refreshed when a tenth of the retention has passed: a silence may seem shorter.
 */
const SILENCE_SHARE = 0.8

export async function restorePass(
  tasks: readonly BucketTask[],
  context: RestoreContext,
): Promise<PassOutcome> {
  const ranges = context.allLanes.map((lane) => findRange(lane, tasks, context))
  const opened = await context.history.open(ranges, context.uncommittedMax)
  try {
    const pass = createPass(tasks, { ranges, opened }, context)
    await layLabels(pass)
    await layTransactions(pass)
    await findFillers(pass)
    return await writeBuckets(tasks, pass)
  } finally {
    await opened.close()
  }
}

const appliedIn = ({ fence }: BucketTask, { laneId }: LaneAddress): number =>
  fence.get(laneId)?.appliedOffset ?? -1

function findRange(
  lane: PassLane['lane'],
  tasks: readonly BucketTask[],
  { lookBack }: RestoreContext,
): LaneRange {
  const starts = tasks.map((task) => lookBack.startOf(lane, appliedIn(task, lane.address)))
  const fromOffset = Math.min(goesOnAt(lane), ...starts)
  if (lane.address.stream === 'transactions')
    return { lane, fromOffset, readFromOffset: fromOffset }
  const readFromOffset = Math.max(lookBack.firstOf(lane), fromOffset - CLOCK_LABELS)
  return { lane, fromOffset, readFromOffset }
}

type Opened = { readonly ranges: readonly LaneRange[]; readonly opened: OpenedHistory }

function createPass(
  tasks: readonly BucketTask[],
  { ranges, opened }: Opened,
  context: RestoreContext,
): PassContext {
  const lanes = ranges.map((range, i): PassLane => {
    const reader = opened.readers[i]!
    return { ...range, reader, cursor: createMessageCursor(reader.messages) }
  })
  const buckets = new Map(
    tasks.map((task) => [task.bucket, openBucket(task, lanes, context)] as const),
  )
  return {
    ...context,
    lanes,
    buckets,
    bucketOf: (key) => buckets.get(context.session.bucketOf(key)) ?? null,
    noteEvents: (events) => {
      context.noteEvents(events)
      while (sumRows(buckets) > context.rowsMax && buckets.size > 1) postponeLargest(buckets)
    },
  }
}

const sumRows = (buckets: ReadonlyMap<number, BucketDraft>): number => {
  let rows = 0
  for (const bucket of buckets.values()) rows += bucket.rows
  return rows
}

function postponeLargest(buckets: Map<number, BucketDraft>): void {
  const all = [...buckets.values()]
  const largest = all.reduce((most, bucket) => (bucket.rows > most.rows ? bucket : most))
  buckets.delete(largest.bucket)
}

function openBucket(
  task: BucketTask,
  lanes: readonly PassLane[],
  context: RestoreContext,
): BucketDraft {
  const { bucket, fence } = task
  const reachOf = (stream: Stream): HistoryReach =>
    findReach(
      task,
      lanes.filter(({ lane }) => lane.address.stream === stream),
      context,
    )
  return createBucketDraft(
    {
      bucket,
      appliedOf: (laneId) => fence.get(laneId)?.appliedOffset ?? -1,
      knowsNothing: fence.size === 0,
      reaches: { transactions: reachOf('transactions'), labels: reachOf('labels') },
    },
    context.plan,
  )
}

const coverages: readonly Coverage[] = ['all', 'enough', 'short']

function findReach(
  task: BucketTask,
  lanes: readonly PassLane[],
  { lookBack, acceptShort, definition }: RestoreContext,
): HistoryReach {
  let worst: Coverage = 'all'
  let isWhole = true
  for (const { lane, reader } of lanes) {
    const applied = appliedIn(task, lane.address)
    const start = lookBack.startOf(lane, applied)
    // A journal that begins later than the messages hides what they were.
    const isJournalShort = reader.journalFrom > start
    const found = isJournalShort
      ? lookBack.coverageOf(lane, applied, reader.journalFrom)
      : lookBack.coverageOf(lane, applied)
    if (found === 'short' && !acceptShort) {
      throw tooShort(
        lane.address,
        isJournalShort ? definition.topics.scored : null,
        lookBack.neededMs,
      )
    }
    if (coverages.indexOf(found) > coverages.indexOf(worst)) worst = found
    const begins = Math.max(applied + 1, lane.originOffset ?? 0)
    const isRead = Math.max(start, reader.journalFrom) <= begins
    if (!isRead && lane.committedOffset > applied + 1) isWhole = false
  }
  return {
    isWhole,
    raggedUntilMs: lookBack.raggedUntilMs[worst],
    silenceMs: definition.store.retentionMs * SILENCE_SHARE,
  }
}

/** As an operator reads it: ISO 8601 in UTC, to the second. */
const formatTime = (timeMs: number): string => `${new Date(timeMs).toISOString().slice(0, 19)}Z`

function tooShort(address: LaneAddress, journal: string | null, neededMs: number): WeirError {
  const lane = `${address.topic}/${address.partition}`
  const found =
    journal === null
      ? `${lane} begins too late`
      : `${journal} begins too late: the first scored events of ${lane} are gone`
  const detail =
    `${found}; what is needed goes back to ${formatTime(neededMs)}. Raise retention.ms of ` +
    `${journal ?? address.topic} to the longest window; to go on with what is there, run ` +
    '`weir rebuild --accept-short`.'
  return new WeirError('WEIR_ENRICH_STATE_LOST', detail)
}

async function writeBuckets(tasks: readonly BucketTask[], pass: PassContext): Promise<PassOutcome> {
  let logs = 0
  let holes = 0
  for (const bucket of pass.buckets.values()) {
    const raised = await closeHoles(bucket, pass)
    holes += bucket.uncommitted.filter(({ isLaid }) => isLaid).length
    logs += await writeBucket(bucket, pass)
    await pass.session.finish(bucket.bucket, appliedAfter(bucket, raised, pass))
  }
  return { logs, holes, postponed: tasks.filter(({ bucket }) => !pass.buckets.has(bucket)) }
}

async function writeBucket({ bucket, drafts }: BucketDraft, pass: PassContext): Promise<number> {
  const logs = drafts.flatMap((ofKind): NamedLog[] => [...ofKind.values()])
  for (let from = 0; from < logs.length; from += LOGS_PER_WRITE) {
    await pass.session.write(bucket, logs.slice(from, from + LOGS_PER_WRITE))
  }
  return logs.length
}

function appliedAfter(
  bucket: BucketDraft,
  raised: ReadonlyMap<number, number>,
  { allLanes }: PassContext,
): ReadonlyMap<number, number> {
  return new Map(
    allLanes.map(({ address: { laneId }, committedOffset }) => [
      laneId,
      Math.max(bucket.appliedOf(laneId), committedOffset - 1, raised.get(laneId) ?? -1),
    ]),
  )
}
