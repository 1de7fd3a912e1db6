// The environment: what describes the place where Weir runs, and nothing of the pipeline.
//
// Comes in: the process's environment, handed over by an entry point. Goes out: Settings, frozen,
// and a view without secrets for the log. What may be refused: wrong values and unknown WEIR_
// names, all of them at once, as WEIR_SETTINGS_INVALID. Invariants: no other module reads WEIR_*
// for the product; an empty variable counts as not set; no message and no log line ever holds a
// secret. The variables themselves stand in settings-table.ts.

import { WeirError } from './errors.ts'
import { nearestName } from './nearest-name.ts'
import { readRedisUrls } from './redis-urls.ts'
import { isHiddenByLink, isServiceLink } from './service-links.ts'
import {
  type Compression,
  type LogLevel,
  type SaslMechanism,
  type Setting,
  settingsTable,
} from './settings-table.ts'

export type { Compression, LogLevel, SaslMechanism } from './settings-table.ts'

type Credentials = { readonly username: string; readonly password: string }

export type MlflowSettings = {
  readonly url: string
  /** Basic authentication; at most one of the two is set. */
  readonly auth: Credentials | null
  readonly token: string | null
  /** Certificates of an authority of one's own; null = those that Node trusts. */
  readonly caFile: string | null
}

export type ModelSettings = {
  readonly mlflow: MlflowSettings | null
  readonly cache: { readonly folder: string; readonly bytesMax: number }
  readonly signatures: { readonly keyFiles: readonly string[]; readonly isRequired: boolean }
}

export type Settings = {
  readonly kafka: {
    readonly brokers: readonly string[]
    readonly ssl: boolean
    /** Of what Weir writes. */
    readonly compression: Compression
    readonly sasl: (Credentials & { readonly mechanism: SaslMechanism }) | null
  }
  /** One URL, or several of a cluster, separated by commas. */
  readonly redis: { readonly url: string }
  readonly registry: { readonly url: string; readonly auth: Credentials | null }
  readonly models: ModelSettings
  /** Where `execution.remote` runs the champion. */
  readonly inference: { readonly url: string | null; readonly token: string | null }
  readonly http: { readonly host: string; readonly port: number; readonly rolloutPort: number }
  readonly logLevel: LogLevel
  /** Consumer group in place of the one named after the pipeline; null = that one. */
  readonly groupId: string | null
  /** Put before every key in Redis. */
  readonly keyPrefix: string
  /** Names this process in logs and at the brokers. */
  readonly instanceId: string
  /** Commit that the running build was made from. */
  readonly commit: string
  /** Put before every topic's name; empty = as in the pipeline file. */
  readonly topicPrefix: string
  /** Replicas of topics that Weir makes. */
  readonly topicReplication: number
}

type SettingName = keyof typeof settingsTable
type Values = {
  readonly [Name in SettingName]: Exclude<
    ReturnType<(typeof settingsTable)[Name]['read']>,
    undefined
  > | null
}

/** Names of development tools and of docker-compose.yml, which read them themselves. */
const toolNames = [
  /^WEIR_TEST_/,
  /^WEIR_STACK(_|$)/,
  /^WEIR_CACHE(_|$)/,
  /^WEIR_KAFKAJS_STOCK$/,
  /^WEIR_TRAINING_PYTHON$/,
  /^WEIR_DATA$/,
  /^WEIR_(KAFKA|REDIS|REGISTRY)_PORT$/,
  /^WEIR_REDIS_(SAVE|APPENDONLY|MAXMEMORY)$/,
]

type Environment = Readonly<Record<string, string | undefined>>

/** @param processId makes the default of WEIR_INSTANCE_ID unique on its host. */
export function readSettings(environment: Environment, processId: number = process.pid): Settings {
  const faults: string[] = findUnknownNames(environment)
  const values = readValues(environment, faults)
  faults.push(...findHalfCredentials(values), ...findModelFaults(values))
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
      !toolNames.some((pattern) => pattern.test(name)) &&
      !isServiceLink(name, environment),
  )
  return unknown.map((name) => {
    const nearest = nearestName(name, known)
    const hint = nearest === null ? '' : `, did you mean ${nearest}`
    return `${name}  found an unknown name, expected one of docs/reference/settings.md${hint}`
  })
}

function readValues(environment: Environment, faults: string[]): Values {
  const rows = Object.entries<Setting<unknown>>(settingsTable).map(([name, row]) => {
    const given = isHiddenByLink(name, environment) ? undefined : environment[name]
    const text = given || row.fallback
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
  ['WEIR_MLFLOW_USERNAME', 'WEIR_MLFLOW_PASSWORD'],
]

function findHalfCredentials(values: Values): readonly string[] {
  return credentialGroups.flatMap((names) => {
    const missing = names.filter((name) => values[name] === null)
    if (missing.length === 0 || missing.length === names.length) return []
    const others = names.filter((name) => !missing.includes(name)).join(' and ')
    return missing.map((name) => `${name}  found nothing, expected a value beside ${others}`)
  })
}

function findModelFaults(values: Values): readonly string[] {
  const faults: string[] = []
  const login = ['WEIR_MLFLOW_USERNAME', 'WEIR_MLFLOW_TOKEN'] as const
  const given = login.filter((name) => values[name] !== null)
  if (given.length === 2) {
    faults.push('WEIR_MLFLOW_TOKEN  found beside WEIR_MLFLOW_USERNAME, expected one of the two')
  }
  const url = values.WEIR_MLFLOW_URL
  const beside = values.WEIR_MLFLOW_CA === null ? given : [...given, 'WEIR_MLFLOW_CA']
  if (url === null && beside.length > 0) {
    faults.push(`WEIR_MLFLOW_URL  found nothing, expected a value beside ${beside.join(' and ')}`)
  }
  // Whoever names an authority means to speak TLS.
  if (url?.startsWith('http:') === true && values.WEIR_MLFLOW_CA !== null) {
    faults.push('WEIR_MLFLOW_URL  found an http:// URL, expected https:// beside WEIR_MLFLOW_CA')
  }
  if (values.WEIR_MODEL_REQUIRE_SIGNATURE === true && values.WEIR_MODEL_KEYS === null) {
    const beside = 'WEIR_MODEL_REQUIRE_SIGNATURE=true'
    faults.push(`WEIR_MODEL_KEYS  found nothing, expected public keys beside ${beside}`)
  }
  return faults
}

function toSettings(values: Values, instanceId: string): Settings {
  const mechanism = values.WEIR_KAFKA_SASL_MECHANISM
  const sasl = toCredentials(values.WEIR_KAFKA_SASL_USERNAME, values.WEIR_KAFKA_SASL_PASSWORD)
  return deepFreeze({
    kafka: {
      brokers: values.WEIR_KAFKA_BROKERS!,
      ssl: values.WEIR_KAFKA_SSL!,
      compression: values.WEIR_KAFKA_COMPRESSION!,
      sasl: mechanism === null || sasl === null ? null : { mechanism, ...sasl },
    },
    redis: { url: values.WEIR_REDIS_URL! },
    registry: {
      url: values.WEIR_REGISTRY_URL!,
      auth: toCredentials(values.WEIR_REGISTRY_USERNAME, values.WEIR_REGISTRY_PASSWORD),
    },
    models: toModelSettings(values),
    inference: { url: values.WEIR_INFERENCE_URL, token: values.WEIR_INFERENCE_TOKEN },
    http: {
      host: values.WEIR_HTTP_HOST!,
      port: values.WEIR_HTTP_PORT!,
      rolloutPort: values.WEIR_ROLLOUT_PORT!,
    },
    logLevel: values.WEIR_LOG_LEVEL!,
    groupId: values.WEIR_GROUP_ID,
    keyPrefix: values.WEIR_KEY_PREFIX ?? keyPrefixOf(values.WEIR_TOPIC_PREFIX ?? ''),
    instanceId: values.WEIR_INSTANCE_ID ?? instanceId,
    commit: values.WEIR_COMMIT!,
    topicPrefix: values.WEIR_TOPIC_PREFIX ?? '',
    topicReplication: values.WEIR_TOPIC_REPLICATION!,
  })
}

/** A prefix alone makes a deployment of its own: topics, group and keys. */
export const groupOf = (
  { groupId, topicPrefix }: Pick<Settings, 'groupId' | 'topicPrefix'>,
  pipeline: string,
): string => groupId ?? `weir.${topicPrefix}${pipeline}`

const keyPrefixOf = (topicPrefix: string): string =>
  topicPrefix === '' ? 'weir' : `weir:${topicPrefix}`

const toModelSettings = (values: Values): ModelSettings => ({
  mlflow:
    values.WEIR_MLFLOW_URL === null
      ? null
      : {
          url: values.WEIR_MLFLOW_URL,
          auth: toCredentials(values.WEIR_MLFLOW_USERNAME, values.WEIR_MLFLOW_PASSWORD),
          token: values.WEIR_MLFLOW_TOKEN,
          caFile: values.WEIR_MLFLOW_CA,
        },
  cache: {
    folder: values.WEIR_MODEL_CACHE!,
    bytesMax: values.WEIR_MODEL_CACHE_MIB! * 1024 * 1024,
  },
  signatures: {
    keyFiles: values.WEIR_MODEL_KEYS ?? [],
    isRequired: values.WEIR_MODEL_REQUIRE_SIGNATURE!,
  },
})

const toCredentials = (username: string | null, password: string | null): Credentials | null =>
  username === null || password === null ? null : { username, password }

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(deepFreeze)
  return Object.freeze(value)
}

/** The effective settings for the log: passwords, also those inside URLs, are replaced. */
export function redactSettings(settings: Settings): Settings {
  const { kafka, redis, registry, models, inference } = settings
  return deepFreeze({
    ...settings,
    kafka: { ...kafka, sasl: kafka.sasl && { ...kafka.sasl, password: redacted } },
    redis: { url: readRedisUrls(redis.url)!.map(redactUrl).join(',') },
    registry: {
      url: redactUrl(registry.url),
      auth: registry.auth && { ...registry.auth, password: redacted },
    },
    models: { ...models, mlflow: models.mlflow && redactMlflow(models.mlflow) },
    inference: {
      url: inference.url && redactUrl(inference.url),
      token: inference.token && redacted,
    },
  })
}

const redactMlflow = ({ url, auth, token, caFile }: MlflowSettings): MlflowSettings => ({
  url: redactUrl(url),
  caFile,
  auth: auth && { ...auth, password: redacted },
  token: token && redacted,
})

const redacted = '[redacted]'

/** Also the query is dropped: some clients take a password there. */
function redactUrl(text: string): string {
  const url = new URL(text)
  const user = url.username === '' && url.password === '' ? '' : `${redacted}@`
  return `${url.protocol}//${user}${url.host}${url.pathname}`
}
