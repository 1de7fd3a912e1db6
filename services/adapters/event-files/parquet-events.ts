// The cells of a Parquet file, row group after row group.
//
// In: a path and the columns wanted. Out: CellBlocks of the file's rows in their order. Refused
// with WEIR_FILE_INVALID: a file that is not Parquet or not readable. Invariants: memory holds one
// row group of the wanted columns; columns that the file lacks are simply not in the blocks.

import { stat } from 'node:fs/promises'
import {
  asyncBufferFromFile,
  type DecodedArray,
  parquetMetadataAsync,
  parquetScan,
} from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { WeirError } from '../../core/errors.ts'
import type { CellBlock } from './event-block.ts'

/** Timestamps as plain ms: a Date per cell would cost more than the rest of the row. */
const parsers = {
  timestampFromMilliseconds: (ms: bigint) => Number(ms),
  timestampFromMicroseconds: (micros: bigint) => Number(micros / 1000n),
  timestampFromNanoseconds: (nanos: bigint) => Number(nanos / 1_000_000n),
}

export async function* readParquetCells(
  path: string,
  columns: readonly string[],
): AsyncGenerator<CellBlock, void, undefined> {
  try {
    await stat(path)
    const file = await asyncBufferFromFile(path)
    const metadata = await parquetMetadataAsync(file)
    const known = new Set(metadata.schema.map(({ name }) => name))
    const header = metadata.schema.slice(1).map(({ name }) => name)
    const instants = new Set(metadata.schema.filter(isInstant).map(({ name }) => name))
    const wanted = columns.filter((column) => known.has(column))
    const scan = await parquetScan({ file, metadata, columns: wanted, compressors, parsers })
    for (const { rowStart, rowEnd } of scan.ranges) {
      const arrays = new Map<string, DecodedArray>()
      for (const column of wanted) {
        arrays.set(column, await scan.readColumn({ column, rowStart, rowEnd }))
      }
      yield {
        firstRow: rowStart,
        count: rowEnd - rowStart,
        cells: (column) => arrays.get(column) ?? null,
        broken: new Map(),
        header,
        instants,
      }
    }
  } catch (cause) {
    throw refuse(path, cause)
  }
}

type SchemaElement = Awaited<ReturnType<typeof parquetMetadataAsync>>['schema'][number]

const isInstant = ({ type, logical_type, converted_type }: SchemaElement): boolean =>
  type === 'INT96' ||
  logical_type?.type === 'TIMESTAMP' ||
  (converted_type?.startsWith('TIMESTAMP') ?? false)

const refuse = (path: string, cause: unknown): WeirError => {
  if (cause instanceof WeirError) return cause
  const reason = cause instanceof Error ? cause.message : String(cause)
  const detail = `${path}: ${reason} (expected a Parquet file)`
  return new WeirError('WEIR_FILE_INVALID', detail, { cause })
}
