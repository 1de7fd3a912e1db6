// In which order the labels of an entity came: all orders that the topics allow, the likeliest
// first.
//
//   partition 0   a b d          a log that 3 labels of are known to be in may be   a b c
//   partition 1   c e                                                               a c b, c a b ...
//
// Within a partition the order is known, between partitions it is not. In: all fraud labels; then,
// event by event, how many of them it saw, and which of the orders give what was published. Out:
// the orders that are left; none means that no order explains the events. Likelier is what jumps
// over fewer labels that were known earlier. Bounded: where there are many orders, of those with
// the same labels up to here only the likeliest stays, and 256 per entity at most. An order knows
// from where on it is firm, a book whether orders were dropped for good: so a contradiction can be
// told from one that is not proved.

import { laneIdOf } from '../../lanes/lane-input.ts'
import { appendRow, createEntityLog, type EntityLog } from '../../pipeline/enrich/entity-log.ts'
import type { FeaturePlan } from '../../pipeline/enrich/feature-plan.ts'
import { LABEL_TIME_VALUE } from '../../pipeline/enrich/find-frauds.ts'
import type { Ceilings } from '../../pipeline/enrich/fold-log.ts'
import type { LogKind } from '../../pipeline/enrich/log-store.ts'
import type { Label } from '../../pipeline/records.ts'
import type { Row } from '../naive/entity-slots.ts'
import { collectSent } from '../naive/placed-vectors.ts'

export type PlacedLabel = {
  readonly partition: number
  readonly offset: number
  readonly label: Label
}

/** One order, up to where events have asked for it. */
export type LabelOrder = {
  readonly log: EntityLog
  /** Labels taken of each partition that has some. */
  readonly taken: readonly number[]
  /** Labels known earlier that were jumped over. */
  readonly jumps: number
  /** Which are its first so many labels is sure, and of any more; the order of fewer is a guess. */
  readonly firmFrom: number
}

/** The labels of one entity. */
export type LabelBook = {
  readonly kind: LogKind
  readonly partitions: Row[][]
  orders: readonly LabelOrder[]
  hasBegun: boolean
  /** Candidates were dropped: no order left proves nothing. */
  isCut: boolean
}

const CANDIDATES_MAX = 256
/** So many orders are cheap to follow, even if they hold the same labels. */
const TWINS_MAX = 32

/** Label books by entity and key. */
export type LabelShelf = ReadonlyMap<string, ReadonlyMap<string, LabelBook>>

/** @param labels in the order of each partition; only those that say fraud have a record. */
export function shelveLabels(labels: readonly PlacedLabel[], plan: FeaturePlan): LabelShelf {
  const shelf = new Map<string, Map<string, LabelBook>>()
  const lanes = new Map<LabelBook, number[]>()
  for (const { partition, offset, label } of labels) {
    const laneId = laneIdOf('labels', partition)
    const { records } = collectSent([{ laneId, offset, transaction: null, label }], plan)
    for (let entry = 0; entry < records.count; entry++) {
      const kind = plan.kinds[records.kinds[entry]!]!
      const book = openBook(shelf, kind, records.keys[entry]!)
      const from = entry * records.valueStride
      rowsOf(book, lanes, partition).push({
        timeMs: records.eventTimesMs[entry]!,
        source: records.sources[entry]!,
        values: records.values.slice(from, from + kind.shape.values),
        from: 0,
      })
    }
  }
  for (const books of shelf.values()) {
    for (const book of books.values()) book.orders = [firstOrder(book, 0)]
  }
  return shelf
}

function openBook(shelf: Map<string, Map<string, LabelBook>>, kind: LogKind, key: string) {
  const books = shelf.get(kind.name) ?? new Map<string, LabelBook>()
  shelf.set(kind.name, books)
  const book = books.get(key) ?? newBook(kind)
  books.set(key, book)
  return book
}

function rowsOf(book: LabelBook, lanes: Map<LabelBook, number[]>, partition: number): Row[] {
  const known = lanes.get(book) ?? []
  lanes.set(book, known)
  if (!known.includes(partition)) {
    known.push(partition)
    book.partitions.push([])
  }
  return book.partitions[known.indexOf(partition)]!
}

const newBook = (kind: LogKind): LabelBook => ({
  kind,
  partitions: [],
  orders: [],
  hasBegun: false,
  isCut: false,
})

const firstOrder = ({ kind, partitions }: LabelBook, base: number): LabelOrder => ({
  log: createEntityLog(kind.shape, base),
  taken: partitions.map(() => 0),
  jumps: 0,
  firmFrom: 0,
})

const orderLength = ({ log }: LabelOrder): number => log.base + log.count

/**
 * For a log whose beginning was not read: how many labels came before is unknown, so an order
 * begins with each number of labels that the first event may have seen here.
 */
export function beginAnywhere(book: LabelBook, seen: number): void {
  const total = book.partitions.reduce((sum, rows) => sum + rows.length, 0)
  const orders: LabelOrder[] = []
  for (let visible = 0; visible <= Math.min(total, seen); visible++) {
    let order = firstOrder(book, seen - visible)
    while (orderLength(order) < seen) order = likeliest(successors(book, order))[0]!
    orders.push(order)
  }
  book.hasBegun = true
  book.isCut = orders.length > CANDIDATES_MAX || book.partitions.length > 1
  book.orders = orders.slice(0, CANDIDATES_MAX)
}

/** The orders in which at least `seen` labels are there; none if there are not so many. */
export function ordersOf(book: LabelBook, seen: number): readonly LabelOrder[] {
  while (book.orders.some((order) => orderLength(order) < seen)) {
    const next = book.orders.flatMap((order) =>
      orderLength(order) < seen ? successors(book, order) : [order],
    )
    // Kept where it stands, so that a wrong number of labels seen does not end the book.
    if (next.length === 0) return []
    const distinct = next.length > TWINS_MAX ? dropTwins(likeliest(next)) : likeliest(next)
    if (distinct.length > CANDIDATES_MAX) book.isCut = true
    book.orders = distinct.slice(0, CANDIDATES_MAX)
  }
  return book.orders
}

/** Whether no order that was dropped could give an event that sees so many labels another count. */
export function isFirm(
  { kind }: LabelBook,
  { firmFrom }: LabelOrder,
  seen: number,
  ceilings: Ceilings,
): boolean {
  const { entityRecordsNewest, entityRecordsMax } = ceilings
  // Beyond a ceiling labels count otherwise: it splits the labels in two, and both must be sure.
  const splits =
    kind.history.levels.length > 0 ? [entityRecordsNewest, entityRecordsMax] : [entityRecordsMax]
  return [seen, ...splits.map((ceiling) => seen - ceiling)].every(
    (count) => count <= 0 || count >= firmFrom,
  )
}

/** Each way to take one label more. */
function successors({ partitions }: LabelBook, order: LabelOrder): LabelOrder[] {
  const { taken, jumps, log, firmFrom } = order
  const open = partitions.map((rows, p) => rows[taken[p]!])
  const knownTimes = open.map((row) => row?.values[LABEL_TIME_VALUE] ?? Number.POSITIVE_INFINITY)
  const choices = open.filter((row) => row !== undefined).length
  return open.flatMap((row, p) => {
    if (row === undefined) return []
    const own = choices === 1 ? log : copyLog(log)
    appendRow(own, row.timeMs, row.source, row.values, row.from)
    const jumped = knownTimes.filter((timeMs) => timeMs < knownTimes[p]!).length
    const after = taken.map((count, q) => (q === p ? count + 1 : count))
    return [{ log: own, taken: after, jumps: jumps + jumped, firmFrom }]
  })
}

const copyLog = (log: EntityLog): EntityLog => ({ ...log, rows: log.rows.slice() })

const likeliest = (orders: LabelOrder[]): LabelOrder[] => orders.sort((a, b) => a.jumps - b.jumps)

/** Of orders that hold the same labels the likeliest, which comes first. */
function dropTwins(orders: readonly LabelOrder[]): LabelOrder[] {
  const groups = Map.groupBy(orders, ({ taken, log }) => `${log.base}:${taken}`)
  return [...groups.values()].map(([first, ...twins]) =>
    twins.length === 0 ? first! : { ...first!, firmFrom: orderLength(first!) },
  )
}
