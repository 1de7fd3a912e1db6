// The cells of an NDJSON file (one JSON object a line), a chunk of the file at a time.
//
// In: a path and the columns wanted. Out: CellBlocks of the file's lines in their order; empty
// lines are no rows. A line that is not a JSON object is a broken row. Refused with
// WEIR_FILE_INVALID: a file that is not readable, and a line beyond the ceiling. Invariant: memory
// holds one chunk.

import { createReadStream } from 'node:fs'
import { WeirError } from '../../core/errors.ts'
import type { CellBlock } from './event-block.ts'

const chunkBytes = 1024 * 1024
/** A line longer than this is no event; it would have to be held in memory as a whole. */
const lineCharactersMax = 16 * 1024 * 1024

export async function* readNdjsonCells(
  path: string,
  columns: readonly string[],
): AsyncGenerator<CellBlock, void, undefined> {
  let rest = ''
  let firstRow = 0
  try {
    for await (const chunk of createReadStream(path, {
      encoding: 'utf8',
      highWaterMark: chunkBytes,
    })) {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop()!
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
    if (cause instanceof WeirError) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new WeirError('WEIR_FILE_INVALID', `${path}: ${reason}`, { cause })
  }
}

type Row = Readonly<Record<string, unknown>>

function toBlock(
  lines: readonly string[],
  firstRow: number,
  columns: readonly string[],
): CellBlock {
  const broken = new Map<number, string>()
  const rows: Row[] = []
  for (const line of lines) {
    if (line.trim() === '') continue
    const row = parseLine(line)
    if (row === null) broken.set(rows.length, 'the line is not a JSON object')
    rows.push(row ?? {})
  }
  const known = new Set(columns.filter((column) => rows.some((row) => row[column] !== undefined)))
  // A block of broken lines alone says nothing about the file's columns.
  const hasNothing = rows.length === broken.size
  return {
    firstRow,
    count: rows.length,
    cells: (column) => (known.has(column) || hasNothing ? rows.map((row) => row[column]) : null),
    broken,
  }
}

function parseLine(line: string): Row | null {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Row)
      : null
  } catch {
    return null
  }
}
