// Holes: ordinals that were given to events which never committed, while others behind them did.
//
//   lane 1   ... committed | a  b        not committed; their rows are lost
//   lane 2   ... c  d      committed     d has ordinal 7, nobody has 6: it must have been a's or b's
//
// In: drafts with holes, the lanes' uncommitted events. Out: the holes filled. Events are taken as
// the live lanes would have merged them, unless what was published behind a hole tells otherwise
// (choose-fillers.ts). An event that is used counts as applied, and with it all that come before
// it: their rows are appended, and what is delivered again is found. Refused: a hole that nothing
// fits, because then a counted event is missing.

import { laneOfSource, offsetOfSource } from '../../pipeline/enrich/entity-log.ts'
import type { Arrival } from '../../pipeline/records.ts'
import { type BucketDraft, contradiction, layNext, openStored } from '../lay/bucket-draft.ts'
import { collectRows, rowAt } from '../lay/collect-rows.ts'
import {
  beginAt,
  countHoles,
  countMissing,
  dropOldHoles,
  endOf,
  type LogDraft,
  layFillers,
  raiseBase,
} from '../lay/log-draft.ts'
import { goesOnAt } from '../plan/history.ts'
import type { PassContext, PassLane } from '../plan/restore-context.ts'
import { admitMessages } from '../read/admit-messages.ts'
import { mergeByTime } from '../read/merge-by-time.ts'
import { chooseFillers } from './choose-fillers.ts'

type UncommittedEvent = {
  /** The lane's highest event time with this one: what live lanes are merged by. */
  readonly atMs: number
  readonly lane: PassLane
  readonly arrival: Arrival
}

/**
 * Reads on from what is committed: until every hole has an event, and then as far as there is room,
 * because it may have been another process' that was further ahead.
 */
export async function findFillers(pass: PassContext): Promise<void> {
  const drafts = [...pass.buckets.values()].flatMap(listDrafts)
  for (const draft of drafts) settleBeginning(draft)
  let open = drafts.reduce((count, draft) => (countMissing(draft) > 0 ? count + 1 : count), 0)
  if (open === 0) return
  let rows = 0
  for await (const event of mergeByTime(pass.lanes.map((lane) => readUncommitted(lane, pass)))) {
    open -= offerEvent(event, pass)
    rows += pass.plan.entities.length
    if (open === 0 && rows >= pass.rowsMax) return
  }
}

const listDrafts = ({ drafts }: BucketDraft): LogDraft[] =>
  drafts.flatMap((logs) => [...logs.values()])

/** What looks like a hole where the history only begins in the middle of a log. */
function settleBeginning(draft: LogDraft): void {
  dropOldHoles(draft)
  // Labels have no ordinals of their own: their number is what scored events have seen.
  const isOfLabels = draft.waiting.length === 0
  if (isOfLabels && !draft.isStored && !draft.reach.isWhole) raiseBase(draft, countMissing(draft))
}

async function* readUncommitted(
  lane: PassLane,
  pass: PassContext,
): AsyncGenerator<UncommittedEvent> {
  const { address, memory } = lane.lane
  let atMs = memory.watermarkMs
  let left = pass.uncommittedMax
  for await (const messages of lane.cursor.follow(goesOnAt(lane.lane))) {
    for (const arrival of await admitMessages(
      address.stream,
      messages.slice(0, left),
      pass.stages,
    )) {
      const timeMs = arrival.transaction?.eventTime ?? arrival.label?.labelTime
      if (timeMs === undefined) continue
      const isLate = arrival.transaction !== null && atMs - timeMs > pass.definition.late.allowedMs
      atMs = Math.max(atMs, timeMs)
      if (!isLate) yield { atMs, lane, arrival }
    }
    left -= messages.length
    if (left <= 0) return
  }
}

/**
 * Gives the event's rows to the drafts that miss one; returns how many drafts miss none any more.
 */
function offerEvent({ lane, arrival }: UncommittedEvent, pass: PassContext): number {
  const { address } = lane.lane
  const collected = collectRows(address, [arrival], pass.plan)
  const { count, kinds, keys, appends } = collected.records
  let filled = 0
  for (let entry = 0; entry < count; entry++) {
    const key = keys[entry]!
    const kind = kinds[entry]!
    const bucket = appends[entry] === 0 ? null : pass.bucketOf(key)
    if (bucket === null || arrival.raw.offset <= bucket.appliedOf(address.laneId)) continue
    const row = { ...rowAt(collected, entry, pass.plan), kind, key, isLaid: false }
    bucket.uncommitted.push(row)
    const draft = bucket.drafts[kind]!.get(key)
    if (draft === undefined || countHoles(draft) === 0) continue
    const wasOpen = countMissing(draft) > 0
    draft.fillers.push(row)
    if (wasOpen && countMissing(draft) === 0) filled++
  }
  return filled
}

/** Puts the bucket's fillers in their places; returns by lane how far that makes it applied. */
export async function closeHoles(
  bucket: BucketDraft,
  pass: PassContext,
): Promise<ReadonlyMap<number, number>> {
  for (const draft of listDrafts(bucket)) {
    draft.fillers = chooseFillers(draft, pass)
    if (layFillers(draft)) continue
    skipHoles(draft, pass.acceptShort)
    if (!layFillers(draft)) throw contradiction(bucket, draft, describeHole(draft))
  }
  return layBefore(bucket, pass)
}

/** Whatever would have been merged before the last filler had been applied before it, too. */
async function layBefore(
  bucket: BucketDraft,
  pass: PassContext,
): Promise<ReadonlyMap<number, number>> {
  const last = bucket.uncommitted.findLast(({ isLaid }) => isLaid)
  const end = bucket.uncommitted.findLastIndex(({ source }) => source === last?.source)
  const applied = bucket.uncommitted.slice(0, end + 1)
  if (!bucket.knowsNothing) await openStored(bucket, applied, pass)
  const raised = new Map<number, number>()
  for (const row of applied) {
    if (!row.isLaid) layNext(bucket, { ...row, row }, pass)
    const laneId = laneOfSource(row.source)
    raised.set(laneId, Math.max(raised.get(laneId) ?? -1, offsetOfSource(row.source)))
  }
  return raised
}

/**
 * Where the beginning of a log was not read, or its loss is accepted, it begins behind the hole.
 */
function skipHoles(draft: LogDraft, acceptShort: boolean): void {
  const hasBeginning = draft.isStored || draft.reach.isWhole || endOf(draft) > draft.begin
  if (!acceptShort && hasBeginning) return
  if (draft.waiting.length === 0) raiseBase(draft, countMissing(draft))
  else beginAt(draft, draft.waiting[0]!.ordinal)
  if (acceptShort && countMissing(draft) > 0) skipHoles(draft, acceptShort)
}

const describeHole = (draft: LogDraft): string =>
  `it ends at ${endOf(draft)}, scored events prove ${draft.seenEnd} rows, and no uncommitted event ` +
  'is there for what is missing'
