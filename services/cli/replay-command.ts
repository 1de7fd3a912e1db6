// `weir replay`: flags in, a run folder out.
//
// Progress goes to stderr once a second; with --json the last line of stdout is the report as one
// object. SIGINT and SIGTERM end the run and leave nothing behind. No flag and no variable of the
// environment names a topic, a group or a key prefix: a replay cannot touch live state.

import { rmSync } from 'node:fs'
import type { Command } from 'commander'
import { loadPipelineFile } from '../adapters/file/pipeline-file.ts'
import { readManifest } from '../adapters/file/pipeline-manifest.ts'
import { partialFolderOf } from '../replay/run-folder.ts'
import type { ReplayReport } from '../replay/run-records.ts'
import { type ReplayProgress, runReplay } from '../replay/run-replay.ts'

type Flags = {
  readonly pipeline: string
  readonly transactions: readonly string[]
  readonly labels?: readonly string[]
  readonly featuresOnly?: boolean
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
  const stop = createStop(flags.out)
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  const startedMs = performance.now()
  try {
    const report = await runReplay({
      definition,
      transactionFiles: flags.transactions,
      labelFiles: flags.labels ?? [],
      isScoring,
      outFolder: flags.out,
      onProgress: createProgress(startedMs),
    })
    const seconds = (performance.now() - startedMs) / 1000
    tell(report, seconds, flags)
  } finally {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
  }
}

const createStop = (out: string) => (signal: NodeJS.Signals) => {
  rmSync(partialFolderOf(out), { recursive: true, force: true })
  process.exit(signal === 'SIGINT' ? 130 : 143)
}

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
