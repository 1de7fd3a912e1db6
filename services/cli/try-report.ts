// The findings of `weir try` in words.
//
// In: a report; the pipeline file's path and the files' names. Out: text for a terminal. Invariant:
// values of events are shown as they became, cut to a width; times in ISO 8601.

import type { FieldValue } from '../core/input-mapping.ts'
import type { TriedField, TriedRejection, TryReport } from '../replay/try-events.ts'

const EXAMPLE_WIDTH = 28

type Places = {
  readonly pipeline: string
  readonly names: readonly string[]
  /** Files' rows are numbered from 1, as an editor does; offsets are what they are. */
  readonly firstRow: 0 | 1
}

export function describeTry(report: TryReport, places: Places): string {
  const { read, events, skipped, rejections } = report
  const rejected = rejections.reduce((sum, { count }) => sum + count, 0)
  return [
    `${read} read: ${events} events, ${skipped} skipped, ${rejected} rejected`,
    '',
    ...table([
      ['field', 'type', 'absent', 'examples'],
      ...report.fields.map((field) => describeField(field, events)),
    ]),
    ...rejections.flatMap((one) => ['', ...describeRejection(one, places)]),
    ...(report.vectors.length === 0 ? [] : ['', ...describeVectors(report.vectors)]),
    '',
  ].join('\n')
}

function describeField({ name, kind, absent, examples }: TriedField, events: number): string[] {
  const share = events === 0 ? '–' : `${((absent / events) * 100).toFixed(1)} %`
  return [name, kind, share, examples.map((value) => show(value, kind)).join('   ')]
}

function show(value: FieldValue, kind: string): string {
  if (kind === 'time' && typeof value === 'number') return new Date(value).toISOString()
  const text = String(value)
  return text.length <= EXAMPLE_WIDTH ? text : `${text.slice(0, EXAMPLE_WIDTH - 1)}…`
}

function describeRejection(
  { code, count, detail, file, row, field }: TriedRejection,
  { pipeline, names, firstRow }: Places,
): string[] {
  const place = firstRow === 0 ? `${names[0]}/${file}` : names[file]
  return [
    `${count} × ${code}: ${detail}`,
    `  first at ${place}, ${firstRow === 0 ? 'offset' : 'row'} ${row + firstRow}; ` +
      (field === null
        ? `see input.transactions of ${pipeline}`
        : `see input.transactions.fields.${field} of ${pipeline}`),
  ]
}

/** A feature a line: vectors are long. */
function describeVectors(vectors: TryReport['vectors']): string[] {
  const names = Object.keys(vectors[0]!.features)
  return table([
    ['feature', ...vectors.map(({ transactionId }) => show(transactionId, 'text'))],
    ...names.map((name) => [
      name,
      ...vectors.map(({ features }) => String(Number(features[name]!.toPrecision(6)))),
    ]),
  ])
}

/** Columns as wide as their longest cell. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
}
