// The training's input: histories, replayed into features.
//
// In: the histories of a config (files, or knobs of the generator) and a pipeline. Out, in the
// cache:
//
//   histories/<hash of knobs and generator>/        transactions.parquet, labels.parquet
//   features/<hash of inputs, features and code>/   run/ of `weir replay --features-only`, labels.parquet
//
// What is there already is not made again. Refused: what the generator and the replay refuse.
// Invariant: a folder is named by all that its content depends on, and is complete where it has a
// name.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { writeFiles } from '../load/generator/file-sink.ts'
import type { GeneratorOptions } from '../load/generator/options.ts'
import { openParquetFile } from '../load/generator/parquet-file.ts'
import { toCanonicalJson } from '../services/adapters/pipeline-file/pipeline-hashes.ts'
import type { PipelineDefinition } from '../services/core/pipeline-definition.ts'
import { openFileSource } from '../services/replay/file-source.ts'
import { hashFile } from '../services/replay/run-folder.ts'
import { type ReplayProgress, runReplay } from '../services/replay/run-replay.ts'
import { featureSources, generatorSources, hashSources } from './source-hash.ts'
import type { HistorySpec, TrainingConfig } from './training-config.ts'

type InputFile = { readonly name: string; readonly sha256: string }

/** What train.py gets of a history. */
export type PreparedHistory = {
  readonly transactionFiles: readonly string[]
  readonly labelFiles: readonly string[]
  readonly featureFile: string
  /** transactionId, isFraud, labelTime of every label. */
  readonly labelFile: string
  readonly generator: HistorySpec['generator'] | null
  readonly inputs: Readonly<Record<'transactions' | 'labels', readonly InputFile[]>>
  readonly featuresSha256: string
  readonly replayManifestSha256: string
}

export type Preparation = {
  readonly cache: string
  readonly definition: PipelineDefinition
  readonly signal: AbortSignal
  readonly tell: (text: string) => void
}

export async function prepareHistories(
  histories: TrainingConfig['histories'],
  preparation: Preparation,
): Promise<Readonly<Record<string, PreparedHistory>>> {
  const prepared: Record<string, PreparedHistory> = {}
  for (const [name, spec] of Object.entries(histories)) {
    const tell = (text: string): void => preparation.tell(`${name}: ${text}`)
    prepared[name] = await prepareHistory(spec, { ...preparation, tell })
  }
  return prepared
}

async function prepareHistory(spec: HistorySpec, given: Preparation): Promise<PreparedHistory> {
  const files = spec.generator === undefined ? spec : generate(spec.generator, given)
  const transactionFiles = (files.transactions ?? []).map((path) => resolve(path))
  const labelFiles = (files.labels ?? []).map((path) => resolve(path))
  const inputs = {
    transactions: await describeFiles(transactionFiles),
    labels: await describeFiles(labelFiles),
  }
  const folder = join(given.cache, 'features', keyOf(given.definition, inputs))
  const run = join(folder, 'run')
  const labelFile = join(folder, 'labels.parquet')
  if (!existsSync(labelFile)) await writeLabels(labelFiles, labelFile, given)
  if (existsSync(run)) given.tell('features are there')
  else await replay({ transactionFiles, labelFiles, outFolder: run }, given)
  return {
    transactionFiles,
    labelFiles,
    featureFile: resolve(run, 'features.parquet'),
    labelFile: resolve(labelFile),
    generator: spec.generator ?? null,
    inputs,
    featuresSha256: await hashFile(join(run, 'features.parquet')),
    replayManifestSha256: await hashFile(join(run, 'manifest.json')),
  }
}

function generate(
  { start, ...knobs }: NonNullable<HistorySpec['generator']>,
  { cache, tell }: Preparation,
): HistorySpec {
  const key = shortHash({ start, knobs, code: hashSources(generatorSources) })
  const directory = join(cache, 'histories', key)
  if (!existsSync(directory)) {
    const partial = `${directory}.partial-${process.pid}`
    rmSync(partial, { recursive: true, force: true })
    const generator = { ...(knobs as Partial<GeneratorOptions>), startTimeMs: Date.parse(start) }
    const counts = writeFiles({ directory: partial, format: 'parquet', generator })
    renameSync(partial, directory)
    tell(`generated ${counts.transactions} transactions, ${counts.frauds} frauds`)
  }
  const at = (name: string): string => join(directory, `${name}.parquet`)
  return { transactions: [at('transactions')], labels: [at('labels')] }
}

async function describeFiles(paths: readonly string[]): Promise<readonly InputFile[]> {
  const described: InputFile[] = []
  for (const path of paths) described.push({ name: basename(path), sha256: await hashFile(path) })
  return described
}

/** Files in another order are other features: of equal times the file given first goes first. */
function keyOf(definition: PipelineDefinition, inputs: PreparedHistory['inputs']): string {
  const { layoutHash, featureSet, input, validate, late, store } = definition
  const { transactions, labels } = inputs
  const hashes = [transactions, labels].map((files) => files.map(({ sha256 }) => sha256))
  const code = hashSources(featureSources)
  return shortHash({ layoutHash, featureSet, input, validate, late, store, hashes, code })
}

const shortHash = (value: unknown): string =>
  createHash('sha256').update(toCanonicalJson(value)).digest('hex').slice(0, 16)

async function writeLabels(
  labelFiles: readonly string[],
  path: string,
  { definition, signal }: Preparation,
): Promise<void> {
  const partial = `${path}.partial-${process.pid}`
  mkdirSync(join(path, '..'), { recursive: true })
  const source = await openFileSource({ transactionFiles: [], labelFiles }, definition, signal)
  const file = openParquetFile(partial, {
    transactionId: 'STRING',
    isFraud: 'BOOLEAN',
    labelTime: 'TIMESTAMP',
  })
  for await (const labels of source.readLabels()) {
    signal.throwIfAborted()
    for (const label of labels) file.write(label)
  }
  file.close()
  await source.close()
  renameSync(partial, path)
}

type Replayed = {
  readonly transactionFiles: readonly string[]
  readonly labelFiles: readonly string[]
  readonly outFolder: string
}

async function replay(files: Replayed, { definition, signal, tell }: Preparation): Promise<void> {
  const startedMs = performance.now()
  const onProgress = tellProgress(tell)
  const { events, rejected } = await runReplay({
    ...files,
    definition,
    isScoring: false,
    signal,
    onProgress,
  })
  const seconds = (performance.now() - startedMs) / 1000
  tell(`features of ${events} transactions in ${seconds.toFixed(1)} s, ${rejected} rejected`)
}

const progressEveryMs = 5000

/** How far a replay is, every few seconds. */
export function tellProgress(tell: (text: string) => void): (progress: ReplayProgress) => void {
  let nextMs = performance.now() + progressEveryMs
  return ({ transactions, transactionsExpected }) => {
    if (performance.now() < nextMs) return
    nextMs += progressEveryMs
    tell(`replayed ${transactions} of ${transactionsExpected} transactions`)
  }
}
