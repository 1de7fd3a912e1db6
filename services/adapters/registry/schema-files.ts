// The contracts of schemas/: a file's name in, its text and its record's name out.
//
// The text is what is registered and what the codec reads and writes with, so a running service and
// `weir topics` cannot disagree about a schema. Read at start only. Invariant: the files of
// schemas/ and this list are the same (test/schemas proves it).

import { readFileSync } from 'node:fs'

export const schemaFiles = [
  'transaction',
  'label',
  'scored-transaction',
  'fraud-alert',
  'drift-sample',
  'rejected-transaction',
  'late-transaction',
  'drift-report',
  'model-control',
  'model-audit',
  'model-comparison',
] as const
export type SchemaFile = (typeof schemaFiles)[number]

const folder = new URL('../../../schemas/', import.meta.url)

/** Text of schemas/<file>.avsc, on one line: registries store what they are given. */
export function readSchema(file: SchemaFile): string {
  return JSON.stringify(JSON.parse(readFileSync(new URL(`${file}.avsc`, folder), 'utf8')))
}
