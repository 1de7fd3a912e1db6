/**
 * What the generator's commands do with their flags.
 *
 * In: parsed flags. Out: files or messages, and the counts as one line of JSON on stdout.
 * Refused: a missing schema id without a registry to ask.
 */
import { type Disturbances, noDisturbances } from './disturbances.ts'
import { type FileFormat, writeFiles } from './file-sink.ts'
import type { KafkaTarget } from './kafka-sink.ts'
import { startOpenLoop } from './open-loop.ts'
import { type GeneratorOptions, settingNames } from './options.ts'
import { prefillTopic } from './prefill.ts'
import { findSchemaId, type SchemaIds } from './wire.ts'

/** commander's camel-cased names, which are the knobs' own names except for `start`. */
interface WorldFlags extends Partial<Omit<GeneratorOptions, 'startTimeMs'>> {
  readonly start?: number
}

interface FilesFlags extends WorldFlags {
  readonly out: string
  readonly format: FileFormat
}

interface KafkaFlags extends WorldFlags, Partial<Omit<Disturbances, 'seed'>> {
  readonly brokers: readonly string[]
  readonly topic: string
  readonly labelsTopic?: string
  readonly registry?: string
  readonly schemaId?: number
  readonly labelsSchemaId?: number
}

interface OpenLoopFlags extends KafkaFlags {
  readonly rate?: number
  readonly speedUp?: number
  readonly seconds?: number
  readonly tickMs?: number
}

export function runFiles(flags: FilesFlags): void {
  print(writeFiles({ directory: flags.out, format: flags.format, generator: worldOf(flags) }))
}

export async function runKafka(flags: OpenLoopFlags): Promise<void> {
  const { rate, speedUp, seconds, tickMs = 5 } = flags
  const target = { ...(await targetOf(flags)), rate, speedUp, seconds, tickMs }
  const loop = await startOpenLoop(target)
  const stop = () => void loop.stop().catch(() => {})
  process.once('SIGINT', stop).once('SIGTERM', stop)
  const reporting = setInterval(() => {
    const { transactions, acknowledged, inFlight, behindMs } = loop.progress()
    process.stderr.write(
      `${transactions} transactions sent, ${acknowledged} messages acknowledged, ` +
        `${inFlight} in flight, ${Math.round(behindMs)} ms behind\n`,
    )
  }, 1_000)
  try {
    print(await loop.done)
  } finally {
    clearInterval(reporting)
    process.off('SIGINT', stop).off('SIGTERM', stop)
  }
}

export async function runPrefill(flags: KafkaFlags): Promise<void> {
  print(await prefillTopic(await targetOf(flags)))
}

async function targetOf(flags: KafkaFlags) {
  const target: KafkaTarget = {
    brokers: flags.brokers,
    transactionsTopic: flags.topic,
    labelsTopic: flags.labelsTopic ?? null,
  }
  const schemaIds = await schemaIdsOf(flags)
  const disturbances = pick(flags, Object.keys(noDisturbances))
  return { ...target, schemaIds, generator: worldOf(flags), disturbances }
}

async function schemaIdsOf(flags: KafkaFlags): Promise<SchemaIds> {
  const find = async (flag: string, topic: string, given: number | undefined) => {
    if (given !== undefined) return given
    if (flags.registry !== undefined) return findSchemaId(flags.registry, topic)
    throw new RangeError(`the schema id of ${topic} is unknown: give --registry or ${flag}`)
  }
  const transactions = await find('--schema-id', flags.topic, flags.schemaId)
  if (flags.labelsTopic === undefined) return { transactions, labels: 0 }
  const labels = await find('--labels-schema-id', flags.labelsTopic, flags.labelsSchemaId)
  return { transactions, labels }
}

function worldOf(flags: WorldFlags): Partial<GeneratorOptions> {
  const start = flags.start === undefined ? {} : { startTimeMs: flags.start }
  return { ...pick(flags, settingNames), ...start }
}

/** The flags that were given, of those named. */
function pick(flags: object, names: readonly string[]): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(flags).filter(([name]) => names.includes(name)))
}

function print(counts: object): void {
  process.stdout.write(`${JSON.stringify(counts)}\n`)
}
