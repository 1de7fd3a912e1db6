// The cells of a CSV file, a chunk of the file at a time.
//
// In: a path, also of a .gz or .zst file, the columns wanted, and how the file is written, as far
// as the user says it. Out: blocks of the file's records in their order; cells are text, undefined
// where they are empty. A record with more or fewer fields than the header is a broken row. Refused
// with WEIR_FILE_INVALID: a file that is not readable as text, two columns of one name, a quote
// that is never closed, a record beyond the ceiling. Invariants: memory holds one chunk; cells are
// their own text, so whoever keeps one does not keep the chunk.

import type { CsvDialect } from '../../core/input-mapping.ts'
import { resolveMarks } from './csv-dialect.ts'
import { CsvScanner } from './csv-scanner.ts'
import { readText } from './open-text.ts'
import { refuseFile } from './refuse-file.ts'
import type { TypedCells } from './typed-cells.ts'

/** Characters that the delimiter is guessed from. */
const headCharacters = 64 * 1024
/** A record longer than this is no event; it would have to be held in memory as a whole. */
const recordCharactersMax = 16 * 1024 * 1024

export async function* readCsvCells(
  path: string,
  columns: readonly string[],
  dialect: CsvDialect = {},
): AsyncGenerator<TypedCells, void, undefined> {
  try {
    const table = createTable(columns, dialect)
    for await (const chunk of readText(path, dialect.encoding)) {
      const block = table.read(chunk, false)
      if (block !== null) yield block
    }
    const last = table.read('', true)
    if (last !== null) yield last
  } catch (cause) {
    throw refuseFile(path, cause)
  }
}

/** Text by chunks in, blocks out; null where a chunk has no whole record. */
function createTable(columns: readonly string[], dialect: CsvDialect) {
  let head = ''
  let scanner: CsvScanner | null = null
  let names: readonly string[] | null = null
  let firstRow = 0
  return {
    read(chunk: string, isLast: boolean): TypedCells | null {
      if (scanner === null) {
        head += chunk
        if (head.length < headCharacters && !isLast) return null
        scanner = new CsvScanner(resolveMarks(dialect, head, isLast))
        scanner.add(head)
        head = ''
      } else scanner.add(chunk)
      names ??= readNames(scanner, dialect.header ?? true, isLast)
      const block = names === null ? null : readBlock(scanner, { names, columns, firstRow, isLast })
      checkRest(scanner, firstRow + (block?.count ?? 0), isLast)
      firstRow += block?.count ?? 0
      return block
    },
  }
}

function checkRest(scanner: CsvScanner, row: number, isLast: boolean): void {
  if (isLast && scanner.restLength > 0) {
    throw new Error(`the record of row ${row} (from 0) has a quote that is never closed`)
  }
  if (scanner.restLength <= recordCharactersMax) return
  const size = `more than ${recordCharactersMax} characters`
  throw new Error(`row ${row} (from 0) has ${size}; is a quote not closed?`)
}

/** Null where the text does not have the first record yet. */
function readNames(
  scanner: CsvScanner,
  header: boolean | readonly string[],
  isLast: boolean,
): readonly string[] | null {
  if (typeof header === 'object') return checkNames(header)
  if (header) {
    return scanner.next(isLast)
      ? checkNames(Array.from({ length: scanner.fieldCount }, (_, i) => scanner.field(i)))
      : null
  }
  if (!scanner.peek(isLast)) return null
  return Array.from({ length: scanner.fieldCount }, (_, i) => `column${i + 1}`)
}

/** The names are not said: in a file without a header they are values. */
function checkNames(names: readonly string[]): readonly string[] {
  const places = new Map<string, number>()
  for (const [i, name] of names.entries()) {
    const before = places.get(name)
    if (name !== '' && before !== undefined) {
      throw new Error(`columns ${before + 1} and ${i + 1} of the header have the same name`)
    }
    places.set(name, i)
  }
  return names
}

type BlockOptions = {
  readonly names: readonly string[]
  readonly columns: readonly string[]
  readonly firstRow: number
  readonly isLast: boolean
}

function readBlock(
  scanner: CsvScanner,
  { names, columns, firstRow, isLast }: BlockOptions,
): TypedCells | null {
  const broken = new Map<number, string>()
  const known = [...new Set(columns)].filter((column) => names.includes(column))
  const places = known.map((column) => names.indexOf(column))
  const cells: (string | undefined)[][] = known.map(() => [])
  let count = 0
  for (; scanner.next(isLast); count++) {
    const fault = findFault(scanner, names.length)
    if (fault !== null) broken.set(count, fault)
    for (let c = 0; c < places.length; c++) {
      const place = places[c]!
      const isAbsent = fault !== null || scanner.isEmpty(place)
      cells[c]!.push(isAbsent ? undefined : ownText(scanner.field(place)))
    }
  }
  if (count === 0) return null
  const byColumn = new Map(known.map((column, c) => [column, cells[c]!]))
  const cellsOf = (column: string) => byColumn.get(column) ?? null
  return { firstRow, count, cells: cellsOf, broken, header: names }
}

function findFault(scanner: CsvScanner, width: number): string | null {
  if (scanner.isTorn) return 'text stands behind a closing quote'
  if (scanner.fieldCount === width) return null
  return `found ${columnsOf(scanner.fieldCount)}, expected ${width}`
}

const columnsOf = (count: number): string => (count === 1 ? '1 column' : `${count} columns`)

/** V8 lets longer parts of a text hold on to all of it; this one holds on to itself alone. */
const sharedFrom = 13
const ownText = (text: string): string => (text.length < sharedFrom ? text : ` ${text}`.slice(1))
