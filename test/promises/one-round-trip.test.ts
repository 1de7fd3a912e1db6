// Promise 8: one store round trip and one call of the models per micro-batch, whatever its size.
//
// Counted at the ports of a scorer in memory, on batches from one event to the largest allowed.

import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createMemoryLogStore } from '../../services/adapters/memory/memory-log-store.ts'
import { limits } from '../../services/core/limits.ts'
import { laneIdOf } from '../../services/lanes/lane-input.ts'
import { planFeatures } from '../../services/pipeline/enrich/feature-plan.ts'
import type { EntityLogStore } from '../../services/pipeline/enrich/log-store.ts'
import { EPOCH_MS, transactionOf } from '../support/batches.ts'
import { lanesPipeline } from '../support/lanes-pipeline.ts'
import { createMemoryBroker, type MemoryLane } from '../support/memory-broker.ts'
import { createMemoryScorer, hashClassifier } from '../support/memory-scorer.ts'
import { createRandom } from '../support/random.ts'

function laneOf(partition: number, events: number): MemoryLane {
  const messages = Array.from({ length: events }, (_, offset) => {
    const transaction = transactionOf({
      transactionId: `t-${partition}-${offset}`,
      eventTime: EPOCH_MS + offset * 1000,
      customerId: `c-${offset % 97}`,
      terminalId: `p-${offset % 89}`,
    })
    const value = Buffer.from(JSON.stringify(transaction))
    return { offset, brokerTimeMs: transaction.eventTime, key: null, value }
  })
  const laneId = laneIdOf('transactions', partition)
  const address = { laneId, stream: 'transactions' as const, topic: 'transactions', partition }
  return { address, messages, endOffset: events }
}

async function countCalls(events: number) {
  const random = createRandom(1)
  const definition = lanesPipeline(random)
  const lanes = [0, 1, 2].map((partition) => laneOf(partition, events))
  const broker = createMemoryBroker({ lanes, random, fetchMax: events })
  const member = broker.join()
  const calls = { advance: 0, classify: 0, deliver: 0 }
  const batches: number[] = []
  const memory = createMemoryLogStore(planFeatures(definition).kinds)
  const store: EntityLogStore = {
    ...memory,
    advance: (request) => {
      calls.advance++
      return memory.advance(request)
    },
  }
  const { deliver } = member.transactions
  const running = createMemoryScorer({
    definition,
    store,
    member: {
      ...member,
      transactions: {
        ...member.transactions,
        deliver: (deliveries) => {
          calls.deliver++
          return deliver(deliveries)
        },
      },
    },
    classifier: {
      classify: (request) => {
        calls.classify++
        return hashClassifier.classify(request)
      },
    },
    wrapPipeline: (pipeline) => ({
      ...pipeline,
      process: (batch, isWanted) => {
        batches.push(batch.arrivals.length)
        return pipeline.process(batch, isWanted)
      },
    }),
  })
  await running.conductor.start()
  member.assign(lanes)
  while (!broker.isDone() && running.failure() === null) await turn()
  await running.conductor.drain()
  expect(running.failure()).toBeNull()
  expect(broker.published('scored')).toHaveLength(3 * events)
  return { calls, batches }
}

describe('one round trip, one run', () => {
  it.each([1, 40, 3000])(
    '%i events in each of three lanes: one call of each port per batch',
    async (events) => {
      const { calls, batches } = await countCalls(events)
      const expected = batches.length
      expect(calls).toEqual({ advance: expected, classify: expected, deliver: expected })
      expect(Math.max(...batches)).toBeLessThanOrEqual(limits.batchEventsMax)
      expect(expected).toBeLessThanOrEqual(3 * events)
    },
  )
})
