// A replay: history in files through the rooms, into a run folder.
//
// In: a pipeline definition, files of transactions and labels, a folder. Out: the folder with
// manifest.json, features.parquet or scored.parquet, rejected.ndjson, report.json and report.html.
// Refused: files that cannot be read (WEIR_FILE_INVALID), a folder that is not empty
// (WEIR_SETTINGS_INVALID), a model that does not fit. Invariants: nothing here names a live topic,
// group or key; the same input gives the same bytes, whatever the batch size.

import { writeFile } from 'node:fs/promises'
import { openLabelFile, openTransactionFile } from '../adapters/file/event-file.ts'
import { type FeatureRows, openFeatureFile } from '../adapters/file/parquet-features.ts'
import { readManifest } from '../adapters/file/pipeline-manifest.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import type { DecidedBatch, EnrichedBatch, Label } from '../pipeline/records.ts'
import { validateLabel } from '../pipeline/validate/validate.ts'
import { type ExaminedFile, examineFile, mergeByTime } from './ordered-events.ts'
import { openRejectionFile } from './rejection-file.ts'
import { replayBatches } from './replay-batches.ts'
import { openReplayRooms, type ReplayRooms } from './replay-rooms.ts'
import { type BacktestTally, createBacktest } from './report/backtest.ts'
import type { CostTable } from './report/cost-table.ts'
import { composePage } from './report/report-page.ts'
import { openRunFolder, type RunFolder } from './run-folder.ts'
import {
  composeManifest,
  composeReport,
  type ReplayReport,
  type RunOutcome,
} from './run-records.ts'
import { createVerdictTable, type VerdictTable } from './verdict-table.ts'

export type ReplayOptions = {
  readonly definition: PipelineDefinition
  readonly transactionFiles: readonly string[]
  readonly labelFiles: readonly string[]
  readonly isScoring: boolean
  readonly outFolder: string
  readonly costs?: CostTable
  /** Event times in [measureFromMs, measureToMs) are measured; all of them are in the rows. */
  readonly measureFromMs?: number
  readonly measureToMs?: number
  /** Events in one micro-batch; the output does not depend on it. */
  readonly batchEvents?: number
  /** Ends the run early with its reason; the folder is not made then. */
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: ReplayProgress) => void
}

export type ReplayProgress = {
  readonly transactions: number
  readonly transactionsInFiles: number
  /** Event time reached, ms. */
  readonly eventTimeMs: number
}

/** Beyond a few hundred events a batch gets no cheaper, and smaller ones stay in the caches. */
const batchEventsDefault = 1000

export async function runReplay(options: ReplayOptions): Promise<ReplayReport> {
  const folder = await openRunFolder(options.outFolder)
  try {
    const report = await replayInto(folder, options)
    await folder.publish()
    return report
  } catch (error) {
    await folder.discard()
    throw error
  }
}

async function replayInto(folder: RunFolder, options: ReplayOptions): Promise<ReplayReport> {
  const { definition, isScoring } = options
  const inputs = await examineInputs(options)
  const verdicts = await collectVerdicts(inputs.labels, options)
  const rejections = openRejectionFile(folder.pathOf('rejected.ndjson'), {
    transactions: inputs.transactions.map(({ file }) => file.name),
    labels: inputs.labels.map(({ file }) => file.name),
  })
  const rooms = await openReplayRooms(definition, isScoring)
  const rowsName: RunOutcome['rowsName'] = isScoring ? 'scored.parquet' : 'features.parquet'
  const desk = openDesk(folder.pathOf(rowsName), options, inputs.transactions, verdicts)
  try {
    const batches = replayBatches({
      transactions: mergeByTime(inputs.transactions),
      labels: mergeByTime(inputs.labels),
      rules: definition.validate,
      batchEvents: options.batchEvents ?? batchEventsDefault,
      epochs: rooms.epochs,
      brakes: rooms.brakes,
      reject: rejections.add,
    })
    await rooms.run(batches, desk.write, options.signal)
  } finally {
    desk.close()
    rejections.close()
    await rooms.close()
  }
  const outcome = { definition, inputs, rejections, rowsName, counts: desk.counts() }
  const report = composeReport({
    ...outcome,
    backtest: desk.backtest?.measure() ?? null,
    verdicts: verdicts.counts(),
  })
  const model = modelOf(rooms)
  const page = composePage(definition.pipeline, report)
  if (page !== null) await writeFile(folder.pathOf('report.html'), page)
  await writeJson(folder.pathOf('report.json'), report)
  const manifest = await composeManifest({ ...outcome, model, pathOf: folder.pathOf })
  await writeJson(folder.pathOf('manifest.json'), manifest)
  return report
}

async function examineInputs(options: ReplayOptions) {
  const { definition, transactionFiles, labelFiles, signal } = options
  const { transactionColumns, labelColumns } = definition.input
  const transactions = []
  for (const [i, path] of transactionFiles.entries()) {
    transactions.push(await examineFile(openTransactionFile(path, transactionColumns, i), signal))
  }
  const labels = []
  for (const [i, path] of labelFiles.entries()) {
    labels.push(await examineFile(openLabelFile(path, labelColumns, i), signal))
  }
  return { transactions, labels }
}

/** Every valid label, whatever its time: for the isFraud column and the measures, never a feature. */
async function collectVerdicts(
  files: readonly ExaminedFile<Label>[],
  { definition, signal }: ReplayOptions,
): Promise<VerdictTable> {
  const verdicts = createVerdictTable()
  for (const { file } of files) {
    for await (const events of file.readEvents()) {
      signal?.throwIfAborted()
      for (const { value, timeMs } of events) {
        if (value === null) continue
        const raw = { offset: 0, brokerTimeMs: timeMs, key: null, value: null }
        if (validateLabel(value, raw, definition.validate) !== null) continue
        verdicts.add(value.transactionId, value.isFraud, value.labelTime)
      }
    }
  }
  return verdicts
}

/** Where rows arrive: the Parquet file, the measures, the counts, the progress. */
function openDesk(
  path: string,
  options: ReplayOptions,
  files: readonly ExaminedFile<unknown>[],
  verdicts: VerdictTable,
) {
  const { definition, isScoring, onProgress = () => undefined } = options
  const features = definition.features.map(({ name }) => name)
  const rowFile = openFeatureFile(path, features, isScoring)
  const transactionsInFiles = files.reduce((sum, { rows }) => sum + rows, 0)
  const backtest = isScoring ? openBacktest(options, verdicts) : null
  const counts = { transactions: 0, labels: 0, review: 0, block: 0 }
  const write = (enriched: EnrichedBatch, decided: DecidedBatch | null): void => {
    const rows = toRows(enriched, decided, verdicts)
    rowFile.append(rows)
    if (decided !== null) backtest?.add(decided, rows.isFraud)
    counts.transactions += rows.count
    counts.labels += enriched.batch.arrivals.length - rows.count
    for (const decision of rows.decisions ?? []) if (decision !== 'approve') counts[decision]++
    const eventTimeMs = rows.eventTimesMs.at(-1)
    if (eventTimeMs === undefined) return
    onProgress({ transactions: counts.transactions, transactionsInFiles, eventTimeMs })
  }
  return { write, close: rowFile.close, backtest, counts: () => ({ ...counts }) }
}

function toRows(
  enriched: EnrichedBatch,
  decided: DecidedBatch | null,
  verdicts: VerdictTable,
): FeatureRows {
  const { batch, count, arrivalIndexes, vectors } = enriched
  const transactionIds: string[] = new Array(count)
  const eventTimesMs: number[] = new Array(count)
  const isFraud: (boolean | null)[] = new Array(count)
  for (let row = 0; row < count; row++) {
    const { transactionId, eventTime } = batch.arrivals[arrivalIndexes[row]!]!.transaction!
    transactionIds[row] = transactionId
    eventTimesMs[row] = eventTime
    isFraud[row] = verdicts.find(transactionId)
  }
  const scores = decided?.scored.scores ?? null
  const decisions = decided?.decisions ?? null
  return { count, transactionIds, eventTimesMs, vectors, scores, decisions, isFraud }
}

function openBacktest(options: ReplayOptions, verdicts: VerdictTable): BacktestTally {
  const { definition, costs, measureFromMs, measureToMs } = options
  const { genuine, fraud } = verdicts.counts()
  return createBacktest({
    thresholds: definition.policy,
    references: readManifest(definition.model.champion)?.reference.features ?? null,
    // Where the labels name frauds alone, whoever has no label counts as genuine.
    unlabelled: genuine === 0 && fraud > 0 ? false : null,
    ...(costs === undefined ? {} : { costs }),
    ...(measureFromMs === undefined ? {} : { fromMs: measureFromMs }),
    ...(measureToMs === undefined ? {} : { toMs: measureToMs }),
  })
}

const modelOf = ({ classifier }: ReplayRooms) => classifier?.models[0] ?? null

const writeJson = (path: string, value: unknown): Promise<void> =>
  writeFile(path, `${JSON.stringify(value, null, 2)}\n`)
