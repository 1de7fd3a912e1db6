// The cells of an NDJSON file (one JSON object a line), a chunk of the file at a time.
//
// In: a path, also of a .gz or .zst file, and the columns wanted: names of the objects. Out: blocks
// of the file's lines in their order; empty lines are no rows. Lines end with LF, CRLF or CR. A
// line that is not a JSON object is a broken row. Refused with WEIR_FILE_INVALID: a file that is
// not readable as text, a JSON array or one object over many lines, and a line beyond the ceiling.
// Invariant: memory holds one chunk.

import { type JsonRow, parseJsonLine } from './json-line.ts'
import { readText } from './open-text.ts'
import { refuseFile } from './refuse-file.ts'
import type { TypedCells } from './typed-cells.ts'

/** A line longer than this is no event; it would have to be held in memory as a whole. */
const lineCharactersMax = 16 * 1024 * 1024

export async function* readNdjsonCells(
  path: string,
  columns: readonly string[],
): AsyncGenerator<TypedCells, void, undefined> {
  let rest = ''
  let firstRow = 0
  let isBegun = false
  try {
    for await (const chunk of readText(path)) {
      const lines = splitLines(rest + chunk)
      rest = lines.pop()!
      if (!isBegun) isBegun = checkBegin(path, lines, rest)
      if (rest.length > lineCharactersMax) {
        throw new Error(`a line has more than ${lineCharactersMax} characters`)
      }
      const block = toBlock(lines, firstRow, columns)
      firstRow += block.count
      if (block.count > 0) yield block
    }
    const last = toBlock([rest], firstRow, columns)
    if (last.count > 0) yield last
  } catch (cause) {
    throw refuseFile(path, cause)
  }
}

/** A CR that is parted from its LF by a chunk's end makes an empty line, which is no row. */
const splitLines = (text: string): string[] =>
  text.includes('\r') ? text.split(/\r\n?|\n/) : text.split('\n')

/** Whether a first line has been seen as a whole. */
function checkBegin(path: string, lines: readonly string[], rest: string): boolean {
  const complete = lines.find((line) => line.trim() !== '')
  const first = (complete ?? rest).trim()
  const advice = (filter: string) => `one JSON object a line: jq -c '${filter}' ${path} makes them`
  if (first.startsWith('[')) throw refuseFile(path, 'found a JSON array', advice('.[]'))
  if (complete !== undefined && first === '{') {
    throw refuseFile(path, 'found an object over many lines', advice('.'))
  }
  return complete !== undefined
}

function toBlock(
  lines: readonly string[],
  firstRow: number,
  columns: readonly string[],
): TypedCells {
  const broken = new Map<number, string>()
  const rows: JsonRow[] = []
  for (const line of lines) {
    if (line.trim() === '') continue
    const row = parseJsonLine(line)
    if (typeof row === 'string') broken.set(rows.length, row)
    rows.push(typeof row === 'string' ? {} : row)
  }
  const cellOf = (row: JsonRow, column: string) =>
    Object.hasOwn(row, column) ? row[column] : undefined
  const known = new Set(columns.filter((column) => rows.some((row) => Object.hasOwn(row, column))))
  // A block of broken lines alone says nothing about the file's columns.
  const hasNothing = rows.length === broken.size
  return {
    firstRow,
    count: rows.length,
    cells: (column) =>
      known.has(column) || hasNothing ? rows.map((row) => cellOf(row, column)) : null,
    broken,
  }
}
