// The environment: what describes the place where Weir runs, and nothing of the pipeline.
//
// Comes in: the process's environment, handed over by a front door. Goes out: Settings, frozen, and a
// view without secrets for the log. What may be refused: wrong values and unknown WEIR_ names, all of
// them at once, as WEIR_SETTINGS_INVALID. Invariants: no other module reads WEIR_* for the product;
// an empty variable counts as not set; no message and no log line ever holds a secret.
// docs/reference/settings.md is proved against `settingsTable`.

import { WeirError } from './errors.ts'
import { nearestName } from './nearest-name.ts'

export const saslMechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const
export type SaslMechanism = (typeof saslMechanisms)[number]

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

export type Credentials = { readonly username: string; readonly password: string }

export type Settings = {
  readonly kafka: {
    readonly brokers: readonly string[]
    readonly ssl: boolean
    readonly sasl: (Credentials & { readonly mechanism: SaslMechanism }) | null
  }
  readonly redis: { readonly url: string }
  readonly registry: { readonly url: string; readonly auth: Credentials | null }
  readonly http: { readonly host: string; readonly port: number }
  readonly logLevel: LogLevel
  /** Consumer group in place of the one named after the pipeline; null = that one. */
  readonly groupId: string | null
  /** Put before every key in Redis. */
  readonly keyPrefix: string
  /** Names this process in logs and at the brokers. */
  readonly instanceId: string
  /** Put before every topic's name; empty = as in the pipeline file. */
  readonly topicPrefix: string
  /** Replicas of topics that Weir makes. */
  readonly topicReplication: number
}

/** One row of the table: `read` gives the value, or undefined where the text is not as expected. */
type Setting<T> = {
  readonly read: (text: string) => T | undefined
  /** Used where the variable is not set, written as in the environment; null = not set at all. */
  readonly fallback: string | null
  readonly expected: string
  readonly means: string
  readonly isSecret?: boolean
}

const setting = <T>(row: Setting<T>): Setting<T> => row
const anyText = (text: string): string => text
const oneOf =
  <T extends string>(choices: readonly T[]) =>
  (text: string): T | undefined =>
    choices.find((choice) => choice === text.toLowerCase())
const matching =
  (pattern: RegExp) =>
  (text: string): string | undefined =>
    pattern.test(text) ? text : undefined
const integer =
  (min: number, max: number) =>
  (text: string): number | undefined => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
    return value >= min && value <= max ? value : undefined
  }
const urlWith =
  (...protocols: readonly string[]) =>
  (text: string): string | undefined =>
    URL.canParse(text) && protocols.includes(new URL(text).protocol) ? text : undefined
const readBoolean = (text: string): boolean | undefined => {
  const word = oneOf(['true', 'false'])(text)
  return word === undefined ? undefined : word === 'true'
}

function readBrokers(text: string): readonly string[] | undefined {
  const brokers = text.split(',').map((broker) => broker.trim())
  const isBroker = (broker: string): boolean => {
    const port = Number(/^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):(\d{1,5})$/.exec(broker)?.[1])
    return port >= 1 && port <= 65_535
  }
  return brokers.every(isBroker) ? brokers : undefined
}

const namePattern = /^[A-Za-z0-9._-]{1,128}$/
const nameExpected = 'up to 128 letters, digits, dots, dashes and underscores'

export const settingsTable = {
  WEIR_KAFKA_BROKERS: setting({
    read: readBrokers,
    fallback: 'localhost:9092',
    expected: 'host:port, several separated by commas',
    means: 'Brokers to start from.',
  }),
  WEIR_KAFKA_SSL: setting({
    read: readBoolean,
    fallback: 'false',
    expected: 'true or false',
    means: 'Whether to speak TLS with the brokers; own authorities go into NODE_EXTRA_CA_CERTS.',
  }),
  WEIR_KAFKA_SASL_MECHANISM: setting({
    read: oneOf(saslMechanisms),
    fallback: null,
    expected: `one of ${saslMechanisms.join(', ')}`,
    means: 'How to log in at the brokers; not set = no login.',
  }),
  WEIR_KAFKA_SASL_USERNAME: setting({
    read: anyText,
    fallback: null,
    expected: 'a text',
    means: 'User at the brokers.',
  }),
  WEIR_KAFKA_SASL_PASSWORD: setting({
    read: anyText,
    fallback: null,
    expected: 'a text',
    means: 'Password at the brokers.',
    isSecret: true,
  }),
  WEIR_REDIS_URL: setting({
    read: urlWith('redis:', 'rediss:'),
    fallback: 'redis://localhost:6379',
    expected: 'redis://[user:password@]host:port[/database], or rediss:// for TLS',
    means: 'The feature store.',
    isSecret: true,
  }),
  WEIR_REGISTRY_URL: setting({
    read: urlWith('http:', 'https:'),
    fallback: 'http://localhost:8081',
    expected: 'an http:// or https:// URL',
    means: 'Schema registry with the Confluent API; Apicurio has it under /apis/ccompat/v7.',
    isSecret: true,
  }),
  WEIR_REGISTRY_USERNAME: setting({
    read: anyText,
    fallback: null,
    expected: 'a text',
    means: 'User at the registry; not set = no login.',
  }),
  WEIR_REGISTRY_PASSWORD: setting({
    read: anyText,
    fallback: null,
    expected: 'a text',
    means: 'Password at the registry.',
    isSecret: true,
  }),
  WEIR_HTTP_HOST: setting({
    read: matching(/^[A-Za-z0-9.:_-]{1,255}$/),
    fallback: '0.0.0.0',
    expected: 'an address or a host name',
    means: 'Where metrics and health listen.',
  }),
  WEIR_HTTP_PORT: setting({
    read: integer(0, 65_535),
    fallback: '9464',
    expected: 'a port from 0 to 65535; 0 takes a free one',
    means: 'Port of metrics and health.',
  }),
  WEIR_LOG_LEVEL: setting({
    read: oneOf(logLevels),
    fallback: 'info',
    expected: `one of ${logLevels.join(', ')}`,
    means: 'The least level that is logged.',
  }),
  WEIR_GROUP_ID: setting({
    read: matching(/^[A-Za-z0-9._-]{1,249}$/),
    fallback: null,
    expected: 'up to 249 letters, digits, dots, dashes and underscores',
    means: 'Consumer group in place of the one named after the pipeline.',
  }),
  WEIR_KEY_PREFIX: setting({
    read: matching(/^[A-Za-z0-9._:-]{1,64}$/),
    fallback: 'weir',
    expected: 'up to 64 letters, digits, dots, colons, dashes and underscores',
    means: 'Put before every key in Redis.',
  }),
  WEIR_INSTANCE_ID: setting({
    read: matching(namePattern),
    fallback: null,
    expected: nameExpected,
    means: 'Name of this process in logs and at the brokers; not set = host name and process id.',
  }),
  WEIR_TOPIC_PREFIX: setting({
    read: matching(namePattern),
    fallback: null,
    expected: nameExpected,
    means: "Put before every topic's name, so that several runs share one broker.",
  }),
  WEIR_TOPIC_REPLICATION: setting({
    read: integer(1, 15),
    fallback: '1',
    expected: 'a whole number from 1 to 15',
    means: 'Replicas of the topics that `weir topics apply` makes.',
  }),
} as const

export type SettingName = keyof typeof settingsTable
type Values = {
  readonly [Name in SettingName]: Exclude<
    ReturnType<(typeof settingsTable)[Name]['read']>,
    undefined
  > | null
}

/** Names of development tools, which read them themselves. */
const toolNames = [/^WEIR_TEST_/, /^WEIR_STACK(_|$)/, /^WEIR_CACHE(_|$)/, /^WEIR_KAFKAJS_STOCK$/]

type Environment = Readonly<Record<string, string | undefined>>

/** @param processId makes the default of WEIR_INSTANCE_ID unique on its host. */
export function readSettings(environment: Environment, processId: number = process.pid): Settings {
  const faults: string[] = findUnknownNames(environment)
  const values = readValues(environment, faults)
  faults.push(...findHalfCredentials(values))
  if (faults.length > 0) {
    const count = faults.length === 1 ? '1 fault' : `${faults.length} faults`
    throw new WeirError('WEIR_SETTINGS_INVALID', `${count}:\n${faults.join('\n')}`)
  }
  return toSettings(values, `${environment.HOSTNAME || 'local'}-${processId}`)
}

function findUnknownNames(environment: Environment): string[] {
  const known = Object.keys(settingsTable)
  const unknown = Object.keys(environment).filter(
    (name) =>
      name.startsWith('WEIR_') &&
      !Object.hasOwn(settingsTable, name) &&
      !toolNames.some((pattern) => pattern.test(name)),
  )
  return unknown.map((name) => {
    const nearest = nearestName(name, known)
    const hint = nearest === null ? '' : `, did you mean ${nearest}`
    return `${name}  found an unknown name, expected one of docs/reference/settings.md${hint}`
  })
}

function readValues(environment: Environment, faults: string[]): Values {
  const rows = Object.entries<Setting<unknown>>(settingsTable).map(([name, row]) => {
    const text = environment[name] || row.fallback
    const value = text === null ? null : row.read(text)
    if (value === undefined) {
      const found = row.isSecret ? 'a text that is not shown' : JSON.stringify(text)
      faults.push(`${name}  found ${found}, expected ${row.expected}`)
    }
    return [name, value ?? null]
  })
  return Object.fromEntries(rows) as Values
}

/** Names that are set together or not at all. */
const credentialGroups: readonly (readonly SettingName[])[] = [
  ['WEIR_KAFKA_SASL_MECHANISM', 'WEIR_KAFKA_SASL_USERNAME', 'WEIR_KAFKA_SASL_PASSWORD'],
  ['WEIR_REGISTRY_USERNAME', 'WEIR_REGISTRY_PASSWORD'],
]

function findHalfCredentials(values: Values): readonly string[] {
  return credentialGroups.flatMap((names) => {
    const missing = names.filter((name) => values[name] === null)
    if (missing.length === 0 || missing.length === names.length) return []
    const others = names.filter((name) => !missing.includes(name)).join(' and ')
    return missing.map((name) => `${name}  found nothing, expected a value beside ${others}`)
  })
}

function toSettings(values: Values, instanceId: string): Settings {
  const mechanism = values.WEIR_KAFKA_SASL_MECHANISM
  const sasl = toCredentials(values.WEIR_KAFKA_SASL_USERNAME, values.WEIR_KAFKA_SASL_PASSWORD)
  return deepFreeze({
    kafka: {
      brokers: values.WEIR_KAFKA_BROKERS!,
      ssl: values.WEIR_KAFKA_SSL!,
      sasl: mechanism === null || sasl === null ? null : { mechanism, ...sasl },
    },
    redis: { url: values.WEIR_REDIS_URL! },
    registry: {
      url: values.WEIR_REGISTRY_URL!,
      auth: toCredentials(values.WEIR_REGISTRY_USERNAME, values.WEIR_REGISTRY_PASSWORD),
    },
    http: { host: values.WEIR_HTTP_HOST!, port: values.WEIR_HTTP_PORT! },
    logLevel: values.WEIR_LOG_LEVEL!,
    groupId: values.WEIR_GROUP_ID,
    keyPrefix: values.WEIR_KEY_PREFIX!,
    instanceId: values.WEIR_INSTANCE_ID ?? instanceId,
    topicPrefix: values.WEIR_TOPIC_PREFIX ?? '',
    topicReplication: values.WEIR_TOPIC_REPLICATION!,
  })
}

const toCredentials = (username: string | null, password: string | null): Credentials | null =>
  username === null || password === null ? null : { username, password }

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(deepFreeze)
  return Object.freeze(value)
}

/** The effective settings for the log: passwords, also those inside URLs, are replaced. */
export function redactSettings(settings: Settings): Settings {
  const { kafka, redis, registry } = settings
  return deepFreeze({
    ...settings,
    kafka: { ...kafka, sasl: kafka.sasl && { ...kafka.sasl, password: redacted } },
    redis: { url: redactUrl(redis.url) },
    registry: {
      url: redactUrl(registry.url),
      auth: registry.auth && { ...registry.auth, password: redacted },
    },
  })
}

const redacted = '[redacted]'

/** Also the query is dropped: some clients take a password there. */
function redactUrl(text: string): string {
  const url = new URL(text)
  const user = url.username === '' && url.password === '' ? '' : `${redacted}@`
  return `${url.protocol}//${user}${url.host}${url.pathname}`
}
