// The only way to kafkajs: loads it (accelerated where that is possible), and makes connections.
// In: brokers, client id, security and retry settings, a logger. Out: a kafkajs Kafka whose log
// lines go to that logger, and kafkajs' types and values for the other adapters of this folder.
//
// Refused: a broker that cannot be spoken to at start, as WEIR_KAFKA_AWAY with what to look at.
// Invariant: kafkajs' error level means "data lost or a human needed"; what it logs as an error and
// then retries by itself comes out at warn, or at debug where a watch tells of outages in Weir's
// own words. Nothing is read from the environment here.

import { createRequire } from 'node:module'
import type * as Kafkajs from 'kafkajs'
import { WeirError } from '../../../core/errors.ts'
import { limits } from '../../../core/limits.ts'
import { accelerateKafkajs } from './accelerate.ts'
import { registerCodecs } from './batch-codecs.ts'
import type { BrokerWatch } from './broker-watch.ts'
import { createSocketFactory } from './watched-socket.ts'

export type {
  Admin,
  Consumer,
  ConsumerConfig,
  EachBatchPayload,
  ICustomPartitioner,
  IHeaders,
  ITopicConfig,
  Kafka,
  KafkaMessage,
  Message,
  Producer,
  RecordMetadata,
  SASLOptions,
  TopicMessages,
  Transaction,
} from 'kafkajs'

/** Whether the replacements are in place, and why not if they aren't. */
export const acceleration = accelerateKafkajs()

/** kafkajs' values: CompressionTypes, Partitioners, its error classes. */
export const kafkajs = createRequire(import.meta.url)('kafkajs') as typeof Kafkajs
registerCodecs(kafkajs)

type Write = (fields: object, message: string) => void

/** The part of a pino logger that is used here. */
export type KafkaLogger = {
  readonly debug: Write
  readonly info: Write
  readonly warn: Write
  readonly error: Write
}

export type KafkaOptions = {
  readonly brokers: readonly string[]
  readonly clientId: string
  readonly logger: KafkaLogger
  readonly retry?: Kafkajs.RetryOptions
  readonly ssl?: Kafkajs.KafkaConfig['ssl']
  readonly sasl?: Kafkajs.SASLOptions
  readonly connectionTimeoutMs?: number
  readonly requestTimeoutMs?: number
  /** With requests open and nothing heard for so long, a connection is given up. */
  readonly silenceMsMax?: number
  /** Hears whether brokers answer; one for all clients of a process. */
  readonly watch?: BrokerWatch
}

const CONNECT_MS_MAX = 3000
/** ApiVersions, then the mechanism, then what a login may take: only what follows proves it. */
const LOGIN_GREETINGS = 4

/** For transactional producers: CONCURRENT_TRANSACTIONS clears within milliseconds, not 300. */
export const transactionalRetry: Readonly<Kafkajs.RetryOptions> = {
  initialRetryTime: 20,
  maxRetryTime: 1000,
  retries: 10,
}

export function createKafka(options: KafkaOptions): Kafkajs.Kafka {
  const { ssl, sasl, retry, watch, logger } = options
  const connectMsMax = options.connectionTimeoutMs ?? CONNECT_MS_MAX
  const silenceMsMax = options.silenceMsMax ?? limits.kafkaSilenceMsMax
  const greetings = sasl === undefined ? 0 : LOGIN_GREETINGS
  const watching = watch === undefined ? undefined : { watch, greetings, connectMsMax }
  const isWatched = watch !== undefined
  return new kafkajs.Kafka({
    brokers: [...options.brokers],
    clientId: options.clientId,
    connectionTimeout: connectMsMax,
    requestTimeout: options.requestTimeoutMs ?? limits.kafkaRequestMsMax,
    socketFactory: createSocketFactory(silenceMsMax, watching),
    logLevel: kafkajs.logLevel.INFO,
    logCreator: () => (entry) => writeLogEntry(logger, entry, { isWatched }),
    ...(retry === undefined ? {} : { retry }),
    ...(ssl === undefined ? {} : { ssl }),
    ...(sasl === undefined ? {} : { sasl }),
  })
}

type Level = keyof KafkaLogger

type LogFields = Readonly<Record<string, unknown>>
type Quieter = {
  readonly matches: (message: string, fields: LogFields) => boolean
  readonly level: Level | Told
}

/** What a watch, or the CRASH event, tells in one line, and kafkajs in a dozen with stacks. */
type Told = 'outage' | 'crash'
const levelsUntold: Readonly<Record<Told, Level>> = { outage: 'warn', crash: 'error' }

const startsWith =
  (...openings: readonly string[]) =>
  (message: string) =>
    openings.some((opening) => message.startsWith(opening))

/**
 * What kafkajs logs as an error or a warning though it needs no human -> where it goes. The first
 * match decides. A line with a retry count precedes a retry or a throw, and its caller logs that.
 */
const quieterLevels: readonly Quieter[] = [
  { matches: startsWith('Crash: '), level: 'crash' },
  { matches: startsWith('Offset out of range'), level: 'error' },
  { matches: startsWith('Response ', 'Limiting retries for the idempotent'), level: 'debug' },
  { matches: startsWith('Failed to send messages: '), level: 'debug' },
  { matches: startsWith('Connection ', 'The coordinator is not aware of'), level: 'outage' },
  { matches: (_message, fields) => 'retryCount' in fields, level: 'outage' },
]

/** Lanes pause and resume all the time; kafkajs tells each time. */
const isPausing = startsWith('Pausing fetching from', 'Resuming fetching from')

/** One line of kafkajs to the logger: its fields, under the level that fits. */
export function writeLogEntry(
  logger: KafkaLogger,
  entry: Kafkajs.LogEntry,
  { isWatched = false } = {},
): void {
  const { message, timestamp: _timestamp, logger: _logger, ...fields } = entry.log
  const text = typeof message === 'string' ? message : String(message)
  const found = levelOf(entry.level, text, fields)
  const isTold = found === 'outage' || found === 'crash'
  const level = isTold ? (isWatched ? 'debug' : levelsUntold[found]) : found
  logger[level]({ component: 'kafkajs', ...fields }, text)
}

function levelOf(level: Kafkajs.logLevel, message: string, fields: LogFields): Level | Told {
  const { ERROR, WARN, INFO } = kafkajs.logLevel
  if (level === INFO) return isPausing(message) ? 'debug' : 'info'
  if (level !== ERROR && level !== WARN) return 'debug'
  const quieter = quieterLevels.find(({ matches }) => matches(message, fields))
  return quieter?.level ?? (level === ERROR ? 'error' : 'warn')
}

/** Runs the first conversation with the brokers; what fails says where to look. */
export async function startKafka<Result>(
  brokers: readonly string[],
  connect: () => Promise<Result>,
): Promise<Result> {
  try {
    return await connect()
  } catch (cause) {
    throw new WeirError('WEIR_KAFKA_AWAY', startFailureDetail(brokers, cause), { cause })
  }
}

function startFailureDetail(brokers: readonly string[], cause: unknown): string {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const tried = `Tried ${brokers.join(', ')}: ${reason}`
  return reason.includes('does not support the requested API version')
    ? `${tried}. Often the address is that of a KRaft controller's listener: WEIR_KAFKA_BROKERS has to name the brokers' listener.`
    : tried
}
