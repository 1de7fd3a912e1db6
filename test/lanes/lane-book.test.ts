// What a lane book refuses and tells: too many lanes, memory that is lost, claims that fail at the
// end.

import { describe, expect, it } from 'vitest'
import { createMemoryLogStore } from '../../services/adapters/memory/memory-log-store.ts'
import { limits } from '../../services/core/limits.ts'
import type { LaneAddress } from '../../services/lanes/lane-input.ts'
import { laneIdOf } from '../../services/lanes/lane-input.ts'
import { planFeatures } from '../../services/pipeline/enrich/feature-plan.ts'
import type { Signal } from '../../services/pipeline/observe/signals.ts'
import { lanesPipeline } from '../support/lanes-pipeline.ts'
import { createMemoryBroker } from '../support/memory-broker.ts'
import { createMemoryScorer } from '../support/memory-scorer.ts'
import { createRandom } from '../support/random.ts'

const addressOf = (partition: number): LaneAddress => ({
  laneId: laneIdOf('transactions', partition),
  stream: 'transactions',
  topic: 'transactions',
  partition,
})

type Wish = {
  readonly partition?: number
  readonly open?: () => Promise<never>
  readonly metadata?: string
}

function openScorer({ partition = 0, open, metadata }: Wish) {
  const random = createRandom(1)
  const definition = lanesPipeline(random)
  const lane = { address: addressOf(partition), messages: [], endOffset: 0 }
  const broker = createMemoryBroker({ lanes: [lane], random })
  const joined = broker.join()
  const stops: string[] = []
  const transactions = {
    ...joined.transactions,
    ...(open === undefined ? {} : { open }),
    ...(metadata === undefined
      ? {}
      : { open: async () => ({ nextOffset: 0, metadata, endOffset: 0 }) }),
  }
  const input = {
    ...joined.input,
    stop: async () => {
      stops.push('stopped')
      await joined.input.stop()
    },
  }
  const member = { ...joined, transactions, input }
  const signals: Signal[] = []
  const running = createMemoryScorer({
    definition,
    member,
    store: createMemoryLogStore(planFeatures(definition).kinds),
    observe: (signal) => signals.push(signal),
  })
  const told = (kind: Signal['kind']) => signals.filter((signal) => signal.kind === kind)
  return { ...running, assign: () => joined.assign([lane]), told, stops }
}

describe('lane book', () => {
  it('refuses a partition that no record of a log can name, and claims nothing', async () => {
    const scorer = openScorer({ partition: limits.lanesMax / 2 })
    await scorer.conductor.start()
    scorer.assign()
    expect(scorer.failure()).toMatchObject({ code: 'WEIR_LANE_LIMIT' })
    expect(scorer.failure()?.message).toContain('transactions/256')
    await scorer.conductor.drain()
    expect(scorer.told('rebalanced')).toEqual([])
  })

  it('tells that a lane has lost its memory, and goes on with a fresh one', async () => {
    const scorer = openScorer({ metadata: 'somebody was here' })
    await scorer.conductor.start()
    scorer.assign()
    await expect.poll(() => scorer.told('lane_claimed')).toHaveLength(1)
    expect(scorer.told('lane_memory_lost')).toMatchObject([
      {
        stream: 'transactions',
        partition: 0,
        detail: expect.stringContaining('somebody was here'),
      },
    ])
    await scorer.conductor.drain()
    expect(scorer.failure()).toBeNull()
  })

  it('gives lanes and input back although a claim failed on the way', async () => {
    const { promise, reject } = Promise.withResolvers<never>()
    let isOpening = false
    const open = () => {
      isOpening = true
      return promise
    }
    const scorer = openScorer({ open })
    await scorer.conductor.start()
    scorer.assign()
    await expect.poll(() => isOpening).toBe(true)
    const drained = scorer.conductor.drain()
    reject(new TypeError('planted'))
    await drained
    expect(scorer.told('lane_released')).toHaveLength(1)
    expect(scorer.stops).toEqual(['stopped'])
  })

  it("holds an error that is nobody else's for its own mistake, and not for a broker that is away", async () => {
    const scorer = openScorer({ open: async () => Promise.reject(new TypeError('planted')) })
    await scorer.conductor.start()
    scorer.assign()
    await expect.poll(() => scorer.failure()).not.toBeNull()
    expect(scorer.failure()).toMatchObject({ code: 'WEIR_INTERNAL_INVARIANT' })
    expect(scorer.told('retried')).toEqual([])
    await scorer.conductor.drain()
  })
})
