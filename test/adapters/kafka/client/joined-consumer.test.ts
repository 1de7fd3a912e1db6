// A member of a group that comes back by itself, on a consumer that behaves as kafkajs' own does:
// it drops its group first, throws when spoken to, and says only later that it crashed.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { joinConsumer } from '../../../../services/adapters/kafka/client/joined-consumer.ts'
import type { Kafka } from '../../../../services/adapters/kafka/client/kafka-client.ts'

type Listener = (event: { readonly payload: Record<string, unknown> }) => void

class FakeConsumer {
  readonly events = {
    GROUP_JOIN: 'join',
    REBALANCING: 'rebalancing',
    STOP: 'stop',
    CRASH: 'crash',
    END_BATCH_PROCESS: 'end',
    FETCH: 'fetch',
    HEARTBEAT: 'heartbeat',
  }
  readonly calls: string[] = []
  runs = 0
  #hasGroup = false
  readonly #listeners = new Map<string, Listener>()
  #eachBatch: (payload: unknown) => Promise<void> = async () => undefined

  on = (name: string, listener: Listener) => this.#listeners.set(name, listener)
  connect = async () => undefined
  subscribe = async () => undefined
  disconnect = async () => void this.calls.push('disconnect')
  stop = async () => this.drop()
  run = async ({ eachBatch }: { eachBatch: (payload: unknown) => Promise<void> }) => {
    this.runs++
    this.#hasGroup = true
    this.#eachBatch = eachBatch
  }
  pause = () => this.#speak('pause')
  resume = () => this.#speak('resume')
  seek = () => this.#speak('seek')
  #speak(what: string): void {
    if (!this.#hasGroup) throw new Error('Consumer group was not initialized')
    this.calls.push(what)
  }

  emit(name: string, payload: Record<string, unknown> = {}): void {
    this.#listeners.get(name)?.({ payload })
  }
  join = () => this.emit('join', { memberAssignment: { t: [0, 1] } })
  drop = (): void => {
    this.#hasGroup = false
    this.emit('stop')
  }
  /** As kafkajs crashes: the group is gone first, then it takes its time, then it says so. */
  crash(error: Error, between = (): void => undefined): void {
    this.drop()
    between()
    this.emit('crash', { error, restart: false })
  }
  fetch = () =>
    this.#eachBatch({ batch: {}, isStale: () => false, isRunning: () => true, resolveOffset() {} })
}

async function openJoined() {
  const fake = new FakeConsumer()
  const told: string[] = []
  const consumer = joinConsumer({ consumer: () => fake } as unknown as Kafka, { groupId: 'g' })
  await consumer.start(['t'], {
    joined: () => told.push('joined'),
    left: (reason) => told.push(reason.replace(/:.*/, '')),
    fetched: () => told.push('fetched'),
    skipped: () => told.push('skipped'),
    failed: (error) => told.push(`failed ${error.code}`),
  })
  fake.join()
  return { fake, told, consumer }
}

const typeError = new TypeError("Cannot read properties of undefined (reading '0')")
const passing = Object.assign(new Error('away'), { name: 'KafkaJSNumberOfRetriesExceeded' })
const minuteMs = 60_000

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('joined-consumer', () => {
  it('throws nothing between the group that is dropped and the crash that is told', async () => {
    const { fake, told, consumer } = await openJoined()
    fake.crash(typeError, () => {
      consumer.pause('t', 0)
      consumer.resume('t', 0)
      consumer.seek('t', 0, 5)
    })
    expect(told).toEqual(['joined', 'consumer crashed'])
    await vi.advanceTimersByTimeAsync(10_000)
    expect(fake.runs).toBe(2)
    fake.join()
    consumer.seek('t', 0, 5)
    expect(told.at(-1)).toBe('joined')
    expect(fake.calls.slice(-2)).toEqual(['seek', 'resume'])
  })

  it('gives up after faults in a row with nothing fetched between them', async () => {
    const { fake, told } = await openJoined()
    for (let i = 0; i < 9; i++) {
      fake.crash(typeError)
      await vi.advanceTimersByTimeAsync(10_000)
    }
    expect(told.filter((line) => line.startsWith('failed'))).toEqual(['failed WEIR_KAFKA_AWAY'])
    expect(fake.runs).toBe(9)
  })

  it('starts to count anew with each fetch, and never counts what passes', async () => {
    const { fake, told } = await openJoined()
    for (let i = 0; i < 30; i++) {
      fake.crash(i % 2 === 0 ? typeError : passing)
      await vi.advanceTimersByTimeAsync(10_000)
      fake.join()
      if (i % 6 === 0) await fake.fetch()
    }
    for (let i = 0; i < 30; i++) {
      fake.crash(passing)
      await vi.advanceTimersByTimeAsync(10_000)
    }
    expect(told.some((line) => line.startsWith('failed'))).toBe(false)
  })

  it('does not come back once it was stopped', async () => {
    const { fake, consumer } = await openJoined()
    fake.crash(typeError)
    await consumer.stop()
    await vi.advanceTimersByTimeAsync(10 * minuteMs)
    expect(fake.runs).toBe(1)
  })

  it('joins anew when one broker falls silent while the group is heard', async () => {
    const { fake, told } = await openJoined()
    fake.emit('fetch', { nodeId: 1 })
    fake.emit('fetch', { nodeId: 2 })
    for (let seconds = 0; seconds < 90; seconds += 5) {
      await vi.advanceTimersByTimeAsync(5000)
      fake.emit('heartbeat')
      fake.emit('fetch', { nodeId: 1 })
    }
    expect(told).toContain('a broker sent nothing for 60000 ms')
    expect(fake.runs).toBe(2)
  })

  it('joins anew when the answer that gives it its partitions never came', async () => {
    const { fake } = await openJoined()
    fake.emit('rebalancing')
    for (let seconds = 0; seconds < 90; seconds += 5) {
      await vi.advanceTimersByTimeAsync(5000)
      fake.emit('heartbeat')
    }
    expect(fake.runs).toBe(2)
  })

  it('waits for brokers that are away altogether', async () => {
    const { fake } = await openJoined()
    fake.emit('fetch', { nodeId: 1 })
    await vi.advanceTimersByTimeAsync(10 * minuteMs)
    expect(fake.runs).toBe(1)
  })
})
