/**
 * A history into files, for training and replay.
 *
 * In: a folder, a format and the knobs. Out: three files with a row per record, and their counts:
 *
 *   transactions.<format>   the fields of schemas/transaction.avsc, by event time
 *   labels.<format>         the fields of schemas/label.avsc, by label time, those after the last
 *                           transaction included
 *   frauds.<format>         transactionId, scenario: the truth, reported or not
 *
 * Refused: a folder that cannot be written. Invariant: memory holds a row group and a day.
 */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { openNdjsonFile } from './ndjson-file.ts'
import type { GeneratorOptions } from './options.ts'
import { type ColumnTypes, openParquetFile } from './parquet-file.ts'
import type { RowFile } from './row-file.ts'
import { generateTimeline } from './timeline.ts'

export const fileFormats = ['parquet', 'ndjson'] as const
export type FileFormat = (typeof fileFormats)[number]

interface FileCounts {
  transactions: number
  labels: number
  frauds: number
}

/** In the order of the Avro schemas. */
export const transactionColumns: ColumnTypes = {
  transactionId: 'STRING',
  eventTime: 'TIMESTAMP',
  customerId: 'STRING',
  terminalId: 'STRING',
  amountMinor: 'INT64',
  currency: 'STRING',
  mcc: 'STRING?',
  country: 'STRING?',
  channel: 'STRING?',
  deviceId: 'STRING?',
  ipAddress: 'STRING?',
}
export const labelColumns: ColumnTypes = {
  transactionId: 'STRING',
  eventTime: 'TIMESTAMP',
  customerId: 'STRING',
  terminalId: 'STRING',
  isFraud: 'BOOLEAN',
  labelTime: 'TIMESTAMP',
  source: 'STRING',
}
const fraudColumns: ColumnTypes = { transactionId: 'STRING', scenario: 'STRING' }

interface FilesOptions {
  readonly directory: string
  readonly format: FileFormat
  readonly generator?: Partial<GeneratorOptions>
}

export function writeFiles({ directory, format, generator }: FilesOptions): FileCounts {
  mkdirSync(directory, { recursive: true })
  const open = (name: string, columns: ColumnTypes): RowFile => {
    const path = join(directory, `${name}.${format}`)
    return format === 'parquet' ? openParquetFile(path, columns) : openNdjsonFile(path)
  }
  const transactions = open('transactions', transactionColumns)
  const labels = open('labels', labelColumns)
  const frauds = open('frauds', fraudColumns)
  const counts: FileCounts = { transactions: 0, labels: 0, frauds: 0 }
  for (const item of generateTimeline(generator)) {
    if (item.kind === 'label') {
      labels.write(item.label)
      counts.labels++
      continue
    }
    transactions.write(item.transaction)
    counts.transactions++
    if (item.fraud === null) continue
    frauds.write({ transactionId: item.transaction.transactionId, scenario: item.fraud })
    counts.frauds++
  }
  for (const file of [transactions, labels, frauds]) file.close()
  return counts
}
