// DuckDB's window functions as an oracle: an engine that shares no line of code with Weir says the
// same of the same Parquet files, to the last bit of every float32.

import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { describe, expect, test } from 'vitest'
import { composeFeatureSql, type HistoryFiles } from '../../load/bench/verify/feature-sql.ts'
import { labelColumns, transactionColumns } from '../../load/generator/file-sink.ts'
import { type ColumnTypes, openParquetFile } from '../../load/generator/parquet-file.ts'
import { generateHistory } from '../../load/generator/timeline.ts'
import { loadPipelineFile } from '../../services/adapters/pipeline-file/pipeline-file.ts'
import type {
  FeatureDefinition,
  PipelineDefinition,
} from '../../services/core/pipeline-definition.ts'
import { runReplay } from '../../services/replay/run-replay.ts'
import { repositoryPath } from '../adapters/pipeline-file/pipeline-text.ts'
import {
  customer,
  DAY_MS,
  fieldFeature,
  HOUR_MS,
  pair,
  pipelineOf,
  terminal,
  windowFeature,
} from '../support/pipelines.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

type Rows = readonly Readonly<Record<string, unknown>>[]

function writeRows(path: string, columns: ColumnTypes, rows: readonly object[]): string {
  const file = openParquetFile(path, columns)
  for (const row of rows) file.write(row)
  file.close()
  return path
}

/** @param stepMs event times are whole multiples of it: the longer, the more of them are equal. */
function writeHistory(seed: number, stepMs: number): HistoryFiles {
  const { transactions, labels } = generateHistory({
    seed,
    customers: 60,
    terminals: 40,
    days: 60,
    transactionsPerCustomerPerDay: 3,
    fraudShare: 0.1,
    genuineLabelShare: 0.05,
  })
  const floor = <T extends { readonly eventTime: number }>(event: T): T => ({
    ...event,
    eventTime: Math.floor(event.eventTime / stepMs) * stepMs,
  })
  const folder = temporaryFolder()
  return {
    transactions: writeRows(
      join(folder, 'transactions.parquet'),
      transactionColumns,
      transactions.map(floor),
    ),
    labels: writeRows(join(folder, 'labels.parquet'), labelColumns, labels.map(floor)),
  }
}

async function readParquet(path: string): Promise<Rows> {
  return parquetReadObjects({ file: await asyncBufferFromFile(path), compressors })
}

async function replayed(definition: PipelineDefinition, files: HistoryFiles): Promise<Rows> {
  const outFolder = join(temporaryFolder(), 'run')
  await runReplay({
    definition,
    isScoring: false,
    outFolder,
    transactionFiles: [files.transactions],
    labelFiles: [files.labels],
  })
  return readParquet(join(outFolder, 'features.parquet'))
}

async function queried(definition: PipelineDefinition, files: HistoryFiles): Promise<Rows> {
  const database = await DuckDBInstance.create(':memory:', { threads: '1' })
  const connection = await database.connect()
  try {
    const reader = await connection.runAndReadAll(composeFeatureSql(definition, files))
    return reader.getRowObjectsJS()
  } finally {
    connection.closeSync()
    database.closeSync()
  }
}

/** Every feature of every row; the first that differs is shown with its row. */
function expectSame(definition: PipelineDefinition, rows: Rows, truth: Rows): void {
  expect(rows).toHaveLength(truth.length)
  for (const [i, row] of rows.entries()) {
    const pick = (from: Readonly<Record<string, unknown>>) =>
      ['transactionId', ...definition.features.map(({ name }) => name)].map((name) => from[name])
    if (pick(row).every((cell, c) => Object.is(cell, pick(truth[i]!)[c]))) continue
    expect({ row: i, values: pick(row) }).toEqual({ row: i, values: pick(truth[i]!) })
  }
}

const distinct = (rows: Rows, name: string): number => new Set(rows.map((row) => row[name])).size

const calendar = { kind: 'calendar', fromHour: 22, toHour: 5 } as const

const richFeatures: readonly FeatureDefinition[] = [
  fieldFeature({ field: 'amountMinor', scale: 0.01 }),
  fieldFeature({ field: 'channel', equals: ['online'], absent: -1 }),
  { ...calendar, name: 'weekday', calendar: 'day_of_week' },
  { ...calendar, name: 'is_night', calendar: 'hours' },
  windowFeature({ entity: 'customer', op: 'sum', windowMs: HOUR_MS, of: 'amountMinor' }),
  windowFeature({
    entity: 'customer',
    op: 'mean',
    windowMs: 7 * DAY_MS,
    of: 'amountMinor',
    current: false,
  }),
  windowFeature({ entity: 'terminal', op: 'count', windowMs: DAY_MS, delayMs: HOUR_MS }),
  windowFeature({
    entity: 'terminal',
    op: 'fraud_rate',
    name: 'risk',
    windowMs: 14 * DAY_MS,
    absent: -1,
  }),
  windowFeature({ entity: 'pair', op: 'count', windowMs: 30 * DAY_MS, current: false }),
  windowFeature({ entity: 'customer', op: 'count', name: 'same_time', windowMs: 1 }),
  {
    kind: 'ratio',
    name: 'by_mean',
    numerator: 'amountMinor',
    denominator: `customer_mean_${7 * DAY_MS}`,
    absent: -1,
  },
]
const richTable = pipelineOf({ entities: [customer, terminal, pair], features: richFeatures })

describe('features in SQL', () => {
  test('features in SQL - refuses what a frame cannot say, by name', () => {
    const { entities } = richTable
    const features = [
      windowFeature({ entity: 'customer', op: 'distinct', windowMs: 1, of: 'deviceId' }),
      windowFeature({ entity: 'customer', op: 'count', windowMs: 2000, tailMs: 1000 }),
    ]
    const files = { transactions: 'transactions.parquet', labels: 'labels.parquet' }
    expect(() => composeFeatureSql(pipelineOf({ entities, features }), files)).toThrow(
      'found customer_distinct_1, customer_count_2000, expected count, sum, mean or fraud_rate',
    )
  })

  test('features in SQL - are those of a replay, for the fifteen of the handbook', async () => {
    const definition = loadPipelineFile(repositoryPath('load/bench/pipelines/replay.yaml'))
    const files = writeHistory(41, 1)
    const [rows, truth] = [await replayed(definition, files), await queried(definition, files)]
    expectSame(definition, rows, truth)
    expect(rows.length).toBeGreaterThan(9_000)
    expect(distinct(rows, 'terminal_risk_30d')).toBeGreaterThan(100)
  })

  test.each([1_000, HOUR_MS])(
    'features in SQL - are those of a replay where times are equal, to %i ms',
    async (stepMs) => {
      const files = writeHistory(42, stepMs)
      const [rows, truth] = [await replayed(richTable, files), await queried(richTable, files)]
      expectSame(richTable, rows, truth)
      expect(distinct(rows, 'risk')).toBeGreaterThan(50)
      expect(distinct(rows, 'same_time')).toBeGreaterThan(stepMs === HOUR_MS ? 3 : 0)
    },
  )
})
