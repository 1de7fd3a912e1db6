// Whether the brokers answer, as all connections of one process see it together.
//
// In: from every socket, that an answer came, or that the socket failed while something was wanted
// of it. Out: one `connection` signal per change. A socket that fails is no outage: others may
// answer, and kafkajs connects anew. Kafka is away when one has failed and nothing at all was heard
// for limits.kafkaAwayMs: lanes fetch and send heartbeats all the time, so silence is no idleness.
// Invariants: up on the first answer; nothing is said after `close`, for then sockets end by our
// own will.

import { limits } from '../../../core/limits.ts'
import type { Observe } from '../../../pipeline/observe/signals.ts'

export type BrokerWatch = {
  readonly answered: () => void
  /** @param reason with the broker's address. */
  readonly failed: (reason: string) => void
  readonly close: () => void
}

export function watchBrokers(observe: Observe, awayMs: number = limits.kafkaAwayMs): BrokerWatch {
  let state: 'not_yet' | 'up' | 'down' = 'not_yet'
  let heardAtMs = performance.now()
  let reason = ''
  let timer: NodeJS.Timeout | null = null
  let isClosed = false

  const say = (next: 'up' | 'down', detail: string): void => {
    state = next
    observe({ kind: 'connection', system: 'kafka', state: next, detail })
  }

  /** After a failure: whoever was answered meanwhile, brokers are there. */
  const judge = (): void => {
    timer = null
    if (!isClosed && performance.now() - heardAtMs >= awayMs) say('down', reason)
  }

  return {
    answered: () => {
      heardAtMs = performance.now()
      if (state !== 'up' && !isClosed) say('up', '')
    },
    failed: (found) => {
      reason = found
      if (isClosed || timer !== null || state === 'down') return
      const waitMs = Math.max(0, awayMs - (performance.now() - heardAtMs))
      // A timer may fire a little early. Where this process itself was held up, what has arrived
      // meanwhile is heard first.
      timer = setTimeout(() => setImmediate(judge), waitMs + 5)
      timer.unref()
    },
    close: () => {
      isClosed = true
      if (timer !== null) clearTimeout(timer)
    },
  }
}
