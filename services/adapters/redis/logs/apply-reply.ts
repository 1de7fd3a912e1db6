// A bucket's answer worked into the cached logs, and the place of each of the batch's entries.
//
// In: the answer, the bucket's logs, the batch. Out: the logs hold what Redis holds; positions and
// visible rows of the bucket's entries are filled in. A log that Redis says nothing about has taken
// the batch's records as they were sent: nobody else had written, so they follow on what is cached.
// Invariant: an entry's place is that of its record in Redis, whoever appended it and when.

import {
  appendRow,
  type EntityLog,
  emptyLog,
  findRow,
  offsetOfSource,
} from '../../../pipeline/enrich/entity-log.ts'
import type { LogRecords } from '../../../pipeline/enrich/log-store.ts'
import type { Draft } from './batch-draft.ts'
import { decodeFoldedPart } from './folded-part.ts'
import type { CachedLog } from './log-cache.ts'
import {
  type BucketDraft,
  decodeOffsets,
  decodeRecords,
  decodeTold,
  type RequestFrame,
  TOLD_FROM,
} from './log-layout.ts'

/**
 * Brings the cached logs of a bucket to where Redis says they are, and places the batch's entries.
 */
export function applyReply(
  reply: readonly Buffer[],
  { logs }: BucketDraft,
  frame: RequestFrame,
  draft: Draft,
): ReadonlySet<CachedLog> {
  const told = new Set<CachedLog>()
  const { lanes, records } = frame
  const appliedBefore = decodeOffsets(reply[2]!)
  const wasApplied: WasApplied =
    appliedBefore.length === lanes.length
      ? (entry) =>
          offsetOfSource(records.sources[entry]!) <= appliedBefore[records.laneIndexes[entry]!]!
      : null
  for (let i = TOLD_FROM; i < reply.length; i += 2) {
    const { place, generation, from, foldedBytes } = decodeTold(reply[i]!)
    const cached = logs[place]!
    const { log } = cached
    const bytes = reply[i + 1]!
    if (foldedBytes !== null) {
      emptyLog(log, from)
      decodeFoldedPart(bytes.subarray(0, foldedBytes), log, cached.history)
    }
    cached.generation = generation
    decodeRecords(bytes.subarray(foldedBytes ?? 0), log)
    told.add(cached)
    placeAppends(cached, draft, (entry) => findRow(log, records.sources[entry]!))
    placeLookers(cached, draft, wasApplied)
  }
  for (let place = 0; place < logs.length; place++) {
    const cached = logs[place]!
    if (told.has(cached)) continue
    if (cached.generation === 0 && cached.appendCount > 0) {
      cached.generation = frame.nonce + place + 1
    }
    placeAppends(cached, draft, (entry) => appendEntry(cached.log, records, entry))
    if (cached.looks) placeLookers(cached, draft, wasApplied)
  }
  return told
}

function appendEntry(log: EntityLog, records: LogRecords, entry: number): number {
  const { eventTimesMs, sources, values, valueStride } = records
  return appendRow(log, eventTimesMs[entry]!, sources[entry]!, values, entry * valueStride)
}

/** Whether an entry had been applied before this call; null where none had. */
type WasApplied = ((entry: number) => boolean) | null

function placeAppends(cached: CachedLog, draft: Draft, place: (entry: number) => number): void {
  const { appends, nextEntries, positions, visible } = draft
  for (let entry = cached.firstEntry; entry >= 0; entry = nextEntries[entry]!) {
    if (appends[entry] === 0) continue
    positions[entry] = place(entry)
    visible[entry] = positions[entry]!
  }
}

/**
 * Entries without a place of their own see the log as it stands at theirs; delivered again, they
 * see no more than lies before the log's next entry.
 */
function placeLookers(cached: CachedLog, draft: Draft, wasApplied: WasApplied): void {
  const { nextEntries, positions, visible } = draft
  let standing = cached.log.count - countAdded(cached, draft, wasApplied)
  let again = -1
  for (let entry = cached.firstEntry; entry >= 0; entry = nextEntries[entry]!) {
    const position = positions[entry]!
    const isAgain = wasApplied?.(entry) === true
    if (position < 0) {
      visible[entry] = standing
      if (isAgain && again < 0) again = entry
      continue
    }
    if (!isAgain) standing = position + 1
    if (again >= 0) showUntil(cached, { from: again, end: entry }, draft, wasApplied)
    again = -1
  }
  if (again >= 0) showUntil(cached, { from: again, end: -1 }, draft, wasApplied)
}

/** How many of the batch's entries this call itself has appended to the log. */
function countAdded(
  cached: CachedLog,
  { nextEntries, positions }: Draft,
  wasApplied: WasApplied,
): number {
  let added = 0
  for (let entry = cached.firstEntry; entry >= 0; entry = nextEntries[entry]!) {
    if (positions[entry]! >= 0 && wasApplied?.(entry) !== true) added++
  }
  return added
}

/**
 * Entries [from, end) that were delivered before see what lies before `end`, or all if it is -1.
 */
function showUntil(
  cached: CachedLog,
  { from, end }: { from: number; end: number },
  { nextEntries, positions, visible }: Draft,
  wasApplied: WasApplied,
): void {
  const shown = end < 0 ? cached.log.count : positions[end]!
  for (let entry = from; entry !== end; entry = nextEntries[entry]!) {
    if (wasApplied?.(entry) === true) visible[entry] = shown
  }
}
