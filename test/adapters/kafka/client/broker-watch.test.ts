// Whether Kafka answers, told once per change: by the watch alone, and over real connections.

import { describe, expect, it, onTestFinished } from 'vitest'
import { findFreePorts } from '../../../../dev/stack/free-ports.ts'
import { startTcpProxy } from '../../../../load/chaos/tcp-proxy.ts'
import { watchBrokers } from '../../../../services/adapters/kafka/client/broker-watch.ts'
import { createKafka } from '../../../../services/adapters/kafka/client/kafka-client.ts'
import type { Signal } from '../../../../services/pipeline/observe/signals.ts'
import { silentLogger } from '../../../support/silent-logger.ts'
import { testStack } from '../../../support/stack.ts'
import { waitFor } from '../../../support/wait-for.ts'

type Told = Extract<Signal, { kind: 'connection' }>

function open(awayMs: number) {
  const told: Told[] = []
  const watch = watchBrokers((signal) => told.push(signal as Told), awayMs)
  onTestFinished(watch.close)
  const states = () => told.map(({ state }) => state)
  const until = (...wanted: readonly string[]) =>
    waitFor(
      () => String(states()) === String(wanted),
      () => `${wanted}, found ${states()}`,
    )
  return { watch, told, states, until }
}

/** Passes when everything that was due before it has been judged. */
const untilJudged = async (): Promise<void> => {
  const other = open(1)
  other.watch.failed('somewhere else')
  await other.until('down')
}

describe('broker watch', () => {
  it('says up once, and down once when nobody answers after a failure', async () => {
    const { watch, told, until } = open(5)
    watch.answered()
    watch.answered()
    watch.failed('127.0.0.1:1: ECONNREFUSED')
    watch.failed('127.0.0.1:2: ECONNREFUSED')
    await until('up', 'down')
    watch.failed('127.0.0.1:1: ECONNREFUSED')
    expect(told[1]!.detail).toBe('127.0.0.1:2: ECONNREFUSED')
    watch.answered()
    await until('up', 'down', 'up')
  })

  it('calls nobody away while another broker answers', async () => {
    const { watch, states } = open(60_000)
    watch.answered()
    watch.failed('127.0.0.1:1: ECONNREFUSED')
    watch.answered()
    await untilJudged()
    expect(states()).toEqual(['up'])
  })

  it('says nothing after its end', async () => {
    const { watch, states } = open(1)
    watch.failed('127.0.0.1:1: ECONNREFUSED')
    watch.close()
    watch.answered()
    watch.failed('127.0.0.1:1: ECONNREFUSED')
    await untilJudged()
    expect(states()).toEqual([])
  })
})

describe('broker watch - on real connections', () => {
  async function openProxied() {
    const { kafkaBrokers } = await testStack()
    const [port = 0] = await findFreePorts(1)
    const proxy = await startTcpProxy({ port, target: Number(kafkaBrokers[0]!.split(':')[1]) })
    onTestFinished(() => proxy.close())
    return { proxy, brokers: [`127.0.0.1:${port}`] }
  }

  it('hears that the brokers went, and that they are back', async () => {
    const { proxy, brokers } = await openProxied()
    const { watch, told, until } = open(100)
    const lines: string[] = []
    const note = (level: string) => (_fields: object, message: string) => {
      lines.push(`${level} ${message}`)
    }
    const logger = { ...silentLogger, info: note('info'), warn: note('warn'), error: note('error') }
    const admin = createKafka({ brokers, clientId: 'watched', logger, watch }).admin()
    onTestFinished(() => admin.disconnect())
    await admin.connect()
    await until('up')
    proxy.cut()
    admin.listTopics().catch(() => undefined)
    await until('up', 'down')
    expect(told[1]!.detail).toContain(brokers[0])
    proxy.pass()
    await admin.listTopics()
    await until('up', 'down', 'up')
    // A watch tells outages in one line; kafkajs' own are for those who look closely.
    expect(lines).toEqual([])
  })

  it('hears nothing of a client that disconnects', async () => {
    const { brokers } = await openProxied()
    const { watch, states } = open(1)
    const admin = createKafka({ brokers, clientId: 'leaving', logger: silentLogger, watch }).admin()
    await admin.connect()
    await admin.listTopics()
    await admin.disconnect()
    await untilJudged()
    expect(states()).toEqual(['up'])
  })

  it('does not take a refused login for an answer', async () => {
    const { brokers } = await openProxied()
    const { watch, states } = open(60_000)
    const kafka = createKafka({
      brokers,
      clientId: 'stranger',
      logger: silentLogger,
      watch,
      retry: { retries: 0 },
      sasl: { mechanism: 'plain', username: 'nobody', password: 'wrong' },
    })
    const admin = kafka.admin()
    onTestFinished(() => admin.disconnect())
    await expect(admin.connect()).rejects.toThrow()
    expect(states()).toEqual([])
  })
})
