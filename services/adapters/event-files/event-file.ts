// A file of transactions or labels, opened by its name's ending.
//
// In: a path ending in .parquet, .ndjson or .jsonl, and the pipeline's column map. Out: its events
// in the file's order, as often as asked for; its times alone, which is much faster for Parquet;
// its SHA-256. Refused with WEIR_FILE_INVALID: another ending, and what the readers refuse.

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { basename, extname } from 'node:path'
import { WeirError } from '../../core/errors.ts'
import type { ColumnMap } from '../../core/pipeline-definition.ts'
import type { Label, Transaction } from '../../pipeline/records.ts'
import {
  type BareLabel,
  type BlockDecoder,
  type CellBlock,
  columnsOf,
  createBareLabelDecoder,
  createKeyDecoder,
  createLabelDecoder,
  createTimeDecoder,
  createTransactionDecoder,
  type FileEvent,
  type TransactionKeys,
} from './event-block.ts'
import { readNdjsonCells } from './ndjson-events.ts'
import { readParquetCells } from './parquet-events.ts'

export type EventFile<T> = {
  readonly path: string
  /** Without its folder: what reports say. */
  readonly name: string
  readonly readEvents: () => AsyncGenerator<readonly FileEvent<T>[], void, undefined>
  /** The times of `readEvents`, in the same order. */
  readonly readTimes: () => AsyncGenerator<Float64Array, void, undefined>
  readonly fingerprint: () => Promise<{ readonly sha256: string; readonly bytes: number }>
}

type CellReader = (path: string, columns: readonly string[]) => AsyncGenerator<CellBlock>

const readers: Readonly<Record<string, CellReader>> = {
  '.parquet': readParquetCells,
  '.ndjson': readNdjsonCells,
  '.jsonl': readNdjsonCells,
}

/** Rows handed on at a time, whatever the file's row groups are. */
const blockRowsMax = 4096

/**
 * @param file index of the file among those given.
 * @param defaults values of text fields where the file has none.
 */
export const openTransactionFile = (
  path: string,
  columns: ColumnMap,
  file: number,
  defaults?: Readonly<Record<string, string>>,
) =>
  openEventFile<Transaction>(path, {
    columns: columnsOf('transactions', columns),
    timeColumn: columns.eventTime ?? 'eventTime',
    createDecoder: () => createTransactionDecoder(columns, file, defaults),
    createTimeDecoder: () => createTimeDecoder(columns, 'eventTime'),
  })

/** The same file, of which only what labels repeat is read. */
export const openKeyFile = (path: string, columns: ColumnMap, file: number) =>
  openEventFile<TransactionKeys>(path, {
    columns: columnsOf('transactionKeys', columns),
    timeColumn: columns.eventTime ?? 'eventTime',
    createDecoder: () => createKeyDecoder(columns, file),
    createTimeDecoder: () => createTimeDecoder(columns, 'eventTime'),
  })

export const openLabelFile = (path: string, columns: ColumnMap, file: number) =>
  openEventFile<Label>(path, {
    columns: columnsOf('labels', columns),
    timeColumn: columns.labelTime ?? 'labelTime',
    createDecoder: () => createLabelDecoder(columns, file),
    createTimeDecoder: () => createTimeDecoder(columns, 'labelTime'),
  })

/** Labels without time and keys of their transactions. */
export const openBareLabelFile = (path: string, columns: ColumnMap, file: number) =>
  openEventFile<BareLabel>(path, {
    columns: columnsOf('bareLabels', columns),
    timeColumn: columns.labelTime ?? 'labelTime',
    createDecoder: () => createBareLabelDecoder(columns, file),
    createTimeDecoder: () => createTimeDecoder(columns, 'labelTime'),
  })

type Decoding<T> = {
  readonly columns: readonly string[]
  readonly timeColumn: string
  readonly createDecoder: () => BlockDecoder<T>
  readonly createTimeDecoder: () => (block: CellBlock) => Float64Array
}

function openEventFile<T>(path: string, decoding: Decoding<T>): EventFile<T> {
  const readCells = readers[extname(path).toLowerCase()]
  if (readCells === undefined) {
    const endings = Object.keys(readers).join(', ')
    throw new WeirError('WEIR_FILE_INVALID', `${path}: expected a name that ends in ${endings}.`)
  }
  return {
    path,
    name: basename(path),
    fingerprint: () => fingerprint(path),
    readEvents: async function* () {
      const decode = decoding.createDecoder()
      for await (const block of readCells(path, decoding.columns)) {
        for (const part of splitBlock(block)) yield decode(part)
      }
    },
    readTimes: async function* () {
      const decode = decoding.createTimeDecoder()
      for await (const block of readCells(path, [decoding.timeColumn])) yield decode(block)
    },
  }
}

function* splitBlock(block: CellBlock): Generator<CellBlock, void, undefined> {
  for (let from = 0; from < block.count; from += blockRowsMax) {
    const count = Math.min(blockRowsMax, block.count - from)
    yield {
      firstRow: block.firstRow + from,
      count,
      cells: (column) => slice(block.cells(column), from, from + count),
      broken: new Map([...block.broken].map(([row, fault]) => [row - from, fault])),
    }
  }
}

const slice = (cells: ArrayLike<unknown> | null, from: number, to: number) =>
  cells === null ? null : (cells as readonly unknown[]).slice(from, to)

async function fingerprint(path: string) {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk as Buffer)
    bytes += (chunk as Buffer).length
  }
  return { sha256: hash.digest('hex'), bytes }
}
