// A replay: history in files or topics through the stages, into a run folder.
//
// In: a pipeline definition, files or topics of transactions and labels, a folder. Out: the folder
// with manifest.json, features.parquet or scored.parquet, rejected.ndjson, report.json and
// report.html. Refused: what cannot be read (WEIR_FILE_INVALID, WEIR_KAFKA_...), a folder that is
// not empty (WEIR_SETTINGS_INVALID), a model that does not fit. Invariants: nothing here can name a
// topic to write to, a group or a key; the same input gives the same bytes, whatever the batch
// size.

import { writeFile } from 'node:fs/promises'
import { type FeatureRows, openFeatureFile } from '../adapters/event-files/parquet-features.ts'
import { readManifest } from '../adapters/pipeline-file/pipeline-manifest.ts'
import { type BacktestTally, createBacktest } from '../backtest/backtest.ts'
import type { CostTable } from '../backtest/cost-table.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import type { SignaturePolicy } from '../models/manifest-signature.ts'
import { composePage } from '../pages/report-page.ts'
import { planSubject } from '../pipeline/entity-key.ts'
import { planRoles } from '../pipeline/event-roles.ts'
import type { DecidedBatch, EnrichedBatch } from '../pipeline/records.ts'
import { type FileHistory, openFileSource } from './file-source.ts'
import { keepScored } from './keep-scored.ts'
import { createKnownFrauds, type KnownFraudTable } from './known-frauds.ts'
import { openRejectionFile, type RejectionFile } from './rejection-file.ts'
import type { ReplaySource } from './replay-source.ts'
import { openReplayStages, type ReplayStages } from './replay-stages.ts'
import { openRunFolder, type RunFolder } from './run-folder.ts'
import {
  type CollectedFrom,
  composeManifest,
  composeReport,
  type ReplayReport,
  type RunOutcome,
} from './run-records.ts'
import { nameScoreColumns } from './score-columns.ts'
import { openTopicSource, type TopicHistory } from './topic-source.ts'
import { createVerdictTable, type VerdictTable } from './verdict-table.ts'

export type FileReplayOptions = RunOptions & FileHistory & { readonly topicHistory?: never }

/** The topics are those that the pipeline reads. */
export type TopicReplayOptions = RunOptions & { readonly topicHistory: TopicHistory }

export type ReplayOptions = FileReplayOptions | TopicReplayOptions

type RunOptions = {
  readonly definition: PipelineDefinition
  readonly isScoring: boolean
  readonly outFolder: string
  /**
   * In place of the stages: those of a run that is scored already, and what the manifest says of
   * it.
   */
  readonly openStages?: () => Promise<ReplayStages>
  readonly collected?: CollectedFrom
  /**
   * Keeps the entities' logs there, under keys of the run's own, and not in this process' memory.
   */
  readonly redisUrl?: string
  /** Whose signatures a model must have; nobody's unless given. */
  readonly signatures?: SignaturePolicy
  readonly costs?: CostTable
  /** Event times in [measureFromMs, measureToMs) are measured; all of them are in the rows. */
  readonly measureFromMs?: number
  readonly measureToMs?: number
  /** Leaves out of the measures whoever had a fraud since then that was known before the day. */
  readonly knownSinceMs?: number
  /** Events in one micro-batch; the output does not depend on it. */
  readonly batchEvents?: number
  /** Ends the run early with its reason; the folder is not made then. */
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: ReplayProgress) => void
}

export type ReplayProgress = {
  readonly transactions: number
  /** As far as it is known: ranges of topics hold control records too. */
  readonly transactionsExpected: number
  /** Event time reached, ms. */
  readonly eventTimeMs: number
}

/** Beyond a few hundred events a batch gets no cheaper, and smaller ones stay in the caches. */
const batchEventsDefault = 500

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
  const source = await openSource(options)
  try {
    return await replaySource(source, folder, options)
  } finally {
    await source.close()
  }
}

const openSource = (options: ReplayOptions): Promise<ReplaySource> =>
  options.topicHistory === undefined
    ? openFileSource(options, options.definition, options.signal)
    : openTopicSource(options.topicHistory, options.definition, options.signal)

async function replaySource(
  source: ReplaySource,
  folder: RunFolder,
  options: ReplayOptions,
): Promise<ReplayReport> {
  const { definition, isScoring, batchEvents = batchEventsDefault, signal } = options
  const { redisUrl = null, knownSinceMs } = options
  const knownFrauds =
    knownSinceMs === undefined
      ? null
      : createKnownFrauds(knownSinceMs, planSubject(definition.entities))
  const verdicts = await collectVerdicts(source, signal)
  const signed = options.signatures === undefined ? {} : { signatures: options.signatures }
  const { openStages = () => openReplayStages(definition, { isScoring, redisUrl, ...signed }) } =
    options
  const stages = await openStages()
  const rejections = openRejectionFile(folder.pathOf('rejected.ndjson'))
  const rowsName: RunOutcome['rowsName'] = isScoring ? 'scored.parquet' : 'features.parquet'
  const desk = openDesk(folder.pathOf(rowsName), options, {
    source,
    verdicts,
    knownFrauds,
    rejections,
  })
  try {
    const feed = { claim: stages.claim, batchEvents, reject: rejections.add }
    await stages.run(source.readBatches(feed), desk.write, signal)
  } finally {
    rejections.close()
    await stages.close()
    await desk.close()
  }
  const received = source.received()
  const outcome = { definition, received, rejections, rowsName, counts: desk.counts() }
  const report = composeReport({
    ...outcome,
    backtest: desk.backtest?.measure() ?? null,
    verdicts: verdicts.counts(),
  })
  const page = composePage(definition.pipeline, report)
  if (page !== null) await writeFile(folder.pathOf('report.html'), page)
  await writeJson(folder.pathOf('report.json'), report)
  const inputs = await source.describe()
  const models = describeModels(stages, definition)
  const { collected = null } = options
  const pathOf = folder.pathOf
  const manifest = await composeManifest({ ...outcome, inputs, models, collected, pathOf })
  await writeJson(folder.pathOf('manifest.json'), manifest)
  return report
}

/**
 * Every valid label, whatever its time: for the isFraud column and the measures, never a feature.
 */
async function collectVerdicts(source: ReplaySource, signal?: AbortSignal): Promise<VerdictTable> {
  const verdicts = createVerdictTable()
  for await (const labels of source.readLabels()) {
    signal?.throwIfAborted()
    for (const { transactionId, isFraud, labelTime } of labels) {
      verdicts.add(transactionId, isFraud, labelTime)
    }
  }
  return verdicts
}

type DeskNeeds = {
  readonly source: ReplaySource
  readonly verdicts: VerdictTable
  readonly knownFrauds: KnownFraudTable | null
  readonly rejections: RejectionFile
}

/** Where rows arrive: the Parquet file, the measures, the counts, the progress. */
function openDesk(
  path: string,
  options: ReplayOptions,
  { source, verdicts, knownFrauds, rejections }: DeskNeeds,
) {
  const { definition, isScoring, onProgress = () => undefined } = options
  const rowFile = openFeatureFile(path, {
    features: definition.features.map(({ name }) => name),
    scores: isScoring ? nameScoreColumns(definition) : [],
  })
  const { transactionsExpected } = source
  const backtest = isScoring ? openBacktest(options, verdicts, knownFrauds) : null
  const counts = { transactions: 0, labels: 0, review: 0, block: 0 }
  const write = (all: EnrichedBatch, judged: DecidedBatch | null): Promise<void> => {
    const decided = judged === null ? null : keepScored(judged)
    const enriched = decided?.scored.enriched ?? all
    const rows = toRows(enriched, decided, verdicts)
    const stage = rowFile.append(rows)
    // Labels come by the time when they became known: before every event that asks for them.
    for (const { label } of enriched.batch.arrivals) {
      if (label === null) continue
      counts.labels++
      knownFrauds?.add(label)
    }
    if (decided !== null) backtest?.add(decided, rows.isFraud)
    counts.transactions += rows.count
    for (const refused of source.refusedIn(all, judged?.scored.setAside)) rejections.add(refused)
    for (const decision of rows.decisions ?? []) if (decision !== 'approve') counts[decision]++
    const eventTimeMs = rows.eventTimesMs.at(-1)
    if (eventTimeMs !== undefined) {
      onProgress({ transactions: counts.transactions, transactionsExpected, eventTimeMs })
    }
    return stage
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
  const scores = decided === null ? [] : [decided.scored.scores, ...decided.scored.challengerScores]
  const decisions = decided?.decisions ?? null
  return { count, transactionIds, eventTimesMs, vectors, scores, decisions, isFraud }
}

function openBacktest(
  options: ReplayOptions,
  verdicts: VerdictTable,
  knownFrauds: KnownFraudTable | null,
): BacktestTally {
  const { definition, costs, measureFromMs, measureToMs } = options
  const { genuine, fraud } = verdicts.counts()
  return createBacktest({
    roles: planRoles(definition),
    thresholds: definition.policy,
    references: readManifest(definition.model.champion)?.reference.features ?? null,
    // Where the labels name frauds alone, whoever has no label counts as genuine.
    unlabelled: genuine === 0 && fraud > 0 ? false : null,
    ...(costs === undefined ? {} : { costs }),
    ...(knownFrauds === null ? {} : { knownFrauds }),
    ...(measureFromMs === undefined ? {} : { fromMs: measureFromMs }),
    ...(measureToMs === undefined ? {} : { toMs: measureToMs }),
  })
}

const describeModels = ({ models }: ReplayStages, definition: PipelineDefinition) =>
  models.map((model, i) => ({
    model,
    column: nameScoreColumns(definition)[i]!,
  }))

const writeJson = (path: string, value: unknown): Promise<void> =>
  writeFile(path, `${JSON.stringify(value, null, 2)}\n`)
