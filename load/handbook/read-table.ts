// Columns of a Parquet file as numbers.
//
// In: a path and the columns wanted. Out: each column whole: times as ms, flags as 0 and 1, ids
// that are digits as numbers. Refused with WEIR_FILE_INVALID: a file that is not Parquet.

import { readParquetCells } from '../../services/adapters/event-files/parquet-events.ts'

export type Table = ReadonlyMap<string, readonly number[]>

export async function readTable(path: string, columns: readonly string[]): Promise<Table> {
  const table = new Map(columns.map((column) => [column, [] as number[]]))
  for await (const block of readParquetCells(path, columns)) {
    for (const [column, values] of table) {
      const cells = block.cells(column)!
      for (let i = 0; i < block.count; i++) values.push(Number(cells[i]))
    }
  }
  return table
}
