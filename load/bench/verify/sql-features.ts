// The same features by DuckDB: how long its window query takes, and whether it finds the same.
//
// In: a query, the rows of a replay. Out: seconds, and how many rows differ in any float32.
// Refused: what DuckDB refuses. Invariants: it reads and writes Parquet as the replay does, with
// all cores that it wants, and knows nothing of Weir; a row that only one of the two has counts as
// differing.

import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { text } from './feature-sql.ts'

export type SqlRun = { readonly seconds: number; readonly differing: number }

type SqlOptions = {
  readonly sql: string
  readonly features: readonly string[]
  /** Rows of the replay that is held against it. */
  readonly parquet: string
  readonly folder: string
}

export async function runSql({ sql, features, parquet, folder }: SqlOptions): Promise<SqlRun> {
  const database = await DuckDBInstance.create(':memory:')
  const connection = await database.connect()
  const path = join(folder, 'sql.parquet')
  try {
    const startedMs = performance.now()
    await connection.run(`COPY (${sql}) TO ${text(path)} (FORMAT parquet, COMPRESSION zstd)`)
    const seconds = (performance.now() - startedMs) / 1000
    const differ = features.map((name) => `ours."${name}" IS DISTINCT FROM theirs."${name}"`)
    const reader = await connection.runAndReadAll(
      `SELECT count(*)::INTEGER FROM ${text(parquet)} ours FULL JOIN ${text(path)} theirs ` +
        `ON ours."transactionId" = theirs."transactionId" WHERE ${differ.join(' OR ')}`,
    )
    return { seconds, differing: Number(reader.getRows()[0]![0]) }
  } finally {
    connection.closeSync()
    database.closeSync()
  }
}
