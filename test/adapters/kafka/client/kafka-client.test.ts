import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import {
  acceleration,
  createKafka,
  type KafkaLogger,
  kafkajs,
  startKafka,
  writeLogEntry,
} from '../../../../services/adapters/kafka/client/kafka-client.ts'

type Line = { readonly level: string; readonly fields: object; readonly message: string }

function collectLines(): { logger: KafkaLogger; lines: Line[] } {
  const lines: Line[] = []
  const write = (level: string) => (fields: object, message: string) => {
    lines.push({ level, fields, message })
  }
  const [debug, info, warn, error] = ['debug', 'info', 'warn', 'error'].map(write)
  return { logger: { debug: debug!, info: info!, warn: warn!, error: error! }, lines }
}

const { ERROR, WARN, INFO, DEBUG } = kafkajs.logLevel

describe('kafka-client', () => {
  it('kafka-client - loads kafkajs with its slow functions replaced', () => {
    expect(acceleration).toEqual({ isAccelerated: true, reason: 'kafkajs 2.2.4' })
  })

  it.each([
    [ERROR, 'Crash: KafkaJSNonRetriableError: no', { retryCount: 0 }, 'error'],
    [ERROR, 'Offset out of range, resetting to default offset', {}, 'error'],
    [ERROR, 'Error when calling eachBatch', {}, 'error'],
    [ERROR, 'Response AddPartitionsToTxn(key: 24, version: 1)', { size: 20 }, 'debug'],
    [ERROR, 'Failed to send messages: no leader', { retryCount: 1 }, 'debug'],
    [ERROR, 'Connection error: connect ECONNREFUSED', {}, 'warn'],
    [ERROR, 'Failed to connect to broker, reconnecting', { retryCount: 2 }, 'warn'],
    [ERROR, 'something that is retried', { retryCount: 2 }, 'warn'],
    [WARN, 'Limiting retries for the idempotent producer may invalidate', {}, 'debug'],
    [WARN, 'The group is rebalancing, re-joining', {}, 'warn'],
    [INFO, 'Consumer has joined the group', {}, 'info'],
    [INFO, 'Pausing fetching from 1 topics', {}, 'debug'],
    [INFO, 'Resuming fetching from 1 topics', {}, 'debug'],
    [DEBUG, 'Request Fetch', {}, 'debug'],
  ])(
    'kafka-client - logs level %i "%s" at the level that fits',
    (level, message, extra, expected) => {
      const { logger, lines } = collectLines()
      const log = { timestamp: '2026-01-01', logger: 'kafkajs', message, groupId: 'g', ...extra }
      writeLogEntry(logger, { namespace: 'Consumer', level, label: 'LABEL', log })
      const fields = { component: 'kafkajs', groupId: 'g', ...extra }
      expect(lines).toEqual([{ level: expected, fields, message }])
    },
  )

  it.each([
    ['Crash: KafkaJSNumberOfRetriesExceeded: no', { retryCount: 5 }, 'debug'],
    ['Crash: KafkaJSProtocolError: The coordinator is loading', {}, 'debug'],
    ['Connection error: connect ECONNREFUSED', {}, 'debug'],
    ['Failed to connect to seed broker, trying another', { retryCount: 2 }, 'debug'],
    ['Offset out of range, resetting to default offset', {}, 'error'],
    ['Error when calling eachBatch', {}, 'error'],
  ])('kafka-client - leaves to the watch what it tells: "%s"', (message, extra, expected) => {
    const { logger, lines } = collectLines()
    const log = { timestamp: '2026-01-01', logger: 'kafkajs', message, ...extra }
    const entry = { namespace: 'Consumer', level: ERROR, label: 'LABEL', log }
    writeLogEntry(logger, entry, { isWatched: true })
    expect(lines.map(({ level }) => level)).toEqual([expected])
  })

  it('kafka-client - says where to look where no broker answers', async () => {
    const server = createServer((socket) => socket.destroy())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const brokers = [`127.0.0.1:${port}`]
    const { logger, lines } = collectLines()
    const retry = { retries: 1, initialRetryTime: 1 }
    const admin = createKafka({ brokers, clientId: 'test', logger, retry }).admin()
    try {
      await expect(startKafka(brokers, () => admin.connect())).rejects.toMatchObject({
        code: 'WEIR_KAFKA_AWAY',
        canRetry: true,
        message: expect.stringContaining(`Tried 127.0.0.1:${port}: `),
      })
      expect(lines.filter(({ level }) => level === 'error')).toEqual([])
    } finally {
      await admin.disconnect()
      server.close()
    }
  })

  it("kafka-client - suspects the controller's listener where an API is missing", async () => {
    const cause = new Error('The Kafka server does not support the requested API version')
    const failing = startKafka(['kafka:9093'], () => Promise.reject(cause))
    await expect(failing).rejects.toMatchObject({
      code: 'WEIR_KAFKA_AWAY',
      message: expect.stringMatching(/kafka:9093.*KRaft controller's listener: WEIR_KAFKA_BROKERS/),
      cause,
    })
  })
})
