// Which rows and labels a window holds, by loops, in the words of docs/reference/features.md.
//
// In: a window feature, and one entity's logs at the place of a transaction. Out: the rows of the
// window, the labels of its frauds, and whether something may have been hidden from the entity's
// windows. It shares types with the stages and nothing else: no tiles, no sums, no binary search,
// and nothing is ever folded. So it is slow, and believed where it differs from a store. Words: t =
// the transaction's event time, M = the highest event time up to its own place.

import type { WindowFeature } from '../../core/pipeline-definition.ts'
import type { Ceilings } from '../../pipeline/enrich/fold-log.ts'
import type { Label, Transaction } from '../../pipeline/records.ts'

export type Row = {
  readonly position: number
  readonly timeMs: number
  readonly transaction: Transaction
}

/** A label that says fraud; `timeMs` is the event time of its transaction. */
type LabelRow = { readonly position: number; readonly timeMs: number; readonly label: Label }

/** One entity's logs at the place of a transaction. */
export type NaiveView = {
  /** The window features of the entity. */
  readonly features: readonly WindowFeature[]
  /** Up to the transaction's own row, which is the last one. */
  readonly rows: readonly Row[]
  readonly own: Row
  /** M: the highest event time among the rows, ms. */
  readonly highestMs: number
  /** As many as are visible to the transaction. */
  readonly labels: readonly LabelRow[]
  readonly allowedMs: number
  readonly ceilings: Ceilings
}

export function rowsOf(feature: WindowFeature, view: NaiveView): readonly Row[] {
  const candidates = feature.current ? view.rows : view.rows.slice(0, -1)
  if (isOfNewest(feature)) return newestRows(feature, view)
  return feature.tailMs > 0
    ? tailRows(feature, view, candidates)
    : exactRows(feature, view, candidates)
}

/** The labels of the window's known frauds, as many as count. */
export const fraudsOf = (feature: WindowFeature, view: NaiveView): readonly LabelRow[] =>
  feature.tailMs > 0 ? tailFrauds(feature, view) : exactFrauds(feature, view)

/** Ops that look at the row before this one need no more than the newest rows to find it. */
const isOfNewest = ({ op, delayMs }: WindowFeature): boolean =>
  (op === 'last' || op === 'seconds_since_last') && delayMs === 0

const isExact = (feature: WindowFeature): boolean => feature.tailMs === 0 && !isOfNewest(feature)

const isOfLabels = ({ op }: WindowFeature): boolean => op.includes('fraud')

export const highestOf = (numbers: readonly number[]): number =>
  numbers.reduce((highest, n) => Math.max(highest, n), Number.NEGATIVE_INFINITY)

export const highestTime = (rows: readonly { readonly timeMs: number }[]): number =>
  rows.reduce((highestMs, { timeMs }) => Math.max(highestMs, timeMs), Number.NEGATIVE_INFINITY)

/** How far back these features look together, for an event as late as allowed. */
const reachOf = (features: readonly WindowFeature[], { allowedMs }: NaiveView): number =>
  allowedMs + highestOf(features.map(({ windowMs, delayMs }) => windowMs + delayMs))

/** (t - D - W, t - D] */
function isWithin(timeMs: number, { windowMs, delayMs }: WindowFeature, { own }: NaiveView) {
  const untilMs = own.timeMs - delayMs
  return timeMs > untilMs - windowMs && timeMs <= untilMs
}

// ── last and seconds_since_last without a delay ─────────────────────────────────────────────────

function newestRows(feature: WindowFeature, view: NaiveView): readonly Row[] {
  const { rows, own, ceilings } = view
  return rows
    .filter(({ position }) => position >= own.position - ceilings.entityRecordsNewest)
    .filter(({ position }) => position < own.position)
    .filter(({ timeMs }) => isWithin(timeMs, feature, view))
}

// ── exact windows ───────────────────────────────────────────────────────────────────────────────

function exactRows(feature: WindowFeature, view: NaiveView, candidates: readonly Row[]) {
  const { own, highestMs, features, ceilings } = view
  const invisibleUntilMs = highestMs - reachOf(features.filter(isExact), view)
  return candidates
    .filter(({ position }) => position > own.position - ceilings.entityRecordsMax)
    .filter(({ timeMs }) => isWithin(timeMs, feature, view))
    .filter(({ timeMs }) => timeMs > invisibleUntilMs)
}

function exactFrauds(feature: WindowFeature, view: NaiveView): readonly LabelRow[] {
  const { labels, own, features, ceilings } = view
  const alike = features.filter(isOfLabels).filter(isExact)
  const invisibleUntilMs = highestTime(labels) - reachOf(alike, view)
  const frauds = labels
    .filter(({ timeMs }) => isWithin(timeMs, feature, view))
    .filter(({ label }) => label.labelTime <= own.timeMs)
    .filter(({ position }) => position >= labels.length - ceilings.entityRecordsMax)
    .filter(({ timeMs }) => timeMs > invisibleUntilMs)
  return oncePerTransaction(frauds)
}

/**
 * Labels of one transaction have its event time all, so that it does not matter which one stays.
 */
const oncePerTransaction = (labels: readonly LabelRow[]): readonly LabelRow[] => [
  ...new Map(labels.map((row) => [row.label.transactionId, row])).values(),
]

// ── windows with a tail ─────────────────────────────────────────────────────────────────────────

/** Tiles of the window: from `first` on, before `end`. */
type Edges = { readonly first: number; readonly end: number }

const tileOf = (timeMs: number, { tailMs }: WindowFeature): number => Math.floor(timeMs / tailMs)

function edgesOf(feature: WindowFeature, view: NaiveView): Edges {
  const { windowMs, delayMs, tailMs } = feature
  const alike = view.features.filter((other) => other.tailMs === tailMs)
  const untilMs = view.own.timeMs - delayMs
  return {
    first: Math.max(
      tileOf(untilMs - windowMs, feature),
      tileOf(view.highestMs - reachOf(alike, view), feature),
    ),
    end: delayMs > 0 ? tileOf(untilMs, feature) : Number.POSITIVE_INFINITY,
  }
}

const isBetween = (timeMs: number, feature: WindowFeature, { first, end }: Edges): boolean =>
  tileOf(timeMs, feature) >= first && tileOf(timeMs, feature) < end

/** Rows behind the newest stand in groups, one per tile: all of a group count, or none. */
function wholeGroups<T extends { readonly timeMs: number }>(
  rows: readonly T[],
  feature: WindowFeature,
  isCounting: (row: T) => boolean,
): readonly T[] {
  const groups = [...Map.groupBy(rows, ({ timeMs }) => tileOf(timeMs, feature)).values()]
  return groups.filter((group) => group.every(isCounting)).flat()
}

function tailRows(feature: WindowFeature, view: NaiveView, candidates: readonly Row[]) {
  const { own, ceilings } = view
  const edges = edgesOf(feature, view)
  const inTiles = candidates.filter(({ timeMs }) => isBetween(timeMs, feature, edges))
  if (feature.delayMs > 0) return inTiles
  const isNewest = ({ position }: Row) => position > own.position - ceilings.entityRecordsNewest
  const isOver = ({ timeMs }: Row) => timeMs <= own.timeMs
  const older = inTiles.filter((row) => !isNewest(row))
  return [...inTiles.filter(isNewest).filter(isOver), ...wholeGroups(older, feature, isOver)]
}

function tailFrauds(feature: WindowFeature, view: NaiveView): readonly LabelRow[] {
  const { labels, own, features, ceilings } = view
  const alike = features.filter(isOfLabels).filter(({ tailMs }) => tailMs === feature.tailMs)
  const edges = edgesOf(feature, view)
  const firstOfLabels = tileOf(highestTime(labels) - reachOf(alike, view), feature)
  const both = { ...edges, first: Math.max(edges.first, firstOfLabels) }
  const inTiles = labels.filter(({ timeMs }) => isBetween(timeMs, feature, both))
  const isNewest = ({ position }: LabelRow) =>
    position > labels.length - 1 - ceilings.entityRecordsNewest
  const isKnown = ({ timeMs, label }: LabelRow) =>
    label.labelTime <= own.timeMs && (feature.delayMs > 0 || timeMs <= own.timeMs)
  const older = inTiles.filter((row) => !isNewest(row))
  const newest = inTiles.filter(isNewest).filter(isKnown)
  return [...oncePerTransaction(newest), ...wholeGroups(older, feature, isKnown)]
}

// ── saturated ───────────────────────────────────────────────────────────────────────────────────

/** Whether an entity's windows may have asked for what was hidden from them. Labels never do it. */
export function isSaturated(view: NaiveView): boolean {
  const { features, own, highestMs, allowedMs } = view
  if (features.length === 0) return false
  if (own.timeMs < highestMs - allowedMs) return true
  return isCut(view) || isBlurred(view)
}

/** Records beyond the ceiling may have been in an exact window. */
function isCut({ features, rows, own, ceilings }: NaiveView): boolean {
  const exact = features.filter(isExact)
  if (exact.length === 0 || own.position < ceilings.entityRecordsMax) return false
  const oldestVisible = own.position - ceilings.entityRecordsMax + 1
  const untilOldest = rows.filter(({ position }) => position <= oldestVisible)
  const spanMs = highestOf(exact.map(({ windowMs, delayMs }) => windowMs + delayMs))
  return highestTime(untilOldest) > own.timeMs - spanMs
}

/** A row that is only known by its group, or not looked at, is younger than the transaction. */
function isBlurred({ features, rows, own, ceilings }: NaiveView): boolean {
  const asksForNewest = features.some(
    (feature) => isOfNewest(feature) || (feature.tailMs > 0 && feature.delayMs === 0),
  )
  if (!asksForNewest) return false
  return rows
    .filter(({ position }) => position <= own.position - ceilings.entityRecordsNewest)
    .some(({ timeMs }) => timeMs > own.timeMs)
}
