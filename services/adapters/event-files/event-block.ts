// Cells of a file to transactions and labels: the decode stage of those who read files.
//
// In: blocks of cells by column, as a Parquet or NDJSON reader gives them, and the pipeline's
// column map. Out: FileEvents in the file's order. Refused as a whole (WEIR_FILE_INVALID): a file
// without a column that every event needs. Refused row by row, as an event with a fault instead of
// a value: a cell of the wrong kind. Invariant: one event per row, and a row whose time cannot be
// read stands at the time of the row before it, so that it is reported at its place.

import { WeirError } from '../../core/errors.ts'
import { readIsoTime } from '../../core/iso-time.ts'
import type { ColumnMap } from '../../core/pipeline-definition.ts'
import type { Label, Transaction } from '../../pipeline/records.ts'

/** Rows of a file, column by column; absent cells are null or undefined. */
export type CellBlock = {
  /** Row number of the first row, from 0. */
  readonly firstRow: number
  readonly count: number
  /** The cells of a column; null where no row of the block has it. */
  readonly cells: (column: string) => ArrayLike<unknown> | null
  /** Rows of the block, from 0, that are no rows at all, and why. */
  readonly broken: ReadonlyMap<number, string>
}

export type FileEvent<T> = {
  /** Event time of a transaction, label time of a label: ms since the epoch. */
  readonly timeMs: number
  /** Index of the file among those given, and row number in it, both from 0. */
  readonly file: number
  readonly row: number
  /** Exactly one of the two is set. */
  readonly value: T | null
  readonly fault: string | null
}

export type BlockDecoder<T> = (block: CellBlock) => FileEvent<T>[]

type Kind = 'text' | 'integer' | 'time' | 'flag'

type FieldSpec = {
  readonly kind: Kind
  /** Without it the row is refused; otherwise `fallback` takes its place. */
  readonly isRequired: boolean
  readonly fallback: string | null
}

const required = (kind: Kind): FieldSpec => ({ kind, isRequired: true, fallback: null })
const optional = (fallback: string | null): FieldSpec => ({
  kind: 'text',
  isRequired: false,
  fallback,
})

const transactionFields = {
  transactionId: required('text'),
  eventTime: required('time'),
  customerId: required('text'),
  terminalId: required('text'),
  amountMinor: required('integer'),
  currency: required('text'),
  mcc: optional(null),
  country: optional(null),
  channel: optional(null),
  deviceId: optional(null),
  ipAddress: optional(null),
} as const satisfies Record<keyof Transaction, FieldSpec>

const labelFields = {
  transactionId: required('text'),
  eventTime: required('time'),
  customerId: required('text'),
  terminalId: required('text'),
  isFraud: required('flag'),
  labelTime: required('time'),
  source: optional('file'),
} as const satisfies Record<keyof Label, FieldSpec>

/** What a label repeats of its transaction. */
export type TransactionKeys = Pick<
  Transaction,
  'transactionId' | 'eventTime' | 'customerId' | 'terminalId'
>
/** A label without what it repeats of its transaction. */
export type BareLabel = Pick<Label, 'transactionId' | 'isFraud' | 'labelTime' | 'source'>

const keyFields = {
  transactionId: transactionFields.transactionId,
  eventTime: transactionFields.eventTime,
  customerId: transactionFields.customerId,
  terminalId: transactionFields.terminalId,
} as const satisfies Record<keyof TransactionKeys, FieldSpec>

const bareLabelFields = {
  transactionId: labelFields.transactionId,
  isFraud: labelFields.isFraud,
  labelTime: labelFields.labelTime,
  source: labelFields.source,
} as const satisfies Record<keyof BareLabel, FieldSpec>

const streamFields = {
  transactions: transactionFields,
  transactionKeys: keyFields,
  labels: labelFields,
  bareLabels: bareLabelFields,
} as const

/**
 * @param file index of the file among those given.
 * @param defaults values of text fields where the file has none.
 */
export const createTransactionDecoder = (
  columns: ColumnMap,
  file: number,
  defaults: Readonly<Record<string, string>> = {},
) => {
  const filled = Object.entries(defaults).map(([field, value]) => [field, optional(value)])
  const fields = { ...transactionFields, ...Object.fromEntries(filled) }
  return createDecoder<Transaction>({ fields, time: 'eventTime', columns, file })
}

export const createKeyDecoder = (columns: ColumnMap, file: number) =>
  createDecoder<TransactionKeys>({ fields: keyFields, time: 'eventTime', columns, file })

export const createLabelDecoder = (columns: ColumnMap, file: number) =>
  createDecoder<Label>({ fields: labelFields, time: 'labelTime', columns, file })

export const createBareLabelDecoder = (columns: ColumnMap, file: number) =>
  createDecoder<BareLabel>({ fields: bareLabelFields, time: 'labelTime', columns, file })

/** The columns that a reader of a stream asks a file for. */
export const columnsOf = (stream: keyof typeof streamFields, columns: ColumnMap): string[] =>
  Object.keys(streamFields[stream]).map((field) => columns[field] ?? field)

/** Times alone; the row number of the first is that of the block. */
export function createTimeDecoder(columns: ColumnMap, field: 'eventTime' | 'labelTime') {
  let timeMs = 0
  return (block: CellBlock): Float64Array => {
    const cells = convertColumn(block, columns[field] ?? field, field, required('time'))
    return Float64Array.from(cells, (cell) => {
      if (typeof cell === 'number') timeMs = cell
      return timeMs
    })
  }
}

type DecoderOptions = {
  readonly fields: Readonly<Record<string, FieldSpec>>
  readonly time: string
  readonly columns: ColumnMap
  readonly file: number
}

function createDecoder<T>({ fields, time, columns, file }: DecoderOptions): BlockDecoder<T> {
  const names = Object.keys(fields)
  const specs = Object.values(fields)
  let timeMs = 0
  return (block) => {
    const cells = names.map((name, f) =>
      convertColumn(block, columns[name] ?? name, name, specs[f]!),
    )
    const times = cells[names.indexOf(time)]!
    const events: FileEvent<T>[] = new Array(block.count)
    for (let i = 0; i < block.count; i++) {
      if (typeof times[i] === 'number') timeMs = times[i] as number
      const row = block.firstRow + i
      const fault = block.broken.get(i) ?? findFault(names, specs, cells, i)
      const value = fault === null ? (toRecord(names, cells, i) as T) : null
      events[i] = { timeMs, file, row, value, fault }
    }
    return events
  }
}

/** Fields in one fixed order, so that all records share one shape. */
function toRecord(names: readonly string[], cells: readonly Converted[], i: number) {
  const record: Record<string, unknown> = {}
  for (let f = 0; f < names.length; f++) record[names[f]!] = cells[f]![i]
  return record
}

function findFault(
  names: readonly string[],
  specs: readonly FieldSpec[],
  cells: readonly Converted[],
  i: number,
): string | null {
  for (let f = 0; f < cells.length; f++) {
    const cell = cells[f]![i]
    if (cell === undefined) return `${names[f]} is not ${expectation[specs[f]!.kind]}`
    if (cell === null && specs[f]!.isRequired) return `${names[f]} is missing`
  }
  return null
}

const expectation: Readonly<Record<Kind, string>> = {
  text: 'a text',
  integer: 'a whole number',
  time: 'a time (timestamp, ms since the epoch or ISO 8601)',
  flag: 'true or false',
}

/** null = absent, undefined = of the wrong kind. */
type Cell = string | number | boolean | null | undefined
type Converted = readonly Cell[]

function convertColumn(block: CellBlock, column: string, field: string, spec: FieldSpec): Cell[] {
  const source = block.cells(column)
  const converted: Cell[] = new Array(block.count)
  if (source === null) {
    if (spec.isRequired && block.firstRow === 0) throw missingColumn(column, field)
    return converted.fill(spec.fallback)
  }
  const convert = converters[spec.kind]
  for (let i = 0; i < block.count; i++) {
    const cell = source[i]
    converted[i] = cell === null || cell === undefined ? spec.fallback : convert(cell)
  }
  return converted
}

const missingColumn = (column: string, field: string): WeirError => {
  const detail =
    `found no column "${column}", expected one for the field ${field}: ` +
    `name it in the pipeline file's input section (input.columns, input.labelColumns), or say there ` +
    `what takes its place (input.defaults, input.labelLookup).`
  return new WeirError('WEIR_FILE_INVALID', detail)
}

const converters: Readonly<Record<Kind, (cell: unknown) => Cell>> = {
  text: (cell) => {
    if (typeof cell === 'string') return cell
    return typeof cell === 'number' || typeof cell === 'bigint' ? String(cell) : undefined
  },
  integer: (cell) => {
    const value = typeof cell === 'bigint' ? Number(cell) : cell
    return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined
  },
  time: (cell) => {
    if (typeof cell === 'number') return Number.isFinite(cell) ? Math.floor(cell) : undefined
    if (typeof cell === 'bigint') return Number(cell)
    if (typeof cell === 'string') return readIsoTime(cell) ?? undefined
    const ms = cell instanceof Date ? cell.getTime() : Number.NaN
    return Number.isNaN(ms) ? undefined : ms
  },
  flag: (cell) => {
    if (typeof cell === 'boolean') return cell
    const value = Number(cell)
    return value === 0 || value === 1 ? value === 1 : undefined
  },
}
