// One log while it is laid out: rows come in any order and are put at their ordinals.
//
//   log:  base ........ end | hole | waiting rows | hole | waiting rows        seenEnd
//                             └ filled by events that were applied but not committed
//
// In: rows with ordinals, as published; rows without, for the holes. Out: the log, dense.
// Refused (placeRow answers false): an ordinal that another row already has.
// Invariant: the log holds the rows below the first hole, each at its published ordinal.

import {
  appendRow,
  createEntityLog,
  type EntityLog,
  SOURCE,
  TIME,
  TIME_MAX,
  VALUES,
} from '../../pipeline/enrich/entity-log.ts'
import type { LogKind } from '../../pipeline/enrich/log-store.ts'
import type { Transaction } from '../../pipeline/records.ts'

export type Row = {
  readonly timeMs: number
  /** encodeSource(lane, offset). */
  readonly source: number
  readonly values: Float64Array
  /** What was published with the row: it tells which rows lie before it. */
  readonly witness?: Witness
}

type Witness = {
  readonly transaction: Transaction
  readonly features: readonly number[]
  readonly saturated: boolean
}

type WaitingRow = Row & { readonly ordinal: number }

/** A row of an event that was not committed; whether it had been applied is what holes tell. */
export type UncommittedRow = Row & { readonly kind: number; readonly key: string; isLaid: boolean }

/** How much of the logs the history holds. */
export type HistoryReach = {
  /** Every row of a log since its beginning comes: what is missing is a hole. */
  readonly isWhole: boolean
  /** Rows up to this event time may lack neighbours that came before the history begins, ms. */
  readonly raggedUntilMs: number
  /** After a silence of this length a key may have expired and its ordinals started again, ms. */
  readonly silenceMs: number
}

export type LogDraft = {
  readonly kind: number
  readonly key: string
  readonly of: LogKind
  /** Began with rows that the store still had. */
  readonly isStored: boolean
  readonly reach: HistoryReach
  log: EntityLog
  /** Where the log began when it was laid out; a lower ordinal may still turn up. */
  begin: number
  /** Rows above a hole, lowest ordinal first. */
  waiting: WaitingRow[]
  /** Behind the highest position that a scored event has or has seen. */
  seenEnd: number
  /** What was found for the holes: at first all that fit, likeliest first; then one per hole. */
  fillers: UncommittedRow[]
}

type DraftStart = {
  readonly kind: number
  readonly key: string
  readonly of: LogKind
  readonly stored: EntityLog | null
  readonly reach: HistoryReach
  /** Ordinal of the first row where nothing is stored. */
  readonly base: number
}

export function createLogDraft({ kind, key, of, stored, reach, base }: DraftStart): LogDraft {
  const log = stored ?? createEntityLog(of.shape, base)
  return {
    kind,
    key,
    of,
    isStored: stored !== null,
    reach,
    log,
    begin: log.base,
    waiting: [],
    seenEnd: 0,
    fillers: [],
  }
}

export const endOf = ({ log }: LogDraft): number => log.base + log.count

/** Positions that some scored event proves to be taken and that have no row. */
export const countHoles = (draft: LogDraft): number =>
  Math.max(0, draft.seenEnd - endOf(draft) - draft.waiting.length)

/** Holes for which nothing has been found yet. */
export const countMissing = (draft: LogDraft): number =>
  Math.max(0, countHoles(draft) - draft.fillers.length)

/** The log's highest event time, waiting rows included, ms. */
function newestTimeMs({ log, waiting }: LogDraft): number {
  const { rows, stride, count, timeMaxBefore } = log
  const ofLog = count > 0 ? rows[(count - 1) * stride + TIME_MAX]! : timeMaxBefore
  return waiting.reduce((newestMs, { timeMs }) => Math.max(newestMs, timeMs), ofLog)
}

/** False where the ordinal is another row's. */
export function placeRow(draft: LogDraft, ordinal: number, row: Row): boolean {
  const end = endOf(draft)
  if (ordinal < end) return placeBelow(draft, ordinal, row)
  draft.seenEnd = Math.max(draft.seenEnd, ordinal + 1)
  if (ordinal > end) return addWaiting(draft, { ...row, ordinal })
  appendToDraft(draft, row)
  return true
}

/** Puts a row at the log's end, and behind it those that waited for it. */
export function appendToDraft(draft: LogDraft, { timeMs, source, values }: Row): void {
  appendRow(draft.log, timeMs, source, values, 0)
  moveWaiting(draft)
}

function moveWaiting(draft: LogDraft): void {
  const { log, waiting } = draft
  let moved = 0
  while (moved < waiting.length && waiting[moved]!.ordinal === log.base + log.count) {
    const { timeMs, source, values } = waiting[moved++]!
    appendRow(log, timeMs, source, values, 0)
  }
  if (moved > 0) waiting.splice(0, moved)
}

function addWaiting({ waiting }: LogDraft, row: WaitingRow): boolean {
  let at = waiting.length
  while (at > 0 && waiting[at - 1]!.ordinal > row.ordinal) at--
  if (waiting[at - 1]?.ordinal === row.ordinal) return false
  waiting.splice(at, 0, { ...row, values: row.values.slice() })
  return true
}

/**
 * Below the log's end there is only stage where the log began anew, or began lower than was
 * thought.
 */
function placeBelow(draft: LogDraft, ordinal: number, row: Row): boolean {
  const { isWhole, silenceMs } = draft.reach
  if (row.timeMs > newestTimeMs(draft) + silenceMs) {
    draft.seenEnd = 0
    draft.waiting = []
    beginAt(draft, 0)
    return placeRow(draft, ordinal, row)
  }
  if (draft.isStored || isWhole || ordinal >= draft.begin) return false
  // Once folded, the log has outlived this row: it is too old for every window.
  if (draft.log.base > draft.begin) return true
  const rows = listRows(draft)
  draft.waiting = [...rows, ...draft.waiting]
  beginAt(draft, ordinal)
  return placeRow(draft, ordinal, row)
}

function listRows({ log }: LogDraft): WaitingRow[] {
  const { rows, stride, shape, base, count } = log
  return Array.from({ length: count }, (_, i) => ({
    ordinal: base + i,
    timeMs: rows[i * stride + TIME]!,
    source: rows[i * stride + SOURCE]!,
    values: rows.slice(i * stride + VALUES, i * stride + VALUES + shape.values),
  }))
}

/** Forgets the log's rows; those that wait follow on from `ordinal`. */
export function beginAt(draft: LogDraft, ordinal: number): void {
  draft.log = createEntityLog(draft.of.shape, ordinal)
  draft.begin = ordinal
  moveWaiting(draft)
}

/** Holes below rows from where the history begins in the middle of the log. */
export function dropOldHoles(draft: LogDraft): void {
  const { isWhole, raggedUntilMs } = draft.reach
  if (isWhole) return
  while (draft.waiting.length > 0 && draft.waiting[0]!.timeMs <= raggedUntilMs) {
    beginAt(draft, draft.waiting[0]!.ordinal)
  }
}

/** Counts positions at the front that nobody can look at any more: they had rows once. */
export function raiseBase(draft: LogDraft, positions: number): void {
  draft.log.base += positions
  draft.begin += positions
}

/** Puts the fillers into the holes; false, and nothing is done, while there are not enough. */
export function layFillers(draft: LogDraft): boolean {
  if (countMissing(draft) > 0) return false
  for (const row of draft.fillers.splice(0, countHoles(draft))) {
    appendToDraft(draft, row)
    row.isLaid = true
  }
  return true
}
