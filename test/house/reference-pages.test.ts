// Proves the reference pages against the tables in the code, in both directions: each row of a table
// stands on its page, in the same words and order, and the page has no other row.
//
// To add a page, add an entry to `pages`. A page is found by its file and the heading above its
// table; the text around the table is free.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { reasonTable } from '../../services/adapters/http/readiness.ts'
import {
  type LabelSet,
  type MetricRow,
  metricTable,
} from '../../services/adapters/prometheus/metric-table.ts'
import { type ErrorEntry, errorTable } from '../../services/core/errors.ts'

type Page = {
  readonly file: string
  readonly heading: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

const pages: readonly Page[] = [
  {
    file: 'docs/reference/errors.md',
    heading: '## Codes',
    columns: ['Code', 'Kind', 'Retried', 'Meaning', 'What to do'],
    rows: Object.entries<ErrorEntry>(errorTable).map(([code, entry]) => [
      `\`${code}\``,
      entry.kind.replaceAll('_', ' '),
      entry.canRetry ? 'yes' : 'no',
      entry.sentence,
      entry.action,
    ]),
  },
  {
    file: 'docs/reference/metrics.md',
    heading: '## Metrics',
    columns: ['Metric', 'Type', 'Labels', 'Meaning'],
    rows: Object.entries<MetricRow>(metricTable).map(([name, row]) => [
      `\`${name}\``,
      row.type,
      Object.entries(row.labels).map(describeLabel).join('; '),
      row.help,
    ]),
  },
  {
    file: 'docs/operating/observability.md',
    heading: '## Reasons',
    columns: ['Reason', 'Meaning', 'What to do'],
    rows: Object.entries(reasonTable).map(([code, entry]) => [
      `\`${code}\``,
      entry.sentence,
      entry.action,
    ]),
  },
]

function describeLabel([name, set]: readonly [string, LabelSet]): string {
  if (set.kind === 'bounded') return `\`${name}\` (${set.by})`
  return `\`${name}\` (${set.shownAs ?? set.values.join(', ')})`
}

describe.each(pages)('reference pages - $file, $heading', (page) => {
  it('has the rows of the code and no others', async () => {
    const table = readTable(await readPage(page.file), page.heading)
    expect(table[0], `columns of the table under "${page.heading}"`).toEqual(page.columns)
    expect(table.slice(2)).toEqual(page.rows)
  })

  it('can carry its rows in a table', () => {
    for (const cell of page.rows.flat()) expect(cell).not.toMatch(/[|\n]/)
  })
})

describe('reference pages - metric names', () => {
  it.each(['docs/operating/observability.md', 'docs/reference/metrics.md'])(
    'are used as the table spells them in %s',
    async (file) => {
      const used = new Set((await readPage(file)).match(/\bweir_[a-z0-9_]+/g))
      expect(used.size).toBeGreaterThan(10)
      const known = new Set(Object.entries<MetricRow>(metricTable).flatMap(listSeries))
      expect([...used].filter((name) => !known.has(name))).toEqual([])
    },
  )
})

function listSeries([name, row]: readonly [string, MetricRow]): string[] {
  if (row.type !== 'histogram') return [name]
  return [name, `${name}_bucket`, `${name}_sum`, `${name}_count`]
}

function readPage(file: string): Promise<string> {
  return readFile(join(import.meta.dirname, '../..', file), 'utf8')
}

/** The first table below a heading, header and rule included, as trimmed cells. */
function readTable(text: string, heading: string): string[][] {
  const lines = text.split('\n')
  const start = lines.indexOf(heading)
  if (start < 0) throw new Error(`found no line "${heading}"; expected it above the table`)
  const first = lines.findIndex((line, index) => index > start && line.startsWith('|'))
  const end = lines.findIndex((line, index) => index > first && !line.startsWith('|'))
  return lines.slice(first, end < 0 ? lines.length : end).map((line) =>
    line
      .slice(1, line.lastIndexOf('|'))
      .split('|')
      .map((cell) => cell.trim()),
  )
}
