// The live table: one row a second, readable in a terminal and in the log of a CI job alike.
//
// In: the figures of one second. Out: a line of text; the header again every so many rows. Pure,
// and without cursor tricks. Counts are totals since the start; p50, p99, batch and events/s are of
// the last second, and a dot says that it had none.

type TableRow = {
  readonly second: number
  readonly received: number
  readonly scored: number
  readonly flagged: number
  readonly rejected: number
  /** Events that are in the topic and not in an output topic yet. */
  readonly lag: number
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  readonly batchEvents: number | null
  readonly eventsPerSecond: number
}

type Column = {
  readonly title: string
  readonly width: number
  readonly text: (row: TableRow) => string
}

export const formatCount = (count: number): string => count.toLocaleString('en-US')
const orDot = (value: number | null, digits: number): string =>
  value === null ? '·' : value.toFixed(digits)

const columns: readonly Column[] = [
  { title: 'second', width: 6, text: ({ second }) => String(second) },
  { title: 'in', width: 10, text: ({ received }) => formatCount(received) },
  { title: 'scored', width: 10, text: ({ scored }) => formatCount(scored) },
  { title: 'flagged', width: 8, text: ({ flagged }) => formatCount(flagged) },
  { title: 'rejected', width: 9, text: ({ rejected }) => formatCount(rejected) },
  { title: 'lag', width: 7, text: ({ lag }) => formatCount(lag) },
  { title: 'p50 ms', width: 8, text: ({ p50Ms }) => orDot(p50Ms, 1) },
  { title: 'p99 ms', width: 8, text: ({ p99Ms }) => orDot(p99Ms, 1) },
  { title: 'batch', width: 7, text: ({ batchEvents }) => orDot(batchEvents, 0) },
  { title: 'events/s', width: 9, text: ({ eventsPerSecond }) => formatCount(eventsPerSecond) },
]

const ROWS_PER_HEADER = 20
const GAP = '  '

export function formatRow(row: TableRow): string {
  return columns.map(({ width, text }) => text(row).padStart(width)).join(GAP)
}

/** The lines before the row with this index (from 0): the header where it is due. */
export function headerBefore(index: number): readonly string[] {
  if (index % ROWS_PER_HEADER !== 0) return []
  const titles = columns.map(({ title, width }) => title.padStart(width)).join(GAP)
  const rule = columns.map(({ width }) => '─'.repeat(width)).join(GAP)
  return ['', titles, rule]
}

/** The value below which a share of the values lies (nearest rank); null without values. */
export function quantileOf(share: number, values: readonly number[]): number | null {
  if (values.length === 0) return null
  const ordered = Float64Array.from(values).sort()
  return ordered[Math.max(0, Math.ceil(share * ordered.length) - 1)]!
}
