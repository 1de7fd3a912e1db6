// The transactions of a window that are known to be fraud: how many, the newest and the oldest.
//
// In: the entity's label log, of which only the first rows are visible, and the window. Out: a
// count and two event times. A label counts from its label time on. Two labels of one transaction
// are one fraud as long as both are looked at one by one; labels that count by tile are counted
// each. Invariant: all follows from the visible prefix of the label log alone, whatever was folded.

import type { WindowFeature } from '../../core/pipeline-definition.ts'
import { type EntityLog, TIME, TIME_MAX, VALUES } from './entity-log.ts'
import { groupRows, lowestTile } from './find-window.ts'
import {
  extremeColumn,
  TILE,
  TILE_FIRST,
  TILE_LAST,
  TILE_ROWS,
  tileOf,
  tileStride,
} from './tiles.ts'
import type { LogView } from './window-features.ts'

/** Values of a label record: when it became known, and which transaction it is about. */
export const LABEL_TIME_VALUE = 0
export const LABEL_TRANSACTION_VALUE = 1

/** Without frauds the times are infinite, away from each other. */
type KnownFrauds = {
  count: number
  /** Event time of the oldest, ms. */
  oldestMs: number
  newestMs: number
}

type FraudSearch = (view: LogView) => Readonly<KnownFrauds>

/** Event times (afterMs, untilMs] of which labels count. */
type Range = { readonly afterMs: number; readonly untilMs: number }

/** The search answers the same object every time. */
export function planFraudSearch(feature: WindowFeature): FraudSearch {
  const found: KnownFrauds = { count: 0, oldestMs: 0, newestMs: 0 }
  const search = feature.tailMs === 0 ? searchExact : searchWithTail
  return (view) => {
    found.count = 0
    found.oldestMs = Number.POSITIVE_INFINITY
    found.newestMs = Number.NEGATIVE_INFINITY
    if (view.labels !== null && view.labelsVisible > 0) search(view, view.labels, feature, found)
    return found
  }
}

function searchExact(
  view: LogView,
  labels: EntityLog,
  { windowMs, delayMs }: WindowFeature,
  found: KnownFrauds,
): void {
  const { labelsVisible, labelHistory, timeMs } = view
  const { exactMs, ceilings } = labelHistory!
  const untilMs = timeMs - delayMs
  const visibleAfterMs = highestOf(labels, labelsVisible) - exactMs
  const afterMs = Math.max(untilMs - windowMs, visibleAfterMs)
  const first = Math.max(0, labelsVisible - ceilings.entityRecordsMax)
  addOneByOne(view, labels, first, { afterMs, untilMs }, found)
}

function searchWithTail(
  view: LogView,
  labels: EntityLog,
  feature: WindowFeature,
  found: KnownFrauds,
): void {
  const { windowMs, delayMs, tailMs } = feature
  const { labelsVisible, labelHistory, timeMs } = view
  const { levels, ceilings } = labelHistory!
  const level = levels.findIndex((candidate) => candidate.tailMs === tailMs)
  const own = view.history.levels.find((candidate) => candidate.tailMs === tailMs)!
  const fromMs = timeMs - delayMs - windowMs
  const lowest = Math.max(
    lowestTile(fromMs, view.highestMs, own),
    lowestTile(fromMs, highestOf(labels, labelsVisible), levels[level]!),
  )
  const end = delayMs > 0 ? tileOf(timeMs - delayMs, tailMs) : Number.POSITIVE_INFINITY
  const range = {
    afterMs: lowest * tailMs - 1,
    untilMs: delayMs > 0 ? end * tailMs - 1 : timeMs,
  }
  const newest = Math.max(0, labelsVisible - ceilings.entityRecordsNewest)
  addOneByOne(view, labels, newest, range, found)
  if (newest === 0 && labels.tiles.length === 0) return
  const { lines, count: lineCount } = groupRows(labels, level, tailMs, newest - 1)
  const stride = tileStride(labels.shape)
  const known = extremeColumn(labels.shape, LABEL_TIME_VALUE) + 1
  for (let at = 0; at < lineCount * stride; at += stride) {
    const tile = lines[at + TILE]!
    if (tile < lowest || tile >= end || lines[at + known]! > timeMs) continue
    if (delayMs === 0 && lines[at + TILE_LAST]! > timeMs) continue
    found.count += lines[at + TILE_ROWS]!
    found.oldestMs = Math.min(found.oldestMs, lines[at + TILE_FIRST]!)
    found.newestMs = Math.max(found.newestMs, lines[at + TILE_LAST]!)
  }
}

const highestOf = ({ rows, stride }: EntityLog, visible: number): number =>
  rows[(visible - 1) * stride + TIME_MAX]!

function addOneByOne(
  view: LogView,
  labels: EntityLog,
  first: number,
  range: Range,
  found: KnownFrauds,
): void {
  const { labelsVisible, timeMs } = view
  const { rows, stride } = labels
  let seen: Set<number> | null = null
  for (let i = first; i < labelsVisible; i++) {
    const at = i * stride
    const eventTimeMs = rows[at + TIME]!
    if (eventTimeMs <= range.afterMs || eventTimeMs > range.untilMs) continue
    if (rows[at + VALUES + LABEL_TIME_VALUE]! > timeMs) continue
    // A case tool may label a transaction twice; it is one fraud all the same.
    seen ??= new Set()
    seen.add(rows[at + VALUES + LABEL_TRANSACTION_VALUE]!)
    found.oldestMs = Math.min(found.oldestMs, eventTimeMs)
    found.newestMs = Math.max(found.newestMs, eventTimeMs)
  }
  found.count += seen?.size ?? 0
}
