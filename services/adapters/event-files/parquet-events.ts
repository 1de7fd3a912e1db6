// The cells of a Parquet file, row group after row group.
//
// In: a path and the columns wanted. Out: blocks of the file's rows in their order: decimals and
// times without a zone as raw values (core/raw-values.ts), whole numbers as bigint where no double
// holds them, moments in time as ms, named as `instants`; structs, lists and maps as objects and
// arrays. Refused with WEIR_FILE_INVALID: a file that is not Parquet or not readable. Invariants:
// memory holds one row group of the wanted columns; columns that the file lacks are simply not in
// the blocks.

import { stat } from 'node:fs/promises'
import {
  asyncBufferFromFile,
  type DecodedArray,
  type ParquetScan,
  parquetMetadataAsync,
  parquetScan,
  parquetSchema,
} from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { type ColumnReading, readingOf, showStored } from './parquet-values.ts'
import { refuseFile } from './refuse-file.ts'
import type { TypedCells } from './typed-cells.ts'

/** INT96 is the one stored type that hyparquet takes for a time by itself. */
const parsers = { timestampFromNanoseconds: (nanos: bigint) => nanos }

export async function* readParquetCells(
  path: string,
  columns: readonly string[],
): AsyncGenerator<TypedCells, void, undefined> {
  try {
    await stat(path)
    const file = await asyncBufferFromFile(path)
    const metadata = await parquetMetadataAsync(file)
    const tree = parquetSchema(metadata)
    const readings = new Map<string, ColumnReading>()
    for (const node of tree.children) {
      if (columns.includes(node.element.name)) readings.set(node.element.name, readingOf(node))
    }
    const wanted = [...readings.keys()]
    const instants = new Set(wanted.filter((column) => readings.get(column)!.isInstant))
    const stored = showStored(metadata, tree)
    const options = { file, metadata: stored, columns: wanted, compressors, parsers, utf8: false }
    const scan = await parquetScan(options)
    const header = tree.children.map(({ element }) => element.name)
    for (const range of scan.ranges) {
      yield { ...(await readGroup(scan, range, readings)), header, instants }
    }
  } catch (cause) {
    throw refuseFile(path, cause, 'a Parquet file')
  }
}

async function readGroup(
  scan: ParquetScan,
  { rowStart, rowEnd }: { readonly rowStart: number; readonly rowEnd: number },
  readings: ReadonlyMap<string, ColumnReading>,
): Promise<TypedCells> {
  const arrays = new Map<string, ArrayLike<unknown>>()
  for (const [column, { convert }] of readings) {
    const cells = await scan.readColumn({ column, rowStart, rowEnd })
    arrays.set(column, convert === null ? cells : convertAll(cells, convert))
  }
  return {
    firstRow: rowStart,
    count: rowEnd - rowStart,
    cells: (column) => arrays.get(column) ?? null,
    broken: new Map(),
  }
}

function convertAll(cells: DecodedArray, convert: (cell: unknown) => unknown): unknown[] {
  const converted: unknown[] = new Array(cells.length)
  for (let i = 0; i < cells.length; i++) {
    const cell: unknown = cells[i]
    converted[i] = cell === null || cell === undefined ? undefined : convert(cell)
  }
  return converted
}
