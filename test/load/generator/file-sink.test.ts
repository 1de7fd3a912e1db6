// Files: what was generated is what is read back, in both formats, over several row groups.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { labelColumns, transactionColumns, writeFiles } from '../../../load/generator/file-sink.ts'
import { generateHistory } from '../../../load/generator/timeline.ts'
import { labelType, transactionType } from '../../../load/generator/wire.ts'

const generator = { seed: 4, customers: 1_000, terminals: 1_000, days: 32 }
const history = generateHistory(generator)
const truth = [...history.fraudById].map(([transactionId, scenario]) => ({
  transactionId,
  scenario,
}))
let directory: string

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-generator-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

async function readParquet(name: string): Promise<Record<string, unknown>[]> {
  return parquetReadObjects({ file: await asyncBufferFromFile(join(directory, name)) })
}

/** Dates and bigints as the numbers they were. */
function plain(row: Record<string, unknown>): Record<string, unknown> {
  const isNumber = (value: unknown) => value instanceof Date || typeof value === 'bigint'
  const entries = Object.entries(row)
  return Object.fromEntries(
    entries.map(([name, value]) => [name, isNumber(value) ? Number(value) : value]),
  )
}

describe('files', () => {
  it('files - round-trip through Parquet, in bounded row groups', async () => {
    const counts = writeFiles({ directory, format: 'parquet', generator })
    expect(counts).toEqual({
      transactions: history.transactions.length,
      labels: history.labels.length,
      frauds: truth.length,
    })
    const transactions = await readParquet('transactions.parquet')
    expect(transactions[0]!.eventTime).toBeInstanceOf(Date)
    expect(transactions.map(plain)).toEqual(history.transactions)
    expect((await readParquet('labels.parquet')).map(plain)).toEqual(history.labels)
    expect(await readParquet('frauds.parquet')).toEqual(truth)
    const file = await asyncBufferFromFile(join(directory, 'transactions.parquet'))
    const groups = (await parquetMetadataAsync(file)).row_groups.map(({ num_rows }) => num_rows)
    expect(groups.length).toBeGreaterThan(1)
    expect(groups[0]).toBe(50_000n)
  })

  it('files - round-trip through NDJSON', () => {
    writeFiles({ directory, format: 'ndjson', generator })
    const read = (name: string) =>
      readFileSync(join(directory, name), 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line))
    expect(read('transactions.ndjson')).toEqual(history.transactions)
    expect(read('labels.ndjson')).toEqual(history.labels)
    expect(read('frauds.ndjson')).toEqual(truth)
  })

  it('files - repeat to the byte', () => {
    const bytes = () => {
      writeFiles({ directory, format: 'parquet', generator: { ...generator, days: 2 } })
      return readFileSync(join(directory, 'transactions.parquet'))
    }
    expect(bytes().equals(bytes())).toBe(true)
  })

  it('files - can be read when a history is empty', async () => {
    const counts = writeFiles({
      directory,
      format: 'parquet',
      generator: { ...generator, count: 0 },
    })
    expect(counts).toEqual({ transactions: 0, labels: 0, frauds: 0 })
    expect(await readParquet('transactions.parquet')).toEqual([])
  })

  it('files - have the columns of the Avro schemas, in their order', () => {
    const fieldsOf = (type: typeof transactionType) =>
      (type.schema() as unknown as { fields: { name: string }[] }).fields.map(({ name }) => name)
    expect(Object.keys(transactionColumns)).toEqual(fieldsOf(transactionType))
    expect(Object.keys(labelColumns)).toEqual(fieldsOf(labelType))
  })
})
