import { describe, expect, it } from 'vitest'
import { loadTwins } from '../kafkajs-twins.ts'

const twins = loadTwins()

type Queue = {
  throttledUntil: number
  throttleCheckTimeoutId: NodeJS.Timeout | null
  push(request: object): void
  fulfillRequest(answer: object): void
  checkPendingRequests(): void
  destroy(): void
}
type QueueClass = new (options: object) => Queue

function createQueue(): { queue: Queue; sent: number[]; send: (correlationId: number) => void } {
  const RequestQueue = twins.accelerated<QueueClass>('network/requestQueue/index.js')
  const queue = new RequestQueue({
    maxInFlightRequests: 1,
    requestTimeout: 1000,
    clientId: 'test',
    broker: 'memory',
    logger: { debug: () => {}, warn: () => {} },
  })
  const sent: number[] = []
  const send = (correlationId: number) => {
    const entry = { correlationId, resolve: () => {}, reject: () => {} }
    queue.push({ entry, expectResponse: true, sendRequest: () => sent.push(correlationId) })
  }
  return { queue, sent, send }
}

const answerTo = (correlationId: number) => ({ correlationId, payload: null, size: 0 })

describe('request-queue', () => {
  it('request-queue - sets no timer where nothing waits', () => {
    const { queue, sent, send } = createQueue()
    send(1)
    queue.fulfillRequest(answerTo(1))
    expect(sent).toEqual([1])
    expect(queue.throttleCheckTimeoutId).toBeNull()
  })

  it('request-queue - sends a waiting request after the answer before it', () => {
    const { queue, sent, send } = createQueue()
    send(1)
    send(2)
    expect(sent).toEqual([1])
    queue.fulfillRequest(answerTo(1))
    expect(sent).toEqual([1, 2])
    queue.destroy()
  })

  it('request-queue - holds requests back while the broker throttles, then sends them', async () => {
    const { queue, sent, send } = createQueue()
    queue.throttledUntil = Date.now() + 60
    send(1)
    expect(sent).toEqual([])
    expect(queue.throttleCheckTimeoutId).not.toBeNull()
    await expect.poll(() => sent, { timeout: 10_000 }).toEqual([1])
    queue.destroy()
  })
})
