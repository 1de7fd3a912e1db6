// Rows of a file to events: the decode stage of those who read files.
//
// In: blocks of cells by column, as a reader gives them, and the fields of a mapping. Out:
// FileEvents in the file's order. Refused as a whole (WEIR_FILE_INVALID): a file without a column
// that the pipeline file names. Refused row by row, as an event with a fault instead of a value:
// what does not fit its field. Invariant: one event per row, and a row whose time cannot be read
// stands at the time of the row before it, so that it is reported at its place.

import type { RejectionCode } from '../../core/errors.ts'
import { WeirError } from '../../core/errors.ts'
import type { CsvDialect, FieldDefinition, PathStep } from '../../core/input-mapping.ts'
import { Instant } from '../../core/raw-values.ts'
import { createAssembler, type EventFields, FieldFault } from '../../mapping/assemble-event.ts'
import { compilePath } from '../../mapping/compile-path.ts'

/** Rows of a file, column by column; absent cells are null or undefined. */
export type CellBlock = {
  /** Row number of the first row, from 0. */
  readonly firstRow: number
  readonly count: number
  /** The cells of a column; null where no row of the block has it. */
  readonly cells: (column: string) => ArrayLike<unknown> | null
  /** Rows of the block, from 0, that are no rows at all, and why. */
  readonly broken: ReadonlyMap<number, string>
  /** All columns of the file where it has a header; absent where each row names its own. */
  readonly header?: readonly string[]
  /** Columns whose numbers are moments, ms since the epoch, by the file's own types. */
  readonly instants?: ReadonlySet<string>
}

export type RowFault = { readonly code: RejectionCode; readonly detail: string }

export type FileEvent<T> = {
  /** Event time of a transaction, label time of a label: ms since the epoch. */
  readonly timeMs: number
  /** Index of the file among those given, and row number in it, both from 0. */
  readonly file: number
  readonly row: number
  /** Exactly one of the two is set. */
  readonly value: T | null
  readonly fault: RowFault | null
}

type BlockDecoder<T> = (block: CellBlock) => FileEvent<T>[]

/** What a kind of event is made of. */
export type RowMapping<T> = {
  readonly fields: readonly FieldDefinition[]
  readonly csv: CsvDialect
  /** The pipeline file names these fields: a column that is not there is a mistake. */
  readonly isDeclared: boolean
  readonly where: string | null
  /** The field whose time the rows stand in order of. */
  readonly time: string
  /** Added to that time, ms: labels that become known so long after their event. */
  readonly delayMs: number
  readonly toEvent: (fields: EventFields) => T
}

/** The columns that a reader asks a file for. */
export const columnsOf = ({ fields }: Pick<RowMapping<unknown>, 'fields'>): string[] => [
  ...new Set(
    fields.flatMap(({ source }) => (source.from === 'value' ? [columnOf(source.path)] : [])),
  ),
]

/** A path's first step; a row is an object of its columns. */
const columnOf = (path: readonly PathStep[]): string => {
  const [first] = path
  return first?.kind === 'name' ? first.name : ''
}

/** @param file index of the file among those given. */
export function createRowDecoder<T>(mapping: RowMapping<T>, file: number): BlockDecoder<T> {
  const { time, delayMs, toEvent } = mapping
  const read = createRowReader(mapping, file)
  const readTime = createRowReader(onlyTimes(mapping), file)
  let timeMs = 0
  return (block) => {
    const events: FileEvent<T>[] = []
    const fieldsAt = read(block)
    for (let i = 0; i < block.count; i++) {
      const found = fieldsAt(i)
      const place = { file, row: block.firstRow + i }
      if (found instanceof FieldFault) {
        const { code, detail } = found
        // A row that is refused for another field has a time all the same.
        const timed = readTime(block)(i)
        if (!(timed instanceof FieldFault)) timeMs = (timed[time] as number) + delayMs
        events.push({ timeMs, ...place, value: null, fault: { code, detail } })
        continue
      }
      timeMs = (found[time] as number) + delayMs
      events.push({ timeMs, ...place, value: toEvent(found), fault: null })
    }
    return events
  }
}

/** The time alone: a row that is no event for another reason has its time all the same. */
export const onlyTimes = <T>({ fields, ...rows }: RowMapping<T>): RowMapping<T> => ({
  ...rows,
  fields: fields.filter(({ name }) => name === rows.time),
  where: null,
})

/** The times of the same rows. */
export function createTimeDecoder<T>(mapping: RowMapping<T>, file: number) {
  const decode = createRowDecoder(mapping, file)
  return (block: CellBlock): Float64Array => Float64Array.from(decode(block), (e) => e.timeMs)
}

function createRowReader<T>(mapping: RowMapping<T>, file: number) {
  const assembler = createAssembler(mapping.fields, mapping.where)
  const walks = assembler.paths.map((path) => ({
    column: columnOf(path),
    walk: path.length > 1 ? compilePath(path.slice(1)) : null,
  }))
  const raws: unknown[] = new Array(walks.length)
  return (block: CellBlock) => {
    demandColumns(block, mapping)
    const columns = walks.map(({ column, walk }) => {
      const cells = block.cells(column)
      return { cells, walk: block.instants?.has(column) ? toInstant : walk }
    })
    return (i: number): EventFields | FieldFault => {
      const broken = block.broken.get(i)
      if (broken !== undefined) return new FieldFault('WEIR_DECODE_ROW', '', broken)
      for (let c = 0; c < columns.length; c++) {
        const { cells, walk } = columns[c]!
        const cell = cells === null ? undefined : cells[i]
        raws[c] = walk === null ? cell : walk(cell)
      }
      const offset = block.firstRow + i
      const origin = { partition: file, offset, brokerTimeMs: Number.NaN, key: null }
      return assembler.assemble(raws, origin)
    }
  }
}

const toInstant = (cell: unknown): unknown => (typeof cell === 'number' ? new Instant(cell) : cell)

/** Only the first block is looked at: later ones have the same columns, or none of their own. */
function demandColumns(
  { cells, firstRow, header }: CellBlock,
  { fields, isDeclared }: Pick<RowMapping<unknown>, 'fields' | 'isDeclared'>,
): void {
  if (firstRow !== 0) return
  for (const { name, source, isRequired, absent } of fields) {
    if (source.from !== 'value') continue
    const column = columnOf(source.path)
    const isThere = header === undefined ? cells(column) !== null : header.includes(column)
    const isNeeded = isRequired || (isDeclared && header !== undefined && absent === null)
    if (!isThere && isNeeded) throw missingColumn(column, name, header)
  }
}

function missingColumn(column: string, field: string, header: readonly string[] = []): WeirError {
  const there = header.length === 0 ? '' : ` among ${header.slice(0, 40).join(', ')}`
  const detail =
    `found no column "${column}"${there}, expected one for the field ${field}: ` +
    `name it in the pipeline file's input section (fields), or give the field a value where it is ` +
    `absent (absent).`
  return new WeirError('WEIR_FILE_INVALID', detail)
}
