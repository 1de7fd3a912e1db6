/**
 * Rows to a Parquet file (Snappy).
 *
 * In: the columns and their types, then rows, one at a time. Out: the file, complete after `close`.
 * Refused: a path that cannot be written. Invariant: memory holds one row group and the footer.
 *
 * Times are INT64 with TIMESTAMP_MILLIS: hyparquet reads them back as Date, DuckDB and pandas as
 * timestamps. INT64 reads back as bigint. `Number(value)` gives the ms or the amount of either.
 */

import {
  type ColumnSource,
  fileWriter,
  ParquetWriter,
  schemaFromColumnData,
} from 'hyparquet-writer'
import type { RowFile } from './row-file.ts'

type ColumnType = 'STRING' | 'STRING?' | 'INT64' | 'TIMESTAMP' | 'BOOLEAN'
/** By column name, in the file's order; a question mark allows null. */
export type ColumnTypes = Readonly<Record<string, ColumnType>>

/** About 5 MB of columns at a time. */
const rowGroupSize = 50_000

interface Column extends ColumnSource {
  readonly type: 'STRING' | 'INT64' | 'TIMESTAMP' | 'BOOLEAN'
  data: unknown[]
}

export function openParquetFile(path: string, types: ColumnTypes): RowFile {
  const columns: Column[] = Object.entries(types).map(([name, type]) => ({
    name,
    type: type === 'STRING?' ? 'STRING' : type,
    nullable: type === 'STRING?',
    data: [],
  }))
  const schema = schemaFromColumnData({ columnData: columns })
  const writer = new ParquetWriter({ writer: fileWriter(path), schema })
  const flush = () => {
    if (columns[0]!.data.length === 0) return
    writer.write({ columnData: columns, rowGroupSize })
    for (const column of columns) column.data = []
  }
  return {
    write: (row) => {
      const values = row as Readonly<Record<string, unknown>>
      for (const column of columns) column.data.push(toCell(column, values[column.name]))
      if (columns[0]!.data.length === rowGroupSize) flush()
    },
    close: () => {
      flush()
      writer.finish()
    },
  }
}

function toCell(column: Column, value: unknown): unknown {
  if (column.type === 'INT64') return BigInt(value as number)
  return column.type === 'TIMESTAMP' ? new Date(value as number) : value
}
