// How a CSV file is written: said by the user, or guessed from its first lines.
//
// In: what the user says, the beginning of the text. Out: delimiter, quote and line break. The
// delimiter is the one of , ; tab and | that parts the first lines into the most columns, as many
// in each line; the line break is that of the header. Refused (thrown): a quote of more than one
// character, an empty delimiter. Invariant: the same beginning gives the same dialect.

import type { CsvDialect } from '../../core/input-mapping.ts'
import { type CsvMarks, CsvScanner } from './csv-scanner.ts'

const candidates = [',', ';', '\t', '|'] as const
/** Records that a guess looks at. */
const guessRecords = 20

export function resolveMarks(dialect: CsvDialect, head: string, isWhole: boolean): CsvMarks {
  const { delimiter, quote = '"' } = dialect
  if (quote.length > 1) throw new Error('expected a quote of one character')
  if (delimiter === '') throw new Error('expected a delimiter of at least one character')
  const lineBreak = findLineBreak(head, quote)
  if (delimiter !== undefined) return { delimiter, quote, lineBreak }
  let best: { readonly delimiter: string; readonly columns: number } = {
    delimiter: ',',
    columns: 1,
  }
  for (const candidate of candidates) {
    const columns = countColumns({ delimiter: candidate, quote, lineBreak }, head, isWhole)
    if (columns > best.columns) best = { delimiter: candidate, columns }
  }
  return { delimiter: best.delimiter, quote, lineBreak }
}

/** The columns of the header, if all first records have as many; otherwise 0. */
function countColumns(marks: CsvMarks, head: string, isWhole: boolean): number {
  const scanner = new CsvScanner(marks)
  scanner.add(head)
  if (!scanner.next(isWhole)) return 0
  const columns = scanner.fieldCount
  for (let i = 1; i < guessRecords && scanner.next(isWhole); i++) {
    if (scanner.fieldCount !== columns) return 0
  }
  return columns
}

function findLineBreak(head: string, quote: string): '\n' | '\r' {
  const parts = quote === '' ? [head] : head.split(quote)
  const outside = parts.filter((_, i) => i % 2 === 0).join('')
  return /\r\n|\r|\n/.exec(outside)?.[0] === '\r' ? '\r' : '\n'
}
