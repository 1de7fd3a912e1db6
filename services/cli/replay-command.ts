// `weir replay`: flags in, a run folder out.
//
// Progress goes to stderr once a second; with --json the last line of stdout is the report as one
// object. SIGINT and SIGTERM end the run and leave nothing behind. No flag and no variable of the
// environment names a topic, a group or a key prefix: a replay cannot touch live state.

import type { Command } from 'commander'
import { readCostFile } from '../adapters/file/cost-file.ts'
import { loadPipelineFile } from '../adapters/file/pipeline-file.ts'
import { readManifest } from '../adapters/file/pipeline-manifest.ts'
import type { ReplayReport } from '../replay/run-records.ts'
import { type ReplayProgress, runReplay } from '../replay/run-replay.ts'
import { readTime } from './read-time.ts'

type Flags = {
  readonly pipeline: string
  readonly transactions: readonly string[]
  readonly labels?: readonly string[]
  readonly featuresOnly?: boolean
  readonly costs?: string
  readonly measureFrom?: number
  readonly measureTo?: number
  readonly out: string
  readonly json?: boolean
}

export function addReplay(program: Command): void {
  program
    .command('replay')
    .description('history in files through the same rooms: features, scores and a report')
    .option('--pipeline <file>', 'pipeline file', 'pipelines/card-fraud.yaml')
    .requiredOption('--transactions <file...>', 'Parquet or NDJSON files of transactions')
    .option('--labels <file...>', 'Parquet or NDJSON files of labels')
    .option('--features-only', 'compute features without a model, for training')
    .option(
      '--costs <file>',
      'YAML or JSON with your costs of a review, a false block, a missed fraud',
    )
    .option(
      '--measure-from <time>',
      'first event time of the report; before it is warm-up',
      readTime,
    )
    .option('--measure-to <time>', 'the event time behind the last of the report', readTime)
    .requiredOption('--out <folder>', 'new or empty folder for the run')
    .option('--json', 'print the report as one JSON object')
    .action(replay)
}

async function replay(flags: Flags): Promise<void> {
  const isScoring = flags.featuresOnly !== true
  const definition = loadPipelineFile(
    flags.pipeline,
    isScoring ? { manifestReader: readManifest } : {},
  )
  const stop = new AbortController()
  const end = (signal: NodeJS.Signals): void => stop.abort(signal)
  for (const name of Object.keys(exitCodes)) process.once(name, end)
  const startedMs = performance.now()
  try {
    const report = await runReplay({
      definition,
      transactionFiles: flags.transactions,
      labelFiles: flags.labels ?? [],
      isScoring,
      ...(flags.costs === undefined ? {} : { costs: readCostFile(flags.costs) }),
      ...(flags.measureFrom === undefined ? {} : { measureFromMs: flags.measureFrom }),
      ...(flags.measureTo === undefined ? {} : { measureToMs: flags.measureTo }),
      outFolder: flags.out,
      signal: stop.signal,
      onProgress: createProgress(startedMs),
    })
    tell(report, (performance.now() - startedMs) / 1000, flags)
  } catch (error) {
    if (!stop.signal.aborted) throw error
    process.exitCode = exitCodes[stop.signal.reason as keyof typeof exitCodes]
  } finally {
    for (const name of Object.keys(exitCodes)) process.off(name, end)
  }
}

/** As a shell says it of a process that a signal ended. A second signal ends it at once. */
const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const

function createProgress(startedMs: number): (progress: ReplayProgress) => void {
  let nextMs = startedMs + 1000
  return ({ transactions, transactionsInFiles, eventTimeMs }) => {
    const nowMs = performance.now()
    if (nowMs < nextMs) return
    nextMs = nowMs + 1000
    const rate = transactions / ((nowMs - startedMs) / 1000)
    const secondsLeft = (transactionsInFiles - transactions) / rate
    process.stderr.write(
      `${transactions} of ${transactionsInFiles} transactions, ${Math.round(rate)}/s, ` +
        `at ${new Date(eventTimeMs).toISOString()}, ${Math.ceil(secondsLeft)} s left\n`,
    )
  }
}

function tell(report: ReplayReport, seconds: number, { out, json }: Flags): void {
  const { events, rejected, rocAuc, averagePrecision } = report
  const eventsPerSecond = Math.round(events / seconds)
  process.stderr.write(
    `${events} transactions, ${rejected} rejected, ${seconds.toFixed(1)} s ` +
      `(${eventsPerSecond}/s) into ${out}\n`,
  )
  if (json === true) {
    process.stdout.write(`${JSON.stringify({ ...report, seconds, eventsPerSecond, out })}\n`)
  } else if (averagePrecision !== null && rocAuc !== null) {
    process.stdout.write(
      `average precision ${averagePrecision.toFixed(4)}, ROC AUC ${rocAuc.toFixed(4)}\n`,
    )
  }
}
