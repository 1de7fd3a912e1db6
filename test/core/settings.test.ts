// The environment: defaults, every fault at once, no secret in any text, and the page about it.

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { readSettings, redactSettings } from '../../services/core/settings.ts'
import { settingsTable } from '../../services/core/settings-table.ts'

const messageOf = (environment: Record<string, string>): string => {
  try {
    readSettings(environment)
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('the settings were accepted')
}

describe('settings', () => {
  test('settings - of an empty environment are the defaults', () => {
    expect(readSettings({ HOSTNAME: 'box', PATH: '/bin' }, 7)).toEqual({
      kafka: { brokers: ['localhost:9092'], ssl: false, compression: 'none', sasl: null },
      redis: { url: 'redis://localhost:6379' },
      registry: { url: 'http://localhost:8081', auth: null },
      models: {
        mlflow: null,
        cache: { folder: '.weir/model-cache', bytesMax: 2048 * 1024 * 1024 },
        signatures: { keyFiles: [], isRequired: false },
      },
      inference: { url: null, token: null },
      http: { host: '0.0.0.0', port: 9464, rolloutPort: 9465 },
      logLevel: 'info',
      groupId: null,
      keyPrefix: 'weir',
      instanceId: 'box-7',
      commit: 'unknown',
      topicPrefix: '',
      topicReplication: 1,
    })
  })

  test('settings - reads every variable of the table', () => {
    const environment: Record<keyof typeof settingsTable, string> = {
      WEIR_KAFKA_BROKERS: 'a:9092, [::1]:9093',
      WEIR_KAFKA_SSL: 'TRUE',
      WEIR_KAFKA_COMPRESSION: 'gzip',
      WEIR_KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
      WEIR_KAFKA_SASL_USERNAME: 'me',
      WEIR_KAFKA_SASL_PASSWORD: 'secret1',
      WEIR_REDIS_URL: 'rediss://u:secret2@r:6380/2',
      WEIR_REGISTRY_URL: 'https://registry/apis/ccompat/v7',
      WEIR_REGISTRY_USERNAME: 'you',
      WEIR_REGISTRY_PASSWORD: 'secret3',
      WEIR_MLFLOW_URL: 'https://mlflow/base',
      WEIR_MLFLOW_CA: '/ca.pem',
      WEIR_MLFLOW_USERNAME: 'them',
      WEIR_MLFLOW_PASSWORD: 'secret4',
      WEIR_MLFLOW_TOKEN: '',
      WEIR_MODEL_CACHE: '/cache',
      WEIR_MODEL_CACHE_MIB: '3',
      WEIR_MODEL_KEYS: 'a.pem, b.pem',
      WEIR_MODEL_REQUIRE_SIGNATURE: 'true',
      WEIR_INFERENCE_URL: 'https://me:secret4@triton:8000/here',
      WEIR_INFERENCE_TOKEN: 'secret5',
      WEIR_HTTP_HOST: '::1',
      WEIR_HTTP_PORT: '0',
      WEIR_ROLLOUT_PORT: '1',
      WEIR_LOG_LEVEL: 'debug',
      WEIR_GROUP_ID: 'g',
      WEIR_KEY_PREFIX: 'p:q',
      WEIR_INSTANCE_ID: 'i-1',
      WEIR_COMMIT: 'abc1234',
      WEIR_TOPIC_PREFIX: 't.',
      WEIR_TOPIC_REPLICATION: '3',
    }
    expect(readSettings(environment)).toEqual({
      kafka: {
        brokers: ['a:9092', '[::1]:9093'],
        ssl: true,
        compression: 'gzip',
        sasl: { mechanism: 'scram-sha-512', username: 'me', password: 'secret1' },
      },
      redis: { url: 'rediss://u:secret2@r:6380/2' },
      registry: {
        url: 'https://registry/apis/ccompat/v7',
        auth: { username: 'you', password: 'secret3' },
      },
      models: {
        mlflow: {
          url: 'https://mlflow/base',
          auth: { username: 'them', password: 'secret4' },
          token: null,
          caFile: '/ca.pem',
        },
        cache: { folder: '/cache', bytesMax: 3 * 1024 * 1024 },
        signatures: { keyFiles: ['a.pem', 'b.pem'], isRequired: true },
      },
      inference: { url: 'https://me:secret4@triton:8000/here', token: 'secret5' },
      http: { host: '::1', port: 0, rolloutPort: 1 },
      logLevel: 'debug',
      groupId: 'g',
      keyPrefix: 'p:q',
      instanceId: 'i-1',
      commit: 'abc1234',
      topicPrefix: 't.',
      topicReplication: 3,
    })
    const logged = JSON.stringify(redactSettings(readSettings(environment)))
    expect(logged).not.toMatch(/secret\d/)
    expect(logged).toContain('rediss://[redacted]@r:6380/2')
  })

  test('settings - reports all faults at once, with the name that was meant', () => {
    const message = messageOf({
      WEIR_KAFKA_BROKER: 'a:9092',
      WEIR_KAFKA_BROKERS: 'a:9092,b',
      WEIR_KAFKA_SSL: 'constructor',
      WEIR_HTTP_PORT: '70000',
      WEIR_LOG_LEVEL: 'loud',
      WEIR_KAFKA_SASL_USERNAME: 'me',
      WEIR_TOPIC_REPLICATION: '1.5',
    })
    expect(message.split('\n').slice(1)).toEqual([
      'WEIR_KAFKA_BROKER  found an unknown name, expected one of docs/reference/settings.md, did you mean WEIR_KAFKA_BROKERS',
      'WEIR_KAFKA_BROKERS  found "a:9092,b", expected host:port, several separated by commas',
      'WEIR_KAFKA_SSL  found "constructor", expected true or false',
      'WEIR_HTTP_PORT  found "70000", expected a port from 0 to 65535; 0 takes a free one',
      'WEIR_LOG_LEVEL  found "loud", expected one of trace, debug, info, warn, error, fatal, silent',
      'WEIR_TOPIC_REPLICATION  found "1.5", expected a whole number from 1 to 15',
      'WEIR_KAFKA_SASL_MECHANISM  found nothing, expected a value beside WEIR_KAFKA_SASL_USERNAME',
      'WEIR_KAFKA_SASL_PASSWORD  found nothing, expected a value beside WEIR_KAFKA_SASL_USERNAME',
    ])
    expect(message).toMatch(/^WEIR_SETTINGS_INVALID: .* 8 faults:/)
  })

  test('settings - of the model registry are refused where they contradict each other', () => {
    const login = { WEIR_MLFLOW_USERNAME: 'a', WEIR_MLFLOW_PASSWORD: 'b' }
    const message = messageOf({
      ...login,
      WEIR_MLFLOW_TOKEN: 'hush',
      WEIR_MODEL_REQUIRE_SIGNATURE: 'true',
    })
    expect(message).toContain('WEIR_MLFLOW_TOKEN  found beside WEIR_MLFLOW_USERNAME')
    expect(message).toContain('WEIR_MLFLOW_URL  found nothing')
    expect(message).toContain('WEIR_MODEL_KEYS  found nothing')
    const withToken = { WEIR_MLFLOW_URL: 'http://m', WEIR_MLFLOW_TOKEN: 'hush' }
    expect(JSON.stringify(redactSettings(readSettings(withToken)))).not.toContain('hush')
    expect(messageOf({ WEIR_MLFLOW_URL: 'http://u:hush@m' })).not.toContain('hush')
  })

  test('settings - shows no secret in a fault', () => {
    expect(messageOf({ WEIR_REDIS_URL: 'http://u:hush@r:1' })).not.toContain('hush')
    expect(messageOf({ WEIR_REGISTRY_URL: 'u:hush@r:1' })).not.toContain('hush')
  })

  test('settings - takes an empty variable as not set', () => {
    expect(readSettings({ WEIR_HTTP_PORT: '', WEIR_GROUP_ID: '' })).toMatchObject({
      http: { port: 9464 },
      groupId: null,
    })
  })

  test('settings - lets the names of development tools pass, and no others', () => {
    expect(() =>
      readSettings({
        WEIR_TEST_SEED: '1',
        WEIR_STACK: 'native',
        WEIR_STACK_KEEP: '1',
        WEIR_CACHE_DIR: 'x',
        WEIR_KAFKAJS_STOCK: '1',
        WEIR_KAFKA_PORT: '9092',
        WEIR_REDIS_SAVE: '',
      }),
    ).not.toThrow()
    expect(() => readSettings({ WEIR_STACKED: '1' })).toThrow(/WEIR_STACKED/)
  })

  test('settings - are frozen to the bottom', () => {
    const settings = readSettings({})
    expect(Object.isFrozen(settings)).toBe(true)
    expect(Object.isFrozen(settings.kafka.brokers)).toBe(true)
    expect(Object.isFrozen(redactSettings(settings).kafka)).toBe(true)
  })

  test('settings - the page has every variable with its default, and no other', () => {
    const url = new URL('../../docs/reference/settings.md', import.meta.url)
    const rows = readFileSync(url, 'utf8').matchAll(
      /^\| `(WEIR_\w+)` \| (.*?) \| (.*?) \| (.*?) \|$/gm,
    )
    const written = Array.from(rows, ([, name, fallback, expected, means]) => [
      name,
      { fallback, expected, means },
    ])
    const table = Object.entries(settingsTable).map(([name, row]) => {
      const fallback = row.fallback === null ? 'not set' : `\`${row.fallback}\``
      return [name, { fallback, expected: row.expected, means: row.means }]
    })
    expect(written).toEqual(table)
  })
})
