// `npm run train -- --config FILE`: features, model and backtest in one command.
//
// In: `--config` and `--out`, which takes the place of the config's. Without a flag: the help. Out:
// the run's folder, and on stdout where it is, what the backtest measured and the policy lines for
// the pipeline file; with --json one object as the last line. Exit code 2: something was refused
// and nothing was written. SIGINT and SIGTERM end it and leave nothing half-written.

import { Command } from 'commander'
import { exitCodeOf, isTold, throwOnExit } from '../services/core/exit-code.ts'
import { WeirError } from '../services/core/errors.ts'
import { openPython } from './open-python.ts'
import { runTraining, type TrainingOutcome } from './run-training.ts'
import { loadTrainingConfig, type TrainingConfig, TrainingFault } from './training-config.ts'

const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const

type Flags = { readonly config: string; readonly out?: string; readonly json?: boolean }

const program = new Command('train')
  .description('history, features, model and backtest, by a config (training/README.md)')
  .option('--config <file>', 'training config', 'training/card-fraud.yaml')
  .option('--out <folder>', "new folder for the run, in place of the config's `out`")
  .option('--json', 'print one JSON object on the last line')

/** A training takes minutes: nobody should begin one by looking what the command does. */
function readFlags(): Flags {
  throwOnExit(program)
  if (process.argv.length <= 2) program.help({ error: true })
  return program.parse().opts<Flags>()
}

async function main(): Promise<void> {
  const stop = new AbortController()
  for (const name of Object.keys(exitCodes)) process.once(name, (signal) => stop.abort(signal))
  try {
    const flags = readFlags()
    const config = loadTrainingConfig(flags.config)
    const wanted = flags.out === undefined ? config : { ...config, out: flags.out }
    const outcome = await runTraining(wanted, {
      python: openPython(),
      signal: stop.signal,
      tell: (text) => void process.stderr.write(`${text}\n`),
    })
    tell(wanted, outcome, flags.json === true)
  } catch (error) {
    if (stop.signal.aborted) {
      process.exitCode = exitCodes[stop.signal.reason as keyof typeof exitCodes]
    } else if (isTold(error) || isRefusal(error)) {
      if (!isTold(error)) process.stderr.write(`${(error as Error).message}\n`)
      process.exitCode = isTold(error) ? exitCodeOf(error) : 2
    } else throw error
  }
}

const isRefusal = (error: unknown): boolean =>
  error instanceof TrainingFault ||
  error instanceof WeirError ||
  // Knobs of the generator that are out of range.
  error instanceof RangeError

function tell(config: TrainingConfig, { record, backtests }: TrainingOutcome, json: boolean): void {
  const { name, version } = config.model
  const { review, block } = record.thresholds
  const lines = backtests.map(({ folder, report }) => {
    const { averagePrecision, rocAuc, cardPrecisionAt100 } = report
    return { folder, averagePrecision, rocAuc, cardPrecisionAt100 }
  })
  if (json) {
    const summary = { out: config.out, model: { name, version }, ...record.thresholds }
    process.stdout.write(
      `${JSON.stringify({ ...summary, trees: record.trees, backtests: lines })}\n`,
    )
    return
  }
  const table = lines.map(
    (line) =>
      `${line.folder}: average precision ${show(line.averagePrecision)}, ROC AUC ` +
      `${show(line.rocAuc)}, card precision@100 ${show(line.cardPrecisionAt100)}`,
  )
  process.stdout.write(
    `${config.out}: ${name} ${version}, ${record.trees} trees\n${table.join('\n')}\n\n` +
      `For the pipeline file:\n` +
      `model: { name: ${name}, version: "${version}", source: ${config.model.folder ?? `${config.out}/models`} }\n` +
      `policy:\n` +
      `  review: ${review} # flags at most ${percent(config.thresholds.review)} of the genuine events\n` +
      `  block: ${block} # at most ${percent(config.thresholds.block)}\n`,
  )
}

const show = (measure: number | null): string => measure?.toFixed(4) ?? 'unmeasured'
const percent = (share: number): string => `${Number((share * 100).toPrecision(6))} %`

await main()
