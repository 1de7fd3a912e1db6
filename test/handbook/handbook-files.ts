// The public data set where it lies, and files in its format.
//
// In: the folder WEIR_DATA, or ../shared/data beside the checkout. Out: its path or the reason why
// a test skips; its rows; transactions and labels written as the data set has them. Invariant:
// nothing of the data set is copied into the repository; excerpts are made in a test's folder.

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parquetWriteFile } from 'hyparquet-writer'
import { repositoryFolder } from '../../dev/stack/repository.ts'
import { readTable } from '../../load/handbook/read-table.ts'

const dataFolder = process.env.WEIR_DATA ?? resolve(repositoryFolder, '../shared/data')
export const handbookFolder = join(dataFolder, 'handbook')
export const hasHandbook = existsSync(join(handbookFolder, 'transactions.parquet'))
export const whySkipped = `no data set in ${handbookFolder} (WEIR_DATA)`

export type HandbookRow = {
  readonly transactionId: number
  readonly eventTimeMs: number
  readonly customerId: number
  readonly terminalId: number
  readonly amountMinor: number
  readonly isFraud: boolean
}

const dayMs = 86_400_000
export const labelDelayMs = 7 * dayMs

/** Both files in the format of the data set, labels in the order of the transactions. */
export function writeHandbookFiles(folder: string, rows: readonly HandbookRow[]) {
  const files = {
    transactionFiles: [join(folder, 'transactions.parquet')],
    labelFiles: [join(folder, 'labels.parquet')],
  }
  const ids = rows.map(({ transactionId }) => BigInt(transactionId))
  parquetWriteFile({
    filename: files.transactionFiles[0]!,
    columnData: [
      { name: 'transaction_id', data: ids, type: 'INT64' },
      { name: 'event_time', data: rows.map((row) => new Date(row.eventTimeMs)), type: 'TIMESTAMP' },
      { name: 'customer_id', data: rows.map((row) => row.customerId), type: 'INT32' },
      { name: 'terminal_id', data: rows.map((row) => row.terminalId), type: 'INT32' },
      { name: 'amount_minor', data: rows.map((row) => row.amountMinor), type: 'INT32' },
    ],
  })
  const labelTimes = rows.map((row) => new Date(row.eventTimeMs + labelDelayMs))
  parquetWriteFile({
    filename: files.labelFiles[0]!,
    columnData: [
      { name: 'transaction_id', data: ids, type: 'INT64' },
      { name: 'is_fraud', data: rows.map((row) => row.isFraud), type: 'BOOLEAN' },
      { name: 'label_time', data: labelTimes, type: 'TIMESTAMP' },
    ],
  })
  return files
}

/** The rows of the data set with an event time in [fromMs, toMs). */
export async function readHandbookRows(fromMs: number, toMs: number): Promise<HandbookRow[]> {
  const names = ['transaction_id', 'event_time', 'customer_id', 'terminal_id', 'amount_minor']
  const transactions = await readTable(join(handbookFolder, 'transactions.parquet'), names)
  const [ids, times, customers, terminals, amounts] = names.map((name) => transactions.get(name)!)
  const labels = await readTable(join(handbookFolder, 'labels.parquet'), ['is_fraud'])
  const rows: HandbookRow[] = []
  // Both files are sorted by transaction id, without gaps.
  for (const [i, eventTimeMs] of times!.entries()) {
    if (eventTimeMs < fromMs || eventTimeMs >= toMs) continue
    rows.push({
      transactionId: ids![i]!,
      eventTimeMs,
      customerId: customers![i]!,
      terminalId: terminals![i]!,
      amountMinor: amounts![i]!,
      isFraud: labels.get('is_fraud')![i] === 1,
    })
  }
  return rows
}
