// The files that the replay bench reads: a history of the bench's world as Parquet, made once.
//
// In: how many transactions. Out: the files, in .weir/bench of the checkout. Refused: a folder that
// cannot be written. Invariants: the same customers and terminals whatever the length, so that only
// the history grows; a folder is complete or not there.

import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryFolder } from '../../../dev/stack/repository.ts'
import { writeFiles } from '../../generator/file-sink.ts'
import { benchPreset } from '../../generator/options.ts'
import type { HistoryFiles } from '../verify/feature-sql.ts'

const cacheFolder = join(repositoryFolder, '.weir', 'bench')

export function openReplayHistory(transactions: number, say: (line: string) => void): HistoryFiles {
  const { customers, transactionsPerCustomerPerDay } = benchPreset
  const folder = join(cacheFolder, `replay-${transactions}`)
  if (!existsSync(folder)) {
    say(`generating ${transactions} transactions`)
    const draft = `${folder}.${process.pid}.tmp`
    mkdirSync(draft, { recursive: true })
    // Days to spare: what ends the history is its count.
    const days = 2 * Math.ceil(transactions / (customers * transactionsPerCustomerPerDay))
    const generator = { ...benchPreset, days, count: transactions }
    writeFiles({ directory: draft, format: 'parquet', generator })
    rmSync(folder, { recursive: true, force: true })
    renameSync(draft, folder)
  }
  const path = (name: string) => join(folder, `${name}.parquet`)
  return { transactions: path('transactions'), labels: path('labels') }
}
