// Proves the reference pages against the tables in the code, in both directions: each row of a
// table stands on its page, in the same words and order, and the page has no other row.
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
import {
  expressionFunctions,
  specialForms,
} from '../../services/expressions/functions/all-functions.ts'
import { signatureOf } from '../../services/expressions/functions/expression-function.ts'
import { commandRows, programNames, sectionOf } from './command-rows.ts'
import { limitRows } from './limit-rows.ts'

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
    file: 'docs/reference/errors.md',
    heading: '## What a restart does not help',
    columns: ['Code'],
    rows: Object.entries<ErrorEntry>(errorTable)
      .filter(([, { exitCode }]) => exitCode === 2)
      .map(([code]) => [`\`${code}\``]),
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
  {
    file: 'docs/reference/limits.md',
    heading: '## Limits',
    columns: ['Limit', 'Value', 'Why'],
    rows: limitRows(),
  },
  {
    file: 'docs/reference/input.md',
    heading: '## Functions',
    columns: ['Function', 'Meaning'],
    rows: [
      ...expressionFunctions.map((row) => [`\`${signatureOf(row)}\``, row.sentence]),
      // There is no way yet to name a table in a pipeline file.
      ...specialForms
        .filter(({ name }) => name !== 'lookup')
        .map(({ signature, sentence }) => [`\`${signature}\``, sentence]),
    ],
  },
  ...programNames.map((name) => ({
    file: 'docs/reference/commands.md',
    heading: `## ${name}`,
    columns: ['Command', 'Flag', 'Meaning'],
    rows: commandRows(name),
  })),
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

describe('reference pages - npm scripts', () => {
  it('are listed in docs/reference/commands.md with the file that they run', async () => {
    const manifest = JSON.parse(await readPage('package.json')) as {
      scripts: Record<string, string>
    }
    const expected = Object.entries(manifest.scripts).map(([name, command]) => [
      `\`npm run ${name}\``,
      `\`${command.replace('node dev/launch.mjs ', '')}\``,
    ])
    const table = readTable(await readPage('docs/reference/commands.md'), '## Scripts')
    expect(table.slice(2).map((row) => row.slice(0, 2))).toEqual(expected)
  })
})

describe('reference pages - the check itself', () => {
  const page = '# A\n\n## Limits\n\ntext\n\n| Limit | Value |\n|---|---|\n| `a` | 1 |\n\n## B\n'

  it('sees a row that is missing, changed or too many', () => {
    const rows = readTable(page, '## Limits').slice(2)
    expect(rows).toEqual([['`a`', '1']])
    expect(rows).not.toEqual([['`a`', '2']])
    expect(rows).not.toEqual([
      ['`a`', '1'],
      ['`b`', '1'],
    ])
    expect(() => readTable(page, '## Codes')).toThrow('found no line "## Codes"')
  })

  it('reads what a command says of itself, wrapped lines too', () => {
    const help =
      'Usage: a\n\nOptions:\n  --b <c>  first\n           second\n  --d      third\n\nend\n'
    expect(sectionOf(help, 'Options:')).toEqual([
      { term: '--b <c>', text: 'first second' },
      { term: '--d', text: 'third' },
    ])
    expect(sectionOf(help, 'Commands:')).toEqual([])
  })
})
