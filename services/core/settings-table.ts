// The variables of the environment as data: name, default, what is expected, what it means.
//
// Comes in: the text of one variable. Goes out: its value, or undefined where the text is not as
// expected; settings.ts then makes a fault of it. Invariant: this table is all there is; the page
// docs/reference/settings.md is proved against it.

import { readRedisUrls } from './redis-urls.ts'

const saslMechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const
export type SaslMechanism = (typeof saslMechanisms)[number]

/**
 * What Weir writes; for lz4 and snappy it has no writer, and zstd makes less of the same (bench
 * codec).
 */
const compressions = ['none', 'gzip', 'zstd'] as const
export type Compression = (typeof compressions)[number]

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/** One row of the table: `read` gives the value, or undefined where the text is not as expected. */
export type Setting<T> = {
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
/** A URL is logged and stands in messages: no place for a login. */
function urlWithoutLogin(text: string): string | undefined {
  const url = urlWith('http:', 'https:')(text)
  return url !== undefined && new URL(url).username === '' && new URL(url).password === ''
    ? url
    : undefined
}
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

function readFileList(text: string): readonly string[] | undefined {
  const files = text.split(',').map((file) => file.trim())
  return files.every((file) => file !== '') ? files : undefined
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
  WEIR_KAFKA_COMPRESSION: setting({
    read: oneOf(compressions),
    fallback: 'none',
    expected: `one of ${compressions.join(', ')}`,
    means: 'How the batches that Weir writes are compressed; all five codecs are read.',
  }),
  WEIR_REDIS_URL: setting({
    read: (text: string) => readRedisUrls(text)?.join(','),
    fallback: 'redis://localhost:6379',
    expected:
      'redis://[user:password@]host:port[/database], or rediss:// for TLS; several, alike but for ' +
      'the host, separated by commas',
    means: 'The feature store: one server, or some nodes of a Redis Cluster to start from.',
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
  WEIR_MLFLOW_URL: setting({
    read: urlWithoutLogin,
    fallback: null,
    expected: 'an http:// or https:// URL without user and password',
    means: 'MLflow server of models whose source is mlflow.',
    isSecret: true,
  }),
  WEIR_MLFLOW_CA: setting({
    read: anyText,
    fallback: null,
    expected: 'the path of a PEM file',
    means: "Certificates of an authority that is trusted at the MLflow server besides Node's.",
  }),
  WEIR_MLFLOW_USERNAME: setting({
    read: anyText,
    fallback: null,
    expected: 'a text',
    means: 'User at the MLflow server (basic authentication).',
  }),
  WEIR_MLFLOW_PASSWORD: setting({
    read: anyText,
    fallback: null,
    expected: 'a text',
    means: 'Password at the MLflow server.',
    isSecret: true,
  }),
  WEIR_MLFLOW_TOKEN: setting({
    read: matching(/^[\x21-\x7e]{1,8192}$/),
    fallback: null,
    expected: 'a token of visible characters',
    means: 'Bearer token for the MLflow server, in place of user and password.',
    isSecret: true,
  }),
  WEIR_MODEL_CACHE: setting({
    read: anyText,
    fallback: '.weir/model-cache',
    expected: 'a folder',
    means: 'Where models from a registry are kept, so that a scorer starts without it.',
  }),
  WEIR_MODEL_CACHE_MIB: setting({
    read: integer(1, 1_048_576),
    fallback: '2048',
    expected: 'a whole number from 1 to 1048576',
    means: 'Size of that folder in MiB; beyond it, models unused for longest are removed.',
  }),
  WEIR_MODEL_KEYS: setting({
    read: readFileList,
    fallback: null,
    expected: 'paths of PEM files, separated by commas',
    means: 'Ed25519 public keys whose signatures on models are trusted.',
  }),
  WEIR_MODEL_REQUIRE_SIGNATURE: setting({
    read: readBoolean,
    fallback: 'false',
    expected: 'true or false',
    means: 'Whether a model that none of WEIR_MODEL_KEYS has signed is refused.',
  }),
  WEIR_INFERENCE_URL: setting({
    read: urlWith('http:', 'https:'),
    fallback: null,
    expected: 'an http:// or https:// URL',
    means: 'Inference server of `execution.remote`: Open Inference Protocol v2 (KServe, Triton).',
    isSecret: true,
  }),
  WEIR_INFERENCE_TOKEN: setting({
    read: matching(/^[\x21-\x7e]{1,8192}$/),
    fallback: null,
    expected: 'up to 8192 visible ASCII characters',
    means: 'Bearer token for the inference server; not set = none.',
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
  WEIR_ROLLOUT_PORT: setting({
    read: integer(0, 65_535),
    fallback: '9465',
    expected: 'a port from 0 to 65535; 0 takes a free one',
    means: 'Port of metrics and health of `weir rollout`, which may run beside a scorer.',
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
    means: 'Consumer group in place of weir.<prefix of the topics><pipeline>.',
  }),
  WEIR_KEY_PREFIX: setting({
    read: matching(/^[A-Za-z0-9._:-]{1,64}$/),
    fallback: null,
    expected: 'up to 64 letters, digits, dots, colons, dashes and underscores',
    means:
      'Put before every key in Redis; not set: weir, and the prefix of the topics if there is one.',
  }),
  WEIR_INSTANCE_ID: setting({
    read: matching(namePattern),
    fallback: null,
    expected: nameExpected,
    means: 'Name of this process in logs and at the brokers; not set = host name and process id.',
  }),
  WEIR_COMMIT: setting({
    read: matching(namePattern),
    fallback: 'unknown',
    expected: nameExpected,
    means: 'Commit that this build was made from, shown as weir_build_info; set by the image.',
  }),
  WEIR_TOPIC_PREFIX: setting({
    read: matching(namePattern),
    fallback: null,
    expected: nameExpected,
    means:
      "Put before every topic's name, and into group and keys unless they are set: a deployment of its own.",
  }),
  WEIR_TOPIC_REPLICATION: setting({
    read: integer(1, 15),
    fallback: '1',
    expected: 'a whole number from 1 to 15',
    means: 'Replicas of the topics that `weir topics apply` makes.',
  }),
} as const
