// `weir replay`: flags in, a run folder out.
//
// Progress goes to stderr once a second; with --json the last line of stdout is the report as one
// object. SIGINT and SIGTERM end the run and leave nothing behind. --topics reads of the
// environment the way to brokers and registry and the prefix of the topics that are read, --store
// redis the way to Redis, a model of a registry the way to that; files and memory need nothing of
// it. No flag names a topic to write to, a group or a key prefix: a replay cannot touch live state.
// Runs of several processes (--into-topics, --collect,
// --discard) are shared-run.ts.

import { type Command, InvalidArgumentError, Option } from 'commander'
import { readCostFile } from '../adapters/event-files/cost-file.ts'
import {
  fetchModels,
  openModelSource,
  readSignaturePolicy,
} from '../adapters/models/open-model-source.ts'
import { loadPipelineFile } from '../adapters/pipeline-file/pipeline-file.ts'
import { readManifest } from '../adapters/pipeline-file/pipeline-manifest.ts'
import { createLogger } from '../adapters/prometheus/logger.ts'
import { WeirError } from '../core/errors.ts'
import type { PipelineDefinition, TopicNames } from '../core/pipeline-definition.ts'
import { readSettings } from '../core/settings.ts'
import { openInputDecoders } from '../environment/open-decoders.ts'
import { openKafka, openRegistry } from '../environment/open-environment.ts'
import { rangesOfRun } from '../replay/ranges-of-run.ts'
import type { ReplayReport } from '../replay/run-records.ts'
import { type ReplayOptions, type ReplayProgress, runReplay } from '../replay/run-replay.ts'
import {
  collectShared,
  discardShared,
  type HistoryEdges,
  scoreIntoTopics,
} from '../replay/shared-run.ts'
import type { TopicHistory } from '../replay/topic-source.ts'
import { readOffsets } from './read-offsets.ts'
import { readTime } from './read-time.ts'

/** Of files; a topic's rejections are what they are. */
const REJECTED_SHARE_MAX = 0.01

type Flags = {
  readonly pipeline: string
  readonly transactions?: readonly string[]
  readonly labels?: readonly string[]
  readonly topics?: boolean
  readonly from?: number
  readonly to?: number
  readonly labelsTo?: number
  readonly fromOffsets?: ReadonlyMap<number, number>
  readonly toOffsets?: ReadonlyMap<number, number>
  readonly labelsFromOffsets?: ReadonlyMap<number, number>
  readonly labelsToOffsets?: ReadonlyMap<number, number>
  readonly rangesOf?: string
  readonly store: 'memory' | 'redis'
  readonly featuresOnly?: boolean
  readonly costs?: string
  readonly measureFrom?: number
  readonly measureTo?: number
  readonly knownSince?: number
  readonly intoTopics?: string
  readonly collect?: string
  readonly discard?: string
  readonly maxRejected?: number
  readonly out?: string
  readonly json?: boolean
}

function readShare(text: string): number {
  const share = Number(text)
  if (text.trim() !== '' && share >= 0 && share <= 1) return share
  throw new InvalidArgumentError('Expected a share from 0 to 1, such as 0.01.')
}

export function addReplay(program: Command): void {
  program
    .command('replay')
    .description('history in files through the same stages: features, scores and a report')
    .option('--pipeline <file>', 'pipeline file', 'pipelines/card-fraud.yaml')
    .option(
      '--transactions <file...>',
      'files or folders of transactions: Parquet, CSV, NDJSON, Avro',
    )
    .option('--labels <file...>', 'the same of labels')
    .option('--topics', "in place of files: read the pipeline's input topics")
    .option('--from <time>', 'first broker time of the topics, such as 2026-01-31T08:00Z', readTime)
    .option('--to <time>', 'the broker time behind the last transaction', readTime)
    .option('--labels-to <time>', 'the broker time behind the last label', readTime)
    .option(
      '--from-offsets <list>',
      'first offsets of partitions, such as 0:118204,1:97311',
      readOffsets,
    )
    .option('--to-offsets <list>', 'offsets behind the last transactions', readOffsets)
    .option('--labels-from-offsets <list>', 'first offsets of the labels', readOffsets)
    .option('--labels-to-offsets <list>', 'offsets behind the last labels', readOffsets)
    .option('--ranges-of <folder>', 'read what an earlier run of --topics read')
    .addOption(
      new Option('--store <kind>', "where entities' logs are kept: this process, or WEIR_REDIS_URL")
        .choices(['memory', 'redis'])
        .default('memory'),
    )
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
    .option(
      '--known-since <time>',
      'leave customers out of the report once a fraud of theirs since then is known',
      readTime,
    )
    .option('--into-topics <run>', 'with --topics: score as one of several processes of this run')
    .option('--collect <run>', 'make the folder of a run that --into-topics has scored, and end it')
    .option('--discard <run>', 'remove a run of --into-topics, whatever has become of it')
    .option(
      '--max-rejected <share>',
      'share of transactions that may be rejected before the run fails; 0.01 for files, 1 for topics',
      readShare,
    )
    .option('--out <folder>', 'new or empty folder for the run')
    .option('--json', 'print the report as one JSON object')
    .action(replay)
}

async function replay(flags: Flags): Promise<void> {
  refuseMixed(flags)
  const stop = new AbortController()
  const end = (signal: NodeJS.Signals): void => stop.abort(signal)
  for (const name of Object.keys(exitCodes)) process.once(name, end)
  const startedMs = performance.now()
  const run = {
    isScoring: flags.featuresOnly !== true,
    ...(flags.costs === undefined ? {} : { costs: readCostFile(flags.costs) }),
    ...(flags.measureFrom === undefined ? {} : { measureFromMs: flags.measureFrom }),
    ...(flags.measureTo === undefined ? {} : { measureToMs: flags.measureTo }),
    ...(flags.knownSince === undefined ? {} : { knownSinceMs: flags.knownSince }),
    ...(flags.store === 'redis' ? { redisUrl: readSettings(process.env).redis.url } : {}),
    ...(flags.featuresOnly === true
      ? {}
      : { signatures: readSignaturePolicy(readSettings(process.env).models) }),
    outFolder: flags.out ?? '',
    signal: stop.signal,
    onProgress: createProgress(startedMs),
  }
  try {
    const report = await replayAs(flags, run)
    if (report === null) return
    tell(report, (performance.now() - startedMs) / 1000, flags)
    judgeRejected(report, flags)
  } catch (error) {
    if (!stop.signal.aborted) throw error
    process.exitCode = exitCodes[stop.signal.reason as keyof typeof exitCodes]
  } finally {
    for (const name of Object.keys(exitCodes)) process.off(name, end)
  }
}

/** Null where the run has no report yet, or never will. */
async function replayAs(flags: Flags, run: Run): Promise<ReplayReport | null> {
  const { pipeline, intoTopics, collect, discard } = flags
  if (intoTopics !== undefined) {
    await scoreIntoTopics(pipeline, intoTopics, {
      edgesOf: (topics) => historyEdges(flags, topics),
      signal: run.signal,
    })
    return null
  }
  if (discard !== undefined) {
    await discardShared(pipeline, discard)
    return null
  }
  if (collect !== undefined) return collectShared(pipeline, collect, run)
  return flags.topics === true ? replayTopics(flags, run) : replayFiles(flags, run)
}

type Run = Pick<
  ReplayOptions,
  'isScoring' | 'redisUrl' | 'signatures' | 'outFolder' | 'onProgress'
> & {
  readonly signal: AbortSignal
}

/** What may stand beside the flag of a run of several processes. */
const ranges = ['from', 'to', 'labelsTo', 'fromOffsets', 'toOffsets', 'rangesOf'] as const
const allowedBeside = {
  intoTopics: ['topics', ...ranges, 'labelsFromOffsets', 'labelsToOffsets'],
  collect: ['out', 'costs', 'measureFrom', 'measureTo', 'knownSince', 'json'],
  discard: [],
} as const satisfies Partial<Record<keyof Flags, readonly (keyof Flags)[]>>

function refuseBeside(flags: Flags): void {
  const { pipeline: _pipeline, store, ...given } = flags
  const found = new Set(Object.keys(store === 'memory' ? given : { store, ...given }))
  for (const [mode, allowed] of Object.entries(allowedBeside)) {
    if (!found.has(mode)) continue
    const other = [...found].find((name) => name !== mode && !allowed.some((may) => may === name))
    if (other === undefined) continue
    throw refused(`found ${toFlag(mode)} and ${toFlag(other)}, expected one of the two`)
  }
}

const toFlag = (name: string): string =>
  `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

function refuseMixed(flags: Flags): void {
  refuseBeside(flags)
  refuseEmptyReport(flags)
  const { transactions, labels, topics, from, to, rangesOf, intoTopics, collect, discard } = flags
  if (discard !== undefined) return
  if (flags.out === undefined && intoTopics === undefined) {
    throw refused('found no --out, expected a new or empty folder for the run')
  }
  if (collect !== undefined) return
  const hasFiles = transactions !== undefined || labels !== undefined
  const hasEdges = edgesOf(flags).some((edge) => edge !== undefined)
  if (topics === true && hasFiles)
    throw refused('found --topics and files, expected one of the two')
  if (topics !== true && transactions === undefined) {
    throw refused('found no input, expected --transactions <file...> or --topics')
  }
  if (topics !== true && (hasEdges || rangesOf !== undefined)) {
    throw refused('found a range, expected it with --topics: files are read whole')
  }
  if (rangesOf !== undefined && hasEdges) {
    throw refused('found --ranges-of and another range, expected one of the two')
  }
  if (from !== undefined && to !== undefined && from >= to) throw refusedOrder('--from', from)
}

function refuseEmptyReport({ measureFrom, measureTo }: Flags): void {
  if (measureFrom === undefined || measureTo === undefined || measureFrom < measureTo) return
  throw refusedOrder('--measure-from', measureFrom)
}

const refusedOrder = (flag: '--from' | '--measure-from', timeMs: number): WeirError => {
  const later = flag.replace('from', 'to')
  return refused(`found ${flag} ${new Date(timeMs).toISOString()}, expected a time before ${later}`)
}

const edgesOf = (flags: Flags): readonly unknown[] => [
  ...[flags.from, flags.to, flags.labelsTo],
  ...[flags.fromOffsets, flags.toOffsets, flags.labelsFromOffsets, flags.labelsToOffsets],
]

const refused = (detail: string) =>
  new WeirError('WEIR_SETTINGS_INVALID', `weir replay: ${detail}.`)

async function replayFiles(
  { pipeline, transactions, labels }: Flags,
  run: Run,
): Promise<ReplayReport> {
  const definition = await withModels(loadPipelineFile(pipeline, manifestFor(run)), run)
  return runReplay({
    ...run,
    definition,
    transactionFiles: transactions ?? [],
    labelFiles: labels ?? [],
  })
}

async function replayTopics(flags: Flags, run: Run): Promise<ReplayReport> {
  const settings = readSettings(process.env)
  const { topicPrefix, instanceId: instance } = settings
  const definition = await withModels(
    loadPipelineFile(flags.pipeline, { ...manifestFor(run), topicPrefix }),
    run,
  )
  const logger = createLogger({ level: 'silent', name: 'weir-replay', instance })
  const registry = openRegistry(settings)
  try {
    const topicHistory = {
      kafka: openKafka(settings, logger, 'replay'),
      decoders: openInputDecoders(registry, definition),
      ...historyEdges(flags, definition.topics),
    }
    return await runReplay({ ...run, definition, topicHistory })
  } finally {
    await registry.close()
  }
}

const historyEdges = (flags: Flags, topics: TopicNames): HistoryEdges => ({
  fromMs: flags.from ?? null,
  toMs: flags.to ?? null,
  labelsToMs: flags.labelsTo ?? null,
  offsets: offsetsOf(flags, topics),
})

function offsetsOf(flags: Flags, topics: TopicNames): NonNullable<TopicHistory['offsets']> {
  if (flags.rangesOf !== undefined) return rangesOfRun(flags.rangesOf, topics)
  const none = new Map<number, number>()
  return {
    transactions: { from: flags.fromOffsets ?? none, to: flags.toOffsets ?? none },
    labels: { from: flags.labelsFromOffsets ?? none, to: flags.labelsToOffsets ?? none },
  }
}

/**
 * Models of a registry are in folders before the run begins; a run of features alone needs none.
 */
const withModels = async (
  definition: PipelineDefinition,
  { isScoring }: Run,
): Promise<PipelineDefinition> =>
  isScoring
    ? fetchModels(
        definition,
        openModelSource(readSettings(process.env).models, () => undefined),
      )
    : definition

const manifestFor = ({ isScoring }: Run) => (isScoring ? { manifestReader: readManifest } : {})

/** As a shell says it of a process that a signal ended. A second signal ends it at once. */
const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const

function createProgress(startedMs: number): (progress: ReplayProgress) => void {
  let nextMs = startedMs + 1000
  return ({ transactions, transactionsExpected, eventTimeMs }) => {
    const nowMs = performance.now()
    if (nowMs < nextMs) return
    nextMs = nowMs + 1000
    const rate = transactions / ((nowMs - startedMs) / 1000)
    const secondsLeft = (transactionsExpected - transactions) / rate
    process.stderr.write(
      `${transactions} of ${transactionsExpected} transactions, ${Math.round(rate)}/s, ` +
        `at ${new Date(eventTimeMs).toISOString()}, ${Math.ceil(secondsLeft)} s left\n`,
    )
  }
}

function tell(report: ReplayReport, seconds: number, { out, json }: Flags): void {
  const { events, rejected, skipped, rocAuc, averagePrecision } = report
  const eventsPerSecond = Math.round(events / seconds)
  const left = skipped === 0 ? '' : `, ${skipped} skipped`
  process.stderr.write(
    `${events} transactions, ${rejected} rejected${left}, ${seconds.toFixed(1)} s ` +
      `(${eventsPerSecond}/s) into ${out}\n${sayLabels(report)}`,
  )
  if (json === true) {
    process.stdout.write(`${JSON.stringify({ ...report, seconds, eventsPerSecond, out })}\n`)
  } else if (averagePrecision !== null && rocAuc !== null) {
    process.stdout.write(
      `average precision ${averagePrecision.toFixed(4)}, ROC AUC ${rocAuc.toFixed(4)}\n`,
    )
  }
}

function sayLabels({ labels, labelsRejected, labelsSkipped }: ReplayReport): string {
  if (labels === 0) return ''
  const without = labelsSkipped === 0 ? '' : `, ${labelsSkipped} without a verdict`
  return `${labels} labels, ${labelsRejected} rejected${without}\n`
}

/** Rows of files that are refused mostly share a reason, and it is the mapping's. */
function judgeRejected(report: ReplayReport, { maxRejected, transactions }: Flags): void {
  const most = maxRejected ?? (transactions === undefined ? 1 : REJECTED_SHARE_MAX)
  const { events, rejected, rejectedByCode, labels, labelsRejected } = report
  const areLabelsUseless = transactions !== undefined && labels > 0 && labelsRejected === labels
  const isTooMuch = rejected > most * events || areLabelsUseless
  if (!isTooMuch) return
  const codes = Object.entries(rejectedByCode)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 3)
    .map(([code, count]) => `${count} ${code}`)
  process.stderr.write(
    `Found ${rejected} of ${events} transactions and ${labelsRejected} of ${labels} labels rejected ` +
      `(${codes.join(', ')}), expected at most ${most * 100} % and some labels: rejected.ndjson ` +
      'says what each lacks (--max-rejected).\n',
  )
  process.exitCode = 1
}
