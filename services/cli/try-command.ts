// `weir try`: what a pipeline's mapping makes of some events of files or of its topic.
//
// In: the pipeline file, files or the topic, how many. Out: each field by example, rejections with
// the place in the pipeline file to look at, the last vectors; exit code 1 where nothing could be
// read as an event. Nothing is written, registered or committed. Refused: as a replay refuses.

import { type Command, InvalidArgumentError } from 'commander'
import { openEventFile } from '../adapters/event-files/event-file.ts'
import { expandPaths } from '../adapters/event-files/expand-paths.ts'
import { transactionRows } from '../adapters/event-files/row-mappings.ts'
import { partitionBounds } from '../adapters/kafka/ranges/topic-bounds.ts'
import { openTopicRanges } from '../adapters/kafka/ranges/topic-ranges.ts'
import { loadPipelineFile } from '../adapters/pipeline-file/pipeline-file.ts'
import { createLogger } from '../adapters/prometheus/logger.ts'
import { WeirError } from '../core/errors.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import { readSettings } from '../core/settings.ts'
import { openInputDecoders } from '../environment/open-decoders.ts'
import { openKafka, openRegistry } from '../environment/open-environment.ts'
import { decodeLearning } from '../pipeline/decode/decode-learning.ts'
import { tryEvents } from '../replay/try-events.ts'
import { describeTry } from './try-report.ts'

type Flags = {
  readonly pipeline: string
  readonly from?: readonly string[]
  readonly topic?: boolean
  readonly count: number
  readonly json?: boolean
}

export function addTry(program: Command): void {
  program
    .command('try')
    .description("some events through the pipeline's mapping: fields, rejections, vectors")
    .option('--pipeline <file>', 'pipeline file', 'pipelines/card-fraud.yaml')
    .option('--from <file...>', 'files or folders of transactions: Parquet, CSV, NDJSON, Avro')
    .option('--topic', "in place of files: the newest events of the pipeline's topic")
    .option('-n, --count <number>', 'events to look at', readCount, 1000)
    .option('--json', 'print the findings as one JSON object')
    .addHelpText(
      'after',
      '\nExamples:\n  weir try --pipeline mine.yaml --from payments.csv\n' +
        '  weir try --pipeline mine.yaml --topic -n 200',
    )
    .action(tryOut)
}

function readCount(text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected a whole number from 1.')
}

async function tryOut(flags: Flags): Promise<void> {
  const { pipeline, from, topic, count, json } = flags
  if ((from === undefined) === (topic !== true)) {
    const detail = 'weir try: found neither or both of --from and --topic, expected one of the two.'
    throw new WeirError('WEIR_SETTINGS_INVALID', detail)
  }
  const { definition, names, blocks } =
    from === undefined ? await openTopic(pipeline, count) : await openFiles(pipeline, from)
  const report = await tryEvents(definition, blocks, count)
  const places = { pipeline, names, firstRow: topic === true ? 0 : 1 } as const
  process.stdout.write(json === true ? `${JSON.stringify(report)}\n` : describeTry(report, places))
  if (report.events === 0) process.exitCode = 1
}

async function openFiles(pipeline: string, from: readonly string[]) {
  const definition = loadPipelineFile(pipeline)
  const paths = await expandPaths(from)
  return {
    definition,
    names: paths.map(({ name }) => name),
    blocks: (async function* () {
      for (const [i, path] of paths.entries()) {
        yield* openEventFile(path, transactionRows(definition), i).readEvents()
      }
    })(),
  }
}

async function openTopic(pipeline: string, count: number) {
  const settings = readSettings(process.env)
  const definition = loadPipelineFile(pipeline, { topicPrefix: settings.topicPrefix })
  const { transactions: topic } = definition.topics
  return { definition, names: [topic], blocks: readNewest(definition, settings, count) }
}

type Settings = ReturnType<typeof readSettings>

/** Rows are offsets here, and files partitions. */
async function* readNewest(definition: PipelineDefinition, settings: Settings, count: number) {
  const { transactions: topic } = definition.topics
  const logger = createLogger({ level: 'silent', name: 'weir-try', instance: settings.instanceId })
  const kafka = openKafka(settings, logger, 'try')
  const registry = openRegistry(settings)
  const bounds = await partitionBounds(kafka, topic)
  const each = Math.ceil(count / Math.max(1, bounds.length))
  const spans = bounds.map(({ partition, low, high }) => {
    return { topic, partition, from: Math.max(low, high - each), to: high }
  })
  const ranges = await openTopicRanges(kafka, spans)
  const { transactions: decoder } = openInputDecoders(registry, definition)
  try {
    for (const [i, { partition }] of spans.entries()) {
      for await (const messages of ranges.read(i)) {
        const { values, rejections } = await decodeLearning(messages, decoder)
        yield messages.map(({ offset, brokerTimeMs }, m) => ({
          timeMs: values[m]?.eventTime ?? brokerTimeMs,
          file: partition,
          row: offset,
          value: values[m]!,
          fault: rejections[m] ?? null,
        }))
      }
    }
  } finally {
    await ranges.close()
    await registry.close()
  }
}
