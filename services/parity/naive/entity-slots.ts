// The logs of all entities, laid out anew in the order of the published ordinals.
//
// In: rows with their ordinals, nearly in order, lanes mixed. Out: logs without holes, and who
// waits for a row to come. A row that comes before its predecessor is kept aside until that is
// there. What may be found: an ordinal that is taken already. Invariants: a log's row i has the
// ordinal base + i; a log is folded only below every event that is still to be computed, so that
// memory is that of a live store and not of the history.

import {
  appendRow,
  createEntityLog,
  type EntityLog,
  emptyLog,
  TIME_MAX,
} from '../../pipeline/enrich/entity-log.ts'
import { type FoldPolicy, foldLog, foldWhenWorthwhile } from '../../pipeline/enrich/fold-log.ts'
import type { LogKind } from '../../pipeline/enrich/log-store.ts'

export type Row = {
  readonly timeMs: number
  readonly source: number
  /** What the row stores begins at `values[from]`. */
  readonly values: Float64Array
  readonly from: number
}

/** One entity's log while it grows. */
export type Slot = {
  readonly kind: LogKind
  readonly key: string
  readonly log: EntityLog
  /** Rows whose predecessors have not come yet, by ordinal. */
  early: Map<number, Row> | null
  /** Who waits for the log to be so long. */
  waiting: readonly Waiting[]
  /** Ordinal from which on the log is known; 0 = it is whole. */
  readonly start: number
  /** Highest event time of rows that came although they lie before the start, ms. */
  passedMs: number
  /** Why rows are missing in the middle: what follows cannot be checked. */
  brokenBy: 'gap' | 'pending' | null
  /** When the newest row was scored, ms. */
  scoredTimeMs: number
}

/** `count` is an ordinal + 1: how far the log has to be whole. */
type Waiting = { readonly count: number; readonly release: () => void }

/** When a log is folded; chosen by tests, which have short ones. */
export type Folding = {
  /** Rows from which on it is worth a look. */
  readonly fromRows: number
  /** Rows that stay raw beyond what is needed: an event that is not counted may come late. */
  readonly marginRows: number
  readonly policy: FoldPolicy
}

export const rareFolding: Folding = {
  fromRows: 512,
  marginRows: 256,
  policy: foldWhenWorthwhile,
}

/** Most entities have nothing out of order, ever: millions of them share this. */
const NOBODY: readonly Waiting[] = []

export const lengthOf = ({ log }: Slot): number => log.base + log.count

export const isHoled = ({ early, waiting }: Slot): boolean => early !== null || waiting.length > 0

export function createSlot(kind: LogKind, key: string, base: number): Slot {
  return {
    kind,
    key,
    log: createEntityLog(kind.shape, base),
    early: null,
    waiting: NOBODY,
    start: base,
    passedMs: Number.NEGATIVE_INFINITY,
    brokenBy: null,
    scoredTimeMs: Number.NEGATIVE_INFINITY,
  }
}

export function putRow(slot: Slot, ordinal: number, row: Row): 'put' | 'taken' | 'passed' {
  const length = lengthOf(slot)
  if (ordinal < slot.start) {
    slot.passedMs = Math.max(slot.passedMs, row.timeMs)
    return 'passed'
  }
  if (ordinal < length || slot.early?.has(ordinal)) return 'taken'
  if (ordinal > length) {
    const end = row.from + slot.kind.shape.values
    slot.early ??= new Map()
    slot.early.set(ordinal, { ...row, values: row.values.slice(row.from, end), from: 0 })
    return 'put'
  }
  append(slot, row)
  appendEarly(slot)
  if (slot.waiting.length > 0) releaseWaiting(slot)
  return 'put'
}

/** Calls `release` once rows up to this count are there; false if they are there already. */
export function waitFor(slot: Slot, count: number, release: () => void): boolean {
  if (lengthOf(slot) >= count) return false
  slot.waiting = [...slot.waiting, { count, release }]
  return true
}

/** The ordinals [from, to) that nobody has, between the log and the next row or event. */
export function nextHole(slot: Slot): { readonly from: number; readonly to: number } | null {
  const from = lengthOf(slot)
  const behind = [...(slot.early?.keys() ?? []), ...slot.waiting.map(({ count }) => count)]
  return behind.length === 0 ? null : { from, to: Math.min(...behind) }
}

/** Goes on behind a hole as if the log began there; what follows is no longer the whole log. */
export function skipHole(slot: Slot, to: number, reason: 'gap' | 'pending'): void {
  slot.brokenBy ??= reason
  emptyLog(slot.log, to)
  appendEarly(slot)
  releaseWaiting(slot)
}

/**
 * Whether rows are folded that an event behind `count` rows looks at one by one. Only an event that
 * is not counted can come so late: it leaves no hole that would have kept them.
 */
export function hasFoldedSight({ log, kind, start }: Slot, count: number, timeMs: number): boolean {
  const { exactMs, newest, ceilings } = kind.history
  if (log.base === start) return false
  if (newest > 0 && log.base > Math.max(0, count - newest)) return true
  if (exactMs === 0 || log.base <= count - ceilings.entityRecordsMax + 1) return false
  const last = count - log.base - 1
  const beforeMs = last < 0 ? log.timeMaxBefore : log.rows[last * log.stride + TIME_MAX]!
  return log.timeMaxBefore > Math.max(timeMs, beforeMs) - exactMs
}

const append = ({ log }: Slot, { timeMs, source, values, from }: Row): void =>
  void appendRow(log, timeMs, source, values, from)

function appendEarly(slot: Slot): void {
  while (slot.early !== null) {
    const next = lengthOf(slot)
    const row = slot.early.get(next)
    if (row === undefined) return
    slot.early.delete(next)
    if (slot.early.size === 0) slot.early = null
    append(slot, row)
  }
}

function releaseWaiting(slot: Slot): void {
  const length = lengthOf(slot)
  const released = slot.waiting.filter(({ count }) => count <= length)
  if (released.length === 0) return
  slot.waiting = slot.waiting.filter(({ count }) => count > length)
  for (const { release } of released) release()
}

/** @param open ordinal of the oldest event that is still to be computed on this log. */
export function foldSlot({ log, kind }: Slot, open: number, folding: Folding): void {
  if (log.count < folding.fromRows) return
  // foldLog asks row after row, from the oldest on, whether it may go.
  let left = Math.min(open - log.base, log.count) - folding.marginRows
  foldLog(log, kind.history, () => left-- > 0, folding.policy)
}
