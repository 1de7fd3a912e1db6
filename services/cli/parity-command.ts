// `weir parity`: a range of time in, `0 differences` or the offenders out.
//
// In: flags, the pipeline file, the place's settings. Out: exit code 0 where nothing was found, 1
// where something was, 2 for what was refused before anything began. With --json the last line of
// stdout is the report as one object; progress goes to stderr. Reads topics and writes nothing; it
// may run beside live scorers. With --run Redis is asked for the ranges of that run.

import { type Command, InvalidArgumentError } from 'commander'
import { loadPipelineFile } from '../adapters/pipeline-file/pipeline-file.ts'
import { createLogger } from '../adapters/prometheus/logger.ts'
import { connectRedis } from '../adapters/redis/client/redis-client.ts'
import { readTerms } from '../adapters/redis/restore/named-run.ts'
import { WeirError } from '../core/errors.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import { groupOf, readSettings, type Settings } from '../core/settings.ts'
import { openKafka, openRegistry } from '../environment/open-environment.ts'
import { describeFinding, unverifiedReasons } from '../parity/findings.ts'
import { isEqual, type ParityReport } from '../parity/parity-report.ts'
import { type ParityProgress, runParity } from '../parity/run-parity.ts'
import { openParityDecoders } from '../parity/topics/open-decoders.ts'
import type { ParityEnvironment } from '../parity/topics/parity-environment.ts'
import { observeNothing } from '../pipeline/observe/signals.ts'
import { isolateRun } from '../replay/isolated-run.ts'
import { readTime } from './read-time.ts'

type Flags = {
  readonly pipeline: string
  readonly from?: number
  readonly to?: number
  readonly sample: number
  readonly run?: string
  readonly json?: boolean
}

export function addParity(program: Command): void {
  program
    .command('parity')
    .description('compute published events again from the topics; exit code 1 if any differs')
    .option('--pipeline <file>', 'pipeline file', 'pipelines/card-fraud.yaml')
    .option('--from <time>', 'first broker time of the input, such as 2026-01-31T08:00Z', readTime)
    .option(
      '--to <time>',
      'the broker time behind the last; without the two, whole topics',
      readTime,
    )
    .option(
      '--sample <n>',
      'events that the naive oracle computes as well, 0 for none',
      readCount,
      100,
    )
    .option('--run <run>', 'what this run of `weir replay --into-topics` scored, in place of live')
    .option('--json', 'print one JSON object on the last line')
    .action(prove)
}

function readCount(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected a whole number from 0.')
}

async function prove({ pipeline, from, to, sample, run, json }: Flags): Promise<void> {
  if (from !== undefined && to !== undefined && from >= to) {
    const detail = `Found --from ${new Date(from).toISOString()}, expected a time before --to.`
    throw new WeirError('WEIR_SETTINGS_INVALID', detail)
  }
  const settings = readSettings(process.env)
  const definition = loadPipelineFile(pipeline, { topicPrefix: settings.topicPrefix })
  const instance = settings.instanceId
  const logger = createLogger({ level: 'silent', name: 'weir-parity', instance })
  const registry = openRegistry(settings)
  const startedMs = performance.now()
  try {
    const report = await runParity(
      {
        kafka: openKafka(settings, logger, 'parity'),
        ...(await findScored(run, definition, settings)),
        // A run registers nothing: its records have the schemas of the live topics.
        decoders: openParityDecoders(registry, definition),
      },
      { fromMs: from ?? null, toMs: to ?? null, sample, onProgress: createProgress(startedMs) },
    )
    const seconds = Math.round(performance.now() - startedMs) / 1000
    for (const line of json === true ? [] : describeReport(report))
      process.stdout.write(`${line}\n`)
    if (json === true) process.stdout.write(`${JSON.stringify({ ...report, seconds })}\n`)
    process.exitCode = isEqual(report) ? 0 : 1
  } finally {
    await registry.close()
  }
}

/** What was scored under which names: live, or by a run of several processes. */
async function findScored(
  name: string | undefined,
  definition: PipelineDefinition,
  settings: Settings,
): Promise<Pick<ParityEnvironment, 'definition' | 'groupId' | 'ranges'>> {
  if (name === undefined) {
    return { definition, groupId: groupOf(settings, definition.pipeline) }
  }
  const run = isolateRun(name, definition)
  const redis = await connectRedis(settings.redis.url, observeNothing)
  try {
    const terms = await readTerms(redis, run)
    if (terms !== null) {
      return { definition: run.definition, groupId: run.groupId, ranges: terms.ranges }
    }
  } finally {
    redis.disconnect()
  }
  const detail = `weir parity: found no run ${name}, expected one that was begun and not collected yet.`
  throw new WeirError('WEIR_SETTINGS_INVALID', detail)
}

function createProgress(startedMs: number): (progress: ParityProgress) => void {
  let nextMs = startedMs + 2000
  return ({ events, expected }) => {
    const nowMs = performance.now()
    if (nowMs < nextMs) return
    nextMs = nowMs + 1000
    const perSecond = Math.round(events / ((nowMs - startedMs) / 1000))
    process.stderr.write(`${events} of about ${expected} events, ${perSecond}/s\n`)
  }
}

/** The verdict is the last line. */
function describeReport(report: ParityReport): string[] {
  const { events, received, rejected, late, sampled, unverified, unverifiedBecause } = report
  const { differences, ordinalGaps, ordinalClashes, missing, duplicated, unknown } = report
  const found = differences + ordinalGaps + ordinalClashes + missing + duplicated + unknown
  const shown = report.offenders.length
  const reasons = Object.entries(unverifiedReasons).flatMap(([reason, sentence]) => {
    const count = unverifiedBecause[reason as keyof typeof unverifiedReasons]
    return count === 0 ? [] : [`${count} events are not verified: ${sentence}`]
  })
  return [
    ...report.offenders.map(describeFinding),
    ...(found > shown && shown > 0 ? [`... and ${found - shown} more`] : []),
    `${received} messages: ${events} scored, ${rejected} rejected, ${late} late; ` +
      `${missing} missing, ${duplicated} duplicated, ${unknown} unknown`,
    `${events - unverified} vectors computed again, ${sampled} of them by the naive oracle too; ` +
      `${ordinalGaps} ordinals missing, ${ordinalClashes} taken twice`,
    ...reasons,
    `${found} differences`,
  ]
}
