// pipelines/handbook.yaml: Weir's features are the exact ones of the Fraud Detection Handbook.
//
// The generated history has the files' format, and so many equal seconds and transactions on the
// very edges of the windows that each rule of the definition decides something. The other test
// compares the published features of a whole week; it skips where the data set is not there.

import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readTable, type Table } from '../../load/handbook/read-table.ts'
import { loadPipelineFile } from '../../services/adapters/pipeline-file/pipeline-file.ts'
import { runReplay } from '../../services/replay/run-replay.ts'
import { repositoryPath } from '../adapters/pipeline-file/pipeline-text.ts'
import { createRandom } from '../support/random.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import {
  type HandbookRow,
  handbookFolder,
  hasHandbook,
  readHandbookRows,
  whySkipped,
  writeHandbookFiles,
} from './handbook-files.ts'
import { naiveFeatures } from './naive-features.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const names = [
  ...['amount', 'is_weekend', 'is_night'],
  ...[1, 7, 30].map((days) => `customer_count_${days}d`),
  ...[1, 7, 30].map((days) => `customer_amount_mean_${days}d`),
  ...[1, 7, 30].map((days) => `terminal_count_${days}d`),
  ...[1, 7, 30].map((days) => `terminal_risk_${days}d`),
]

describe('handbook features', () => {
  test('handbook features - are those of the definition on generated files', async () => {
    const seed = 20_180_401
    const rows = generateRows(seed)
    const found = await replayFeatures(rows)
    const expected = naiveFeatures(rows)
    const columnOf = (name: string) => expected.map((features) => features[name]!)
    expect(Math.max(...columnOf('terminal_risk_7d')), `seed ${seed}`).toBeGreaterThan(0)
    for (const name of names) {
      expect(differences(found.get(name)!, columnOf(name), name), `seed ${seed}`).toEqual([])
    }
  })

  test.skipIf(!hasHandbook)(
    `handbook features - equal the published ones of 67,240 transactions${hasHandbook ? '' : `: ${whySkipped}`}`,
    { timeout: 180_000 },
    async () => {
      const published = await readTable(
        join(handbookFolder, 'features_2018-07-25_2018-07-31.parquet'),
        ['transaction_id', ...Object.values(publishedNames)],
      )
      const week = Date.UTC(2018, 6, 25)
      // The longest window, 30 days, ends 7 days before its transaction.
      const rows = await readHandbookRows(week - 37 * dayMs, week + 7 * dayMs)
      const found = await replayFeatures(rows)
      const first = rows.findIndex(({ eventTimeMs }) => eventTimeMs >= week)
      const ids = published.get('transaction_id')!
      expect(ids.length).toBe(67_240)
      expect(found.get('transactionId')!.slice(first)).toEqual(ids)
      for (const [name, column] of Object.entries(publishedNames)) {
        const ofWeek = found.get(name)!.slice(first)
        expect(differences(ofWeek, published.get(column)!, name)).toEqual([])
      }
      const amounts = rows.slice(first).map(({ amountMinor }) => amountMinor / 100)
      expect(differences(found.get('amount')!.slice(first), amounts, 'amount')).toEqual([])
    },
  )
})

const publishedNames: Readonly<Record<string, string>> = {
  is_weekend: 'TX_DURING_WEEKEND',
  is_night: 'TX_DURING_NIGHT',
  ...Object.fromEntries(
    [1, 7, 30].flatMap((days) => [
      [`customer_count_${days}d`, `CUSTOMER_ID_NB_TX_${days}DAY_WINDOW`],
      [`customer_amount_mean_${days}d`, `CUSTOMER_ID_AVG_AMOUNT_${days}DAY_WINDOW`],
      [`terminal_count_${days}d`, `TERMINAL_ID_NB_TX_${days}DAY_WINDOW`],
      [`terminal_risk_${days}d`, `TERMINAL_ID_RISK_${days}DAY_WINDOW`],
    ]),
  ),
}

/** Largest difference of a feature: float32 keeps 24 bits, and counts are below 2^24. */
function toleranceOf(name: string): number {
  if (name.includes('amount')) return 1e-4
  return name.includes('risk') ? 1e-6 : 0
}

/** The first few, each with its row. */
function differences(found: readonly number[], expected: readonly number[], name: string) {
  expect(found.length).toBe(expected.length)
  const tolerance = toleranceOf(name)
  return expected
    .map((value, row) => ({ name, row, found: found[row]!, expected: value }))
    .filter((row) => !(Math.abs(row.found - row.expected) <= tolerance))
    .slice(0, 5)
}

async function replayFeatures(rows: readonly HandbookRow[]): Promise<Table> {
  const folder = temporaryFolder()
  const report = await runReplay({
    definition: loadPipelineFile(repositoryPath('pipelines/handbook.yaml')),
    ...writeHandbookFiles(folder, rows),
    isScoring: false,
    outFolder: join(folder, 'run'),
  })
  expect(report).toMatchObject({ events: rows.length, rejected: 0, labelsRejected: 0 })
  return readTable(join(folder, 'run', 'features.parquet'), ['transactionId', ...names])
}

/** Whole hours, so that many times are equal or exactly a window apart; some a second off. */
function generateRows(seed: number, count = 3000): readonly HandbookRow[] {
  const random = createRandom(seed)
  const startMs = Date.UTC(2018, 3, 1)
  const times = Array.from({ length: count }, () => {
    const offMs = random.chance(0.2) ? 1000 : 0
    return startMs + random.integer(0, 60 * 24 - 1) * hourMs + offMs
  }).sort((a, b) => a - b)
  return times.map((eventTimeMs, transactionId) => ({
    transactionId,
    eventTimeMs,
    customerId: random.integer(1, 12),
    terminalId: random.integer(1, 10),
    amountMinor: random.integer(0, 30_000),
    isFraud: random.chance(0.12),
  }))
}
