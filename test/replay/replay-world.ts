// A small generated history for the replay's tests, its files in any shape, and what a run wrote.
//
// Out: transactions and labels of a world small enough that the same customers and terminals meet
// again and again; files of them as NDJSON; the rows of a run folder read back.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { generateHistory } from '../../load/generator/timeline.ts'
import { loadPipelineFile } from '../../services/adapters/pipeline-file/pipeline-file.ts'
import { readManifest } from '../../services/adapters/pipeline-file/pipeline-manifest.ts'
import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'
import type { ReplayReport } from '../../services/replay/run-records.ts'
import { type FileReplayOptions, runReplay } from '../../services/replay/run-replay.ts'
import { repositoryPath } from '../adapters/pipeline-file/pipeline-text.ts'
import type { CardLabel, CardTransaction } from '../support/batches.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

export type SmallHistory = {
  readonly transactions: readonly CardTransaction[]
  readonly labels: readonly CardLabel[]
}

export const smallWorld = (seed: number, days = 20) => ({
  seed,
  customers: 12,
  terminals: 8,
  days,
  transactionsPerCustomerPerDay: 3,
  fraudShare: 0.1,
  genuineLabelShare: 0.1,
  labelDelayMeanDays: 2,
})

export const smallHistory = (seed: number, days = 20): SmallHistory =>
  generateHistory(smallWorld(seed, days))

export const shippedPipeline = (): PipelineDefinition =>
  loadPipelineFile(repositoryPath('pipelines/card-fraud.yaml'), {
    manifestReader: readManifest,
    baseFolder: repositoryPath('.'),
  })

export function writeNdjson(folder: string, name: string, rows: readonly object[]): string {
  const path = join(folder, name)
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  return path
}

export type Run = {
  readonly folder: string
  readonly report: ReplayReport
  /** The Parquet file to the byte. */
  readonly bytes: Buffer
  readonly read: (name: string) => string
  readonly rows: () => Promise<readonly Record<string, unknown>[]>
}

/** A replay of NDJSON files made of the history; anything may be given in place of the defaults. */
export async function replaySmall(
  history: SmallHistory,
  wanted: Partial<FileReplayOptions> = {},
): Promise<Run> {
  const folder = temporaryFolder()
  const options = {
    definition: wanted.definition ?? shippedPipeline(),
    transactionFiles: [writeNdjson(folder, 'transactions.ndjson', history.transactions)],
    labelFiles: [writeNdjson(folder, 'labels.ndjson', history.labels)],
    isScoring: false,
    outFolder: join(folder, 'run'),
    ...wanted,
  }
  const report = await runReplay(options)
  return readRun(options.outFolder, report)
}

export function readRun(folder: string, report: ReplayReport): Run {
  const read = (name: string) => readFileSync(join(folder, name), 'utf8')
  const { outputs } = JSON.parse(read('manifest.json')) as { outputs: Record<string, unknown> }
  const path = join(folder, Object.keys(outputs).find((name) => name.endsWith('.parquet'))!)
  return {
    folder,
    report,
    bytes: readFileSync(path),
    read,
    rows: async () => parquetReadObjects({ file: await asyncBufferFromFile(path), compressors }),
  }
}
