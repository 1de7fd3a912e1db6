// The conductor, one promise at a time: bounded, patient, careful with what it does not know.

import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createMemoryLogStore } from '../../services/adapters/memory/memory-log-store.ts'
import { WeirError } from '../../services/core/errors.ts'
import { limits } from '../../services/core/limits.ts'
import { laneIdOf } from '../../services/lanes/lane-input.ts'
import { planFeatures } from '../../services/pipeline/enrich/feature-plan.ts'
import {
  type EntityLogStore,
  LaneRefusedError,
  type StoreState,
} from '../../services/pipeline/enrich/log-store.ts'
import type { Signal } from '../../services/pipeline/observe/signals.ts'
import type { Pipeline } from '../../services/pipeline/pipeline.ts'
import type { ScoredTransactionRecord } from '../../services/pipeline/publish/output-records.ts'
import { EPOCH_MS, transactionOf } from '../support/batches.ts'
import { lanesPipeline } from '../support/lanes-pipeline.ts'
import { createMemoryBroker, type MemoryBroker, type MemoryLane } from '../support/memory-broker.ts'
import {
  createMemoryScorer,
  decodeJson,
  type MemoryScorerOptions,
} from '../support/memory-scorer.ts'
import { createRandom } from '../support/random.ts'

const definition = {
  ...lanesPipeline(createRandom(1)),
  align: { driftMsMax: 1_000_000_000, waitMsMax: 1000 },
}

const addressOf = (partition: number) => ({
  laneId: laneIdOf('transactions', partition),
  stream: 'transactions' as const,
  topic: 'transactions',
  partition,
})

/** A lane of transactions one second apart; `prefix` goes before each value. */
function laneOf(partition: number, events: number, prefix = ''): MemoryLane {
  const messages = Array.from({ length: events }, (_, offset) => {
    const eventTime = EPOCH_MS + offset * 1000 + partition
    const transactionId = `t-${partition}-${offset}`
    const value = prefix + JSON.stringify(transactionOf({ transactionId, eventTime }))
    return { offset, brokerTimeMs: eventTime, key: null, value: Buffer.from(value) }
  })
  return { address: addressOf(partition), messages, endOffset: events }
}

const openStore = (): EntityLogStore => createMemoryLogStore(planFeatures(definition).kinds)

type Opened = Partial<Omit<MemoryScorerOptions, 'definition' | 'member'>> & {
  readonly lanes: readonly MemoryLane[]
  readonly broker?: MemoryBroker
}

async function openScoring({ lanes, broker: given, ...options }: Opened) {
  const broker = given ?? createMemoryBroker({ lanes, random: createRandom(1) })
  const member = broker.join()
  const signals: Signal[] = []
  const running = createMemoryScorer({
    definition,
    member,
    store: openStore(),
    observe: (signal) => void signals.push(signal),
    ...options,
  })
  await running.conductor.start()
  member.assign(lanes)
  return { ...running, broker, member, signals }
}

async function until(condition: () => boolean, turnsMax = 5000): Promise<void> {
  for (let turns = 0; !condition(); turns++) {
    if (turns > turnsMax) throw new Error(`not so after ${turnsMax} turns`)
    await turn()
  }
}

/** Time enough for whatever is going to happen without being waited for. */
async function settle(turns = 300): Promise<void> {
  for (let i = 0; i < turns; i++) await turn()
}

/** A pipeline whose batches stop before they are processed, until they are let go. */
function holdBatches() {
  const held: (() => void)[] = []
  let isOpen = false
  let atOnce = 0
  let atOnceMax = 0
  const wrapPipeline = (pipeline: Pipeline): Pipeline => ({
    ...pipeline,
    process: async (batch, isWanted) => {
      atOnceMax = Math.max(atOnceMax, ++atOnce)
      if (!isOpen) await new Promise<void>((resolve) => held.push(resolve))
      return pipeline.process(batch, isWanted).finally(() => {
        atOnce--
      })
    },
  })
  const letGo = () => {
    isOpen = true
    for (const resolve of held.splice(0)) resolve()
  }
  return { wrapPipeline, letGo, held, atOnceMax: () => atOnceMax }
}

const sourcesOf = (broker: MemoryBroker): string[] =>
  broker
    .published('scored')
    .map(({ record }) => decodeJson<ScoredTransactionRecord>(record.value))
    .map(({ sourcePartition, sourceOffset }) => `${sourcePartition}/${sourceOffset}`)

describe('conductor - bounds', () => {
  it('holds a bounded queue per lane and few batches at once while the running is slow', async () => {
    const events = 3 * limits.laneQueueEventsMax
    const fetchMax = 500
    const lanes = [laneOf(0, events)]
    const broker = createMemoryBroker({ lanes, random: createRandom(1), fetchMax })
    const { wrapPipeline, letGo, held, atOnceMax } = holdBatches()
    let fetched = 0
    const member = broker.join()
    const { start } = member.input
    const input: typeof member.input = {
      ...member.input,
      start: (given) =>
        start({
          ...given,
          fetched: (laneId, batch) => {
            fetched += batch.messages.length
            given.fetched(laneId, batch)
          },
        }),
    }
    const running = createMemoryScorer({
      definition,
      member: { ...member, input },
      store: openStore(),
      wrapPipeline,
    })
    await running.conductor.start()
    member.assign(lanes)
    await until(() => held.length === limits.batchesInFlightMax)
    await settle(2000)
    const taken = limits.batchesInFlightMax * limits.batchEventsMax
    expect(held).toHaveLength(limits.batchesInFlightMax)
    expect(fetched).toBeLessThanOrEqual(taken + limits.laneQueueEventsMax + fetchMax)
    expect(fetched).toBeLessThan(events)
    letGo()
    await until(() => broker.isDone(), 50_000)
    await running.conductor.drain()
    expect(atOnceMax()).toBe(limits.batchesInFlightMax)
    expect(sourcesOf(broker)).toHaveLength(events)
  })

  it('fails when a batch hangs for longer than the watchdog allows', async () => {
    let nowMs = 1_000_000
    const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs }
    const { wrapPipeline, held } = holdBatches()
    const running = await openScoring({ lanes: [laneOf(0, 5)], clock, wrapPipeline })
    await until(() => held.length > 0)
    nowMs += limits.watchdogMsMax + 1
    running.member.input.resume(addressOf(0))
    await expect.poll(() => running.failure(), { timeout: 5000 }).not.toBeNull()
    expect(running.failure()).toMatchObject({ code: 'WEIR_LANE_STUCK' })
  })
})

describe('conductor - unknown schema ids', () => {
  it.each(['WEIR_REGISTRY_AWAY', 'WEIR_REGISTRY_BEHIND'] as const)(
    'a lane waits for the registry while the other lanes go on: %s',
    async (code) => {
      const lanes = [laneOf(0, 20, '?5'), laneOf(1, 50)]
      let asked = 0
      let isAway = true
      const askRegistry = async () => {
        asked++
        if (isAway) throw new WeirError(code, 'in memory')
        return true
      }
      const { broker, conductor, failure, signals } = await openScoring({ lanes, askRegistry })
      await until(() => broker.committed(lanes[1]!.address.laneId) === 50)
      await until(() => asked > 3)
      expect(broker.committed(lanes[0]!.address.laneId)).toBe(-1)
      expect(signals).toContainEqual(expect.objectContaining({ kind: 'retried', code }))
      isAway = false
      await until(() => broker.isDone())
      await conductor.drain()
      expect(failure()).toBeNull()
      expect(broker.published('scored')).toHaveLength(70)
    },
  )

  it('an id that the registry denies is rejected, and the lane goes on', async () => {
    const lanes = [laneOf(0, 6, '?5')]
    const askRegistry = async () => false
    const { broker, conductor } = await openScoring({ lanes, askRegistry })
    await until(() => broker.isDone())
    await conductor.drain()
    expect(broker.published('rejected')).toHaveLength(6)
  })
})

describe('conductor - patience', () => {
  it('waits for a dry lane, then goes on without it and says so', async () => {
    const empty = { ...laneOf(1, 0), endOffset: 5 }
    const lanes = [laneOf(0, 30), empty]
    const broker = createMemoryBroker({ lanes, random: createRandom(1) })
    const member = broker.join()
    // Nothing ever comes from the second lane, though its topic is said to hold five events.
    const { start } = member.input
    const input: typeof member.input = {
      ...member.input,
      start: (given) =>
        start({
          ...given,
          fetched: (laneId, batch) => {
            if (laneId === lanes[0]!.address.laneId) given.fetched(laneId, batch)
          },
        }),
    }
    const signals: Signal[] = []
    const running = createMemoryScorer({
      definition: { ...definition, align: { ...definition.align, waitMsMax: 30 } },
      member: { ...member, input },
      store: openStore(),
      observe: (signal) => void signals.push(signal),
    })
    await running.conductor.start()
    member.assign(lanes)
    await expect.poll(() => sourcesOf(broker).length, { timeout: 10_000 }).toBe(30)
    await running.conductor.drain()
    const waits = signals.filter((signal) => signal.kind === 'alignment_waited')
    expect(waits.some(({ gaveUp, durationMs }) => gaveUp && durationMs >= 30)).toBe(true)
  })
})

describe('conductor - changes of hands', () => {
  it('what is in flight at a revocation is published by one of the two owners only', async () => {
    const lanes = [laneOf(0, 40), laneOf(1, 40)]
    const { wrapPipeline, letGo, held } = holdBatches()
    const store = openStore()
    const first = await openScoring({ lanes, store, wrapPipeline })
    await until(() => held.length > 0)
    first.member.revoke('rebalancing')
    const second = await openScoring({ lanes, store, broker: first.broker })
    await until(() => first.broker.isDone())
    letGo()
    await settle()
    await Promise.all([first.conductor.drain(), second.conductor.drain()])
    expect([first.failure(), second.failure()]).toEqual([null, null])
    const sources = sourcesOf(first.broker)
    expect(new Set(sources).size).toBe(sources.length)
    expect(sources).toHaveLength(80)
    const abandoned = first.signals.filter(({ kind }) => kind === 'abandoned')
    expect(abandoned.length).toBeGreaterThan(0)
    expect(first.conductor.eventsInFlight('transactions')).toBe(0)
  })

  it('tells of a lane only when it sets out: a claim that came too late is no lane', async () => {
    const lanes = [laneOf(0, 5)]
    const broker = createMemoryBroker({ lanes, random: createRandom(1) })
    const member = broker.join()
    let opened = 0
    const { open } = member.transactions
    const transactions: typeof member.transactions = {
      ...member.transactions,
      open: (address) => {
        if (opened++ === 0) member.revoke('rebalancing')
        return open(address)
      },
    }
    const signals: Signal[] = []
    const running = createMemoryScorer({
      definition,
      member: { ...member, transactions },
      store: openStore(),
      observe: (signal) => void signals.push(signal),
    })
    await running.conductor.start()
    member.assign(lanes)
    await settle()
    expect(opened).toBe(1)
    expect(signals.filter(({ kind }) => kind === 'lane_claimed')).toEqual([])
    member.assign(lanes)
    await until(() => broker.isDone())
    await running.conductor.drain()
    expect(signals.filter(({ kind }) => kind === 'lane_claimed')).toHaveLength(1)
  })

  it('claims all lanes anew when the store cannot be trusted, and goes on once it is restored', async () => {
    const lanes = [laneOf(0, 400), laneOf(1, 400)]
    const memory = openStore()
    const states: StoreState[] = ['waiting', 'lost', 'waiting']
    let advances = 0
    let restored = 0
    let isSound = true
    const store: EntityLogStore = {
      ...memory,
      advance: async (request) => {
        isSound &&= ++advances !== 3
        if (!isSound) throw new LaneRefusedError('WEIR_ENRICH_STORE_UNSURE', 0, 'in a test')
        return memory.advance(request)
      },
      confirm: async (lane, laneIds) => {
        const state = await memory.confirm(lane, laneIds)
        if (isSound) return state
        const told = states.shift() ?? 'ready'
        isSound = told === 'ready'
        return told
      },
    }
    const restore = async () => void restored++
    const { conductor, broker, signals, failure } = await openScoring({
      lanes,
      store,
      restore,
      broker: createMemoryBroker({ lanes, random: createRandom(1), fetchMax: 40 }),
    })
    await until(() => broker.isDone())
    await conductor.drain()
    expect(failure()).toBeNull()
    expect(restored).toBe(1)
    expect(sourcesOf(broker)).toHaveLength(800)
    expect(new Set(sourcesOf(broker)).size).toBe(800)
    const anew = signals.filter((signal) => signal.kind === 'producer_recreated')
    expect(anew.map(({ partition }) => partition).sort()).toEqual([0, 1])
    for (const { reason } of anew) expect(reason).toBe('WEIR_ENRICH_STORE_UNSURE')
  })

  it('refuses a store that has applied less than is committed', async () => {
    const lanes = [laneOf(0, 10)]
    const before = await openScoring({ lanes })
    await until(() => before.broker.isDone())
    await before.conductor.drain()
    const after = await openScoring({ lanes, broker: before.broker })
    await until(() => after.failure() !== null)
    expect(after.failure()).toMatchObject({ code: 'WEIR_ENRICH_STATE_LOST' })
    await after.conductor.drain()
  })

  it("goes on with the lane's memory from the metadata: lateness is measured from there", async () => {
    const ordered = laneOf(0, 10)
    const late = { ...ordered.messages[0]!, offset: 10 }
    const lane = { ...ordered, messages: [...ordered.messages, late], endOffset: 11 }
    const store = openStore()
    const broker = createMemoryBroker({ lanes: [lane], random: createRandom(1), fetchMax: 1 })
    const first = await openScoring({ lanes: [lane], store, broker })
    await until(() => broker.committed(lane.address.laneId) >= 3)
    await first.conductor.drain()
    expect(broker.committed(lane.address.laneId)).toBeLessThan(10)
    const second = await openScoring({ lanes: [lane], store, broker })
    await until(() => broker.isDone())
    await second.conductor.drain()
    const scored = broker
      .published('scored')
      .map(({ record }) => decodeJson<ScoredTransactionRecord>(record.value))
    expect(scored.map(({ latenessMs }) => latenessMs)).toEqual([...new Array(10).fill(0), 9000])
  })
})

describe('conductor - drain', () => {
  it('commits what is in flight, takes nothing more and gives the lanes back', async () => {
    const lanes = [laneOf(0, 5000)]
    const { wrapPipeline, letGo, held } = holdBatches()
    const running = await openScoring({ lanes, wrapPipeline })
    await until(() => held.length === limits.batchesInFlightMax)
    const draining = running.conductor.drain()
    letGo()
    await draining
    const { broker, signals } = running
    const committed = broker.committed(lanes[0]!.address.laneId)
    expect(committed).toBeGreaterThan(0)
    expect(sourcesOf(broker)).toHaveLength(committed)
    await settle()
    expect(broker.committed(lanes[0]!.address.laneId)).toBe(committed)
    expect(signals).toContainEqual(
      expect.objectContaining({ kind: 'lane_released', reason: 'drained' }),
    )
    expect(running.conductor.eventsInFlight('transactions')).toBe(0)
  })

  it('waits for claims on their way, so that what they open can be closed', async () => {
    const lanes = [laneOf(0, 5)]
    const broker = createMemoryBroker({ lanes, random: createRandom(3) })
    const member = broker.join()
    let isOpening = false
    let opened = 0
    const { open } = member.transactions
    const transactions: typeof member.transactions = {
      ...member.transactions,
      open: async (address) => {
        isOpening = true
        await settle(50)
        opened++
        return open(address)
      },
    }
    const running = createMemoryScorer({
      definition,
      member: { ...member, transactions },
      store: openStore(),
    })
    await running.conductor.start()
    member.assign(lanes)
    await until(() => isOpening)
    expect(opened).toBe(0)
    await running.conductor.drain()
    expect(opened).toBe(1)
    expect(broker.published('scored')).toEqual([])
  })
})
