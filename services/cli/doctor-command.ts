// `weir doctor`: a pipeline file and the settings of the place in, findings out.
//
// Exit code 0 where all is well, 1 with warnings or with what could not be looked at, 2 where a
// scorer would refuse to start (or this command was refused: pipeline file, settings, flags). With
// --json the last line is one object: {worst, findings, memory}. Nothing is changed; --probe makes
// one topic and deletes it.

import { type Command, InvalidArgumentError } from 'commander'
import { loadPipelineFile } from '../adapters/pipeline-file/pipeline-file.ts'
import { createLogger } from '../adapters/prometheus/logger.ts'
import { nameKeys, storePrefix } from '../adapters/redis/fences/redis-fences.ts'
import { WeirError } from '../core/errors.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import { readSettings, type Settings } from '../core/settings.ts'
import { examineEnvironment } from '../doctor/examine-environment.ts'
import { type MemoryForecast, predictMemory } from '../doctor/predict-memory.ts'
import { findingLines, forecastLines, verdictCodeOf, worstOf } from '../doctor/report.ts'
import { openKafka, openRegistry } from '../environment/open-environment.ts'

type Flags = {
  readonly pipeline: string
  readonly entities?: ReadonlyMap<string, number>
  readonly eventsPerDay?: number
  readonly fraudsPerDay?: number
  readonly days: number
  readonly keyLength: number
  readonly probe?: boolean
  readonly json?: boolean
}

/** Of all events, where nothing else is known: card fraud is rarer. */
const FRAUD_SHARE = 0.01
/** A doctor does not wait for a system that is away as long as a scorer does. */
const quickRetry = { retries: 1, initialRetryTime: 100 }

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('look at the place before a scorer starts there; exit code 1 warnings, 2 fatal')
    .option('--pipeline <file>', 'pipeline file', 'pipelines/card-fraud.yaml')
    .option('--entities <name=n,...>', 'how many of each entity, to predict memory', readEntities)
    .option('--events-per-day <n>', 'transactions a day, to predict memory', readNumber)
    .option('--frauds-per-day <n>', 'labels a day that say fraud, 1 % unless given', readNumber)
    .option('--days <n>', 'age of the pipeline for the prediction', readNumber, 365)
    .option('--key-length <n>', "letters of an entity's key on average", readNumber, 16)
    .option('--probe', "measure the brokers' clock by a record to a topic of its own")
    .option('--json', 'print one JSON object')
    .action(examine)
}

function readNumber(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isFinite(value) && value > 0) return value
  throw new InvalidArgumentError('Expected a number above 0, such as 250000 or 1e6.')
}

function readEntities(text: string): ReadonlyMap<string, number> {
  return new Map(
    text.split(',').map((part) => {
      const [name = '', count = ''] = part.split('=')
      return [name.trim(), readNumber(count)]
    }),
  )
}

async function examine(flags: Flags): Promise<void> {
  const settings = readSettings(process.env)
  // Without the manifest: a model that does not fit is a finding, not the end of the examination.
  const definition = loadPipelineFile(flags.pipeline, { topicPrefix: settings.topicPrefix })
  const forecast = forecastOf(definition, settings, flags)
  const level = 'silent'
  const logger = createLogger({ level, name: 'weir-doctor', instance: settings.instanceId })
  const place = {
    openKafka: (brokers = settings.kafka.brokers) =>
      openKafka({ ...settings, kafka: { ...settings.kafka, brokers } }, logger, 'doctor', {
        retry: quickRetry,
      }),
    openRegistry: () => openRegistry(settings),
    redisUrl: settings.redis.url,
    models: settings.models,
    probes: flags.probe === true,
  }
  const findings = await examineEnvironment(definition, place, forecast)
  if (flags.json === true) {
    const outcome = { worst: worstOf(findings), findings, memory: forecast }
    process.stdout.write(`${JSON.stringify(outcome)}\n`)
  } else {
    const memory = forecast === null ? [] : forecastLines(forecast)
    process.stdout.write(`${[...memory, ...findingLines(findings)].join('\n')}\n`)
  }
  process.exitCode = verdictCodeOf(findings)
}

function forecastOf(
  definition: PipelineDefinition,
  { keyPrefix }: Settings,
  { entities, eventsPerDay, fraudsPerDay, days, keyLength }: Flags,
): MemoryForecast | null {
  if (entities === undefined && eventsPerDay === undefined) return null
  if (entities === undefined || eventsPerDay === undefined) {
    const detail = 'Found one of --entities and --events-per-day, expected both or neither.'
    throw new WeirError('WEIR_SETTINGS_INVALID', detail)
  }
  const { store } = definition
  const prefix = storePrefix(keyPrefix, definition)
  return predictMemory(definition, {
    entities,
    eventsPerDay,
    fraudsPerDay: fraudsPerDay ?? eventsPerDay * FRAUD_SHARE,
    ageDays: days,
    keyLength,
    prefixLength: nameKeys(prefix, store.buckets).log(0, 0, '').length,
  })
}
