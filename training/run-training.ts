// One training from beginning to end, into one folder:
//
//   histories ─ prepare-histories ─► features, labels ─ train.py ─► models/<name>/<version>/, training.json
//                    files and that model ─ the replay ─► backtest/<history>-<from>/ (report.html)
//
// In: a config. Out: the folder, complete or not there at all, and the model in `model.folder`
// where the config has one. Refused as TrainingFault: a folder that holds something, a version that
// is there with other content, a replay that measures otherwise than training did. Invariant: the
// scores that the backtest measures come from the product's own stages, with the model's thresholds
// as the policy.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readCostFile } from '../services/adapters/event-files/cost-file.ts'
import { loadPipelineFile } from '../services/adapters/pipeline-file/pipeline-file.ts'
import type { PipelineDefinition } from '../services/core/pipeline-definition.ts'
import { openRunFolder } from '../services/replay/run-folder.ts'
import type { ReplayReport } from '../services/replay/run-records.ts'
import { runReplay } from '../services/replay/run-replay.ts'
import { type PreparedHistory, prepareHistories, tellProgress } from './prepare-histories.ts'
import { hashSources, trainingSources } from './source-hash.ts'
import { type Range, type TrainingConfig, TrainingFault } from './training-config.ts'

export type TrainingRun = {
  readonly python: string
  readonly signal: AbortSignal
  readonly tell: (text: string) => void
}

/** What training.json says, as far as it is read here. */
export type TrainingRecord = {
  readonly trees: number
  readonly thresholds: { readonly review: number; readonly block: number }
  readonly results: readonly {
    readonly rows: number
    readonly frauds: number
    readonly calibration: { readonly meanScore: number; readonly brier: number }
  }[]
}

export type TrainingOutcome = {
  readonly record: TrainingRecord
  /** One per test range, in its order. */
  readonly backtests: readonly { readonly folder: string; readonly report: ReplayReport }[]
}

type Prepared = Readonly<Record<string, PreparedHistory>>

export async function runTraining(
  config: TrainingConfig,
  run: TrainingRun,
): Promise<TrainingOutcome> {
  const definition = loadPipelineFile(config.pipeline)
  const folder = await openRunFolder(config.out)
  try {
    const { cache, histories } = config
    const prepared = await prepareHistories(histories, { ...run, cache, definition })
    await train(composeJob(config, definition, prepared, folder.pathOf('.')), run)
    const record = readJson<TrainingRecord>(folder.pathOf('training.json'))
    const scoring = withModel(definition, config, folder.pathOf('models'), record.thresholds)
    const backtests = []
    for (const [i, range] of config.split.test.entries()) {
      const name = join('backtest', nameOf(range))
      const report = await backtest(scoring, range, {
        ...{ config, run, history: prepared[range.history]!, outFolder: folder.pathOf(name) },
      })
      refuseDifference(report, record.results[i]!, name)
      backtests.push({ folder: join(config.out, name), report })
    }
    await folder.publish()
    publishModel(config, run.tell)
    return { record, backtests }
  } catch (error) {
    await folder.discard()
    throw error
  }
}

function composeJob(
  config: TrainingConfig,
  definition: PipelineDefinition,
  histories: Prepared,
  folder: string,
) {
  const { hash, layoutHash, featureSet, features } = definition
  const { version } = readJson<{ version: string }>(
    fileURLToPath(new URL('../package.json', import.meta.url)),
  )
  return {
    config,
    pipeline: { hash, layoutHash, featureSet },
    features: features.map(({ name }) => name),
    code: { weir: version, sha256: hashSources(trainingSources) },
    histories,
    folder: resolve(folder),
  }
}

/** train.py says itself what is wrong. */
async function train(job: unknown, { python, signal, tell }: TrainingRun): Promise<void> {
  tell('training')
  signal.throwIfAborted()
  const program = fileURLToPath(new URL('train.py', import.meta.url))
  const child = spawn(python, ['-B', program], { stdio: ['pipe', 'inherit', 'inherit'] })
  const end = (): void => void child.kill('SIGTERM')
  signal.addEventListener('abort', end, { once: true })
  // A program that ended early says why with its exit code, not with a broken pipe.
  child.stdin.on('error', () => undefined)
  child.stdin.end(JSON.stringify(job))
  try {
    const [code] = await Promise.race([
      once(child, 'close'),
      once(child, 'error').then(([error]) => {
        throw new TrainingFault(`${python} cannot be started: ${(error as Error).message}`)
      }),
    ])
    signal.throwIfAborted()
    if (code !== 0) throw new TrainingFault(`train.py ended with ${code}; its last lines say why`)
  } finally {
    signal.removeEventListener('abort', end)
  }
}

/** The pipeline as it would be with the new model and its thresholds. */
const withModel = (
  definition: PipelineDefinition,
  { model: { name, version } }: TrainingConfig,
  source: string,
  { review, block }: TrainingRecord['thresholds'],
): PipelineDefinition => ({
  ...definition,
  model: { champion: { name, version, source: resolve(source) }, challengers: [] },
  policy: { ...definition.policy, review, block },
})

type BacktestNeeds = {
  readonly config: TrainingConfig
  readonly run: TrainingRun
  readonly history: PreparedHistory
  readonly outFolder: string
}

async function backtest(
  definition: PipelineDefinition,
  { fromMs, toMs, ...range }: Range,
  { config, run, history, outFolder }: BacktestNeeds,
): Promise<ReplayReport> {
  const tell = (text: string): void => run.tell(`${range.history}: backtest: ${text}`)
  const { transactionFiles, labelFiles } = history
  const report = await runReplay({
    definition,
    transactionFiles,
    labelFiles,
    isScoring: true,
    outFolder,
    measureFromMs: fromMs,
    measureToMs: toMs,
    ...(config.costs === null ? {} : { costs: readCostFile(config.costs) }),
    signal: run.signal,
    onProgress: tellProgress(tell),
  })
  tell(`measured ${report.measured} of ${report.events} transactions`)
  return report
}

export const nameOf = ({ history, fromMs }: Range): string =>
  `${history}-${new Date(fromMs).toISOString().slice(0, 10)}`

/** As far as two builds of ONNX Runtime may add up trees in another order. */
const scoreDifferenceMax = 1e-5

/**
 * Features, labels or scores that differ between training and replay would show here first. Means
 * of scores are compared, and not ranks, which one score in its last digit can change.
 */
function refuseDifference(
  { measured, frauds, backtest }: ReplayReport,
  trained: TrainingRecord['results'][number],
  name: string,
): void {
  const { brier, meanScore } = backtest?.calibration ?? { brier: null, meanScore: null }
  const pairs = [
    ['events', measured, trained.rows, 0],
    ['frauds', frauds, trained.frauds, 0],
    ['mean score', meanScore, trained.calibration.meanScore, scoreDifferenceMax],
    ['Brier score', brier, trained.calibration.brier, scoreDifferenceMax],
  ] as const
  for (const [what, replayed, expected, differenceMax] of pairs) {
    if (replayed !== null && Math.abs(replayed - expected) <= differenceMax) continue
    throw new TrainingFault(
      `${name}: ${what} of the replay: found ${replayed}, expected ${expected} as in training; ` +
        'the model would score something else than it was trained on',
    )
  }
}

function publishModel({ model, out }: TrainingConfig, tell: (text: string) => void): void {
  const { name, version, folder } = model
  if (folder === null) return
  const source = join(out, 'models', name, version)
  const target = join(folder, name, version)
  if (!existsSync(target)) {
    cpSync(source, target, { recursive: true })
    tell(`copied to ${target}`)
    return
  }
  const differing = readdirSync(source).filter((file) => !isSameFile(source, target, file))
  if (differing.length > 0) {
    throw new TrainingFault(
      `${target} is there with another ${differing.join(', ')}, expected a new model.version: ` +
        `a version never changes its content. The run itself is complete in ${out}`,
    )
  }
  tell(`${target} is there already, byte for byte`)
}

const isSameFile = (a: string, b: string, file: string): boolean =>
  existsSync(join(b, file)) && readFileSync(join(a, file)).equals(readFileSync(join(b, file)))

const readJson = <T>(path: string): T => JSON.parse(readFileSync(path, 'utf8')) as T
