// Lost state put back from the topics: whatever a bucket has forgotten, nobody can tell afterwards.

import { describe, expect, it } from 'vitest'
import { limits } from '../../services/core/limits.ts'
import {
  addArrival,
  createLane,
  EPOCH_MS,
  type TestLane,
  transactionOf,
} from '../support/batches.ts'
import {
  createLossyWorld,
  type LossyWorld,
  toRestoreLane,
  type WorldOptions,
} from '../support/lossy-world.ts'
import {
  customer,
  DAY_MS,
  HOUR_MS,
  pipelineOf,
  terminal,
  windowFeature,
} from '../support/pipelines.ts'
import { createRandom, type Random } from '../support/random.ts'
import { randomPipeline } from '../support/random-pipeline.ts'
import { randomStream } from '../support/random-stream.ts'

const SEEDS = 240

describe('restore', () => {
  it('restore - gives every event the ordinals and vectors of an undisturbed run', async () => {
    const met = { losses: 0, wiped: 0, rolledBack: 0, finished: 0, holes: 0, passes: 0 }
    for (let seed = 1; seed <= SEEDS; seed++) {
      const world = await createLossyWorld(seed, { loss: 0.2 })
      await world.run().catch((error: unknown) => {
        throw new Error(`seed ${seed}`, { cause: error })
      })
      world.checkOrdinals()
      const { counts } = world
      for (const name of Object.keys(met) as (keyof typeof met)[]) met[name] += counts[name]
    }
    // Without these the seeds would prove nothing.
    expect(met.wiped).toBeGreaterThan(SEEDS)
    expect(met.rolledBack).toBeGreaterThan(SEEDS)
    expect(met.finished).toBeGreaterThan(SEEDS)
    expect(met.holes).toBeGreaterThan(SEEDS)
    expect(met.passes).toBeGreaterThan(met.losses / 2)
  })

  it('restore - fills no hole of a lane that begins in mid-topic with what lies before', async () => {
    let holes = 0
    for (let seed = 1; seed <= 120; seed++) {
      const world = await createLossyWorld(seed, { loss: 0.3, originMax: 15 })
      await world.run().catch((error: unknown) => {
        throw new Error(`seed ${seed}`, { cause: error })
      })
      world.checkOrdinals()
      holes += world.counts.holes
    }
    expect(holes).toBeGreaterThan(120)
  })

  it('restore - finds out of what was published which process was ahead', async () => {
    let holes = 0
    for (let seed = 1; seed <= SEEDS; seed++) {
      const world = await openWorldOfProcesses(seed)
      await world.run().catch((error: unknown) => {
        throw new Error(`seed ${seed}`, { cause: error })
      })
      world.checkOrdinals()
      expect(world.recompute().offenders, `seed ${seed}`).toEqual([])
      holes += world.counts.holes
    }
    expect(holes).toBeGreaterThan(SEEDS)
  })

  it('restore - needs only as much history as windows and logs look back on', async () => {
    let skipped = 0
    for (let seed = 1; seed <= 60; seed++) {
      const world = await openLongWorld(seed, {})
      await world.run(40)
      await loseAll(world)
      skipped += expireOld(world)
      await world.restore({ acceptShort: false })
      await world.goBack()
      await world.run()
      world.checkOrdinals()
    }
    expect(skipped).toBeGreaterThan(60)
  })

  it('restore - refuses topics that begin too late, and goes on with them when told so', async () => {
    const world = await openLongWorld(1, {})
    await world.run(40)
    await loseAll(world)
    for (const { address, committedOffset } of world.lanes) {
      world.topics.firstOffsets.set(address.laneId, committedOffset - 3)
    }
    await expect(world.restore()).rejects.toThrow(
      /WEIR_ENRICH_STATE_LOST.*transactions.* begins too late.*back to 2026-01-0.*--accept-short/s,
    )
    const { buckets, logs } = await world.restore({ acceptShort: true })
    expect([buckets, logs > 0]).toEqual([4, true])
    await world.goBack()
  })

  it('restore - refuses a journal that begins too late', async () => {
    const world = await openLongWorld(2, {})
    await world.run(40)
    await loseAll(world)
    const [lane] = world.lanes
    world.topics.journalFrom.set(lane!.address.laneId, lane!.committedOffset - 3)
    await expect(world.restore()).rejects.toThrow(/transactions.scored begins too late/)
  })

  it('restore - refuses a hole that no uncommitted event fits', async () => {
    const world = await openLongWorld(3, {})
    await world.run(40)
    await loseAll(world)
    const [lane] = world.lanes
    // As if a scored event had never been published: its row is counted and nowhere to be found.
    const journal = world.topics.journal.get(lane!.address.laneId)!
    journal.splice(journal.length - 5, 1)
    for (const { messages, committedOffset } of world.lanes) {
      messages.splice(messages.findIndex(({ offset }) => offset >= committedOffset))
    }
    await expect(world.restore()).rejects.toThrow(/scored events prove \d+ rows/)
  })

  it('restore - refuses stored logs that are no earlier state of what was published', async () => {
    const world = await openLongWorld(5, {})
    await world.run(300)
    const before = Array.from({ length: 4 }, (_, b) => world.store.snapshot(b))
    await world.run(40)
    for (const [b, snapshot] of before.entries()) {
      for (const log of snapshot.logs.values()) log.base += 3
      world.store.fallBack(b, snapshot)
    }
    await expect(world.restore()).rejects.toThrow(
      /was published with ordinal \d+; it has other rows/,
    )
  })

  it('restore - begins ordinals at 0 where they are not wanted', async () => {
    const world = await openLongWorld(5, {})
    await world.run(0)
    await loseAll(world)
    await world.restore({ renumber: true })
    const counted = [...world.topics.journal.values()].flat().filter((e) => e.ordinals[0]! >= 0)
    const logs = ['c0', 'c1', 'c2'].map((key) => world.store.logOf(0, key)!)
    const ends = logs.map(({ base, count }) => base + count)
    // Read from where logs can begin, so there are fewer than were ever published.
    expect(ends.reduce((sum, end) => sum + end, 0)).toBeLessThan(counted.length)
    for (const { rows, stride, count } of logs) {
      const times = Array.from({ length: count }, (_, i) => rows[i * stride]!)
      expect(Math.max(...times) - Math.min(...times)).toBeLessThan(8 * HOUR_MS)
    }
  })

  it('restore - refuses scored events of another number of entities, unless renumbering', async () => {
    const world = await openLongWorld(6, {})
    await world.run(0)
    await loseAll(world)
    for (const entries of world.topics.journal.values()) {
      for (const [i, entry] of entries.entries()) {
        entries[i] = { ...entry, ordinals: entry.ordinals.slice(0, 1) }
      }
    }
    await expect(world.restore()).rejects.toThrow(/ordinals of 1 entities.*names 2.*--renumber/s)
    await world.restore({ renumber: true })
    expect(world.store.logOf(1, 'p0')!.count).toBeGreaterThan(0)
  })

  it('restore - does nothing where every bucket has what is committed', async () => {
    const world = await openLongWorld(7, {})
    await world.run(40)
    const nothing = { buckets: 0, logs: 0, events: 0, holes: 0, passes: 0 }
    expect(await world.restore()).toEqual(nothing)
  })
})

const definition = pipelineOf({
  entities: [customer, terminal],
  features: [
    windowFeature({ entity: 'customer', op: 'count', windowMs: HOUR_MS }),
    windowFeature({ entity: 'customer', op: 'sum', of: 'amountMinor', windowMs: 2 * HOUR_MS }),
    windowFeature({ entity: 'customer', op: 'seconds_since_last', windowMs: 2 * HOUR_MS }),
    windowFeature({ entity: 'terminal', op: 'max', of: 'amountMinor', windowMs: HOUR_MS }),
    windowFeature({ entity: 'terminal', op: 'mean', of: 'amountMinor', windowMs: HOUR_MS }),
  ],
  late: { allowedMs: 60_000, then: 'score_only' },
  store: { buckets: 4, retentionMs: 5 * HOUR_MS },
})

/** A day and a half of two lanes, in which no entity is ever silent for long. */
function longLanes(random: Random): TestLane[] {
  const lanes = [createLane(0), createLane(2)]
  for (let i = 0, timeMs = EPOCH_MS; timeMs < EPOCH_MS + 1.5 * DAY_MS; i++) {
    timeMs += random.integer(1000, 10 * 60_000)
    const transaction = transactionOf({
      transactionId: `t${i}`,
      eventTime: timeMs - (random.chance(0.1) ? random.integer(0, 60_000) : 0),
      customerId: `c${i % 3}`,
      terminalId: `p${random.integer(0, 1)}`,
      amountMinor: random.integer(1, 1000),
    })
    addArrival(random.pick(lanes), transaction)
  }
  return lanes
}

const openLongWorld = (seed: number, options: WorldOptions): Promise<LossyWorld> =>
  createLossyWorld(seed, { definition, lanes: longLanes(createRandom(seed)), ...options })

/** Every event is counted, so it bears witness; labels have no ordinals. */
function openWorldOfProcesses(seed: number): Promise<LossyWorld> {
  const random = createRandom(seed)
  return createLossyWorld(seed, {
    definition: { ...randomPipeline(random), late: { allowedMs: 3 * DAY_MS, then: 'score_only' } },
    lanes: randomStream(random, random.integer(60, 160), 0).lanes,
    ceilings: limits,
    loss: 0.2,
    processes: random.integer(2, 3),
  })
}

async function loseAll({ definition, store }: LossyWorld): Promise<void> {
  for (let bucket = 0; bucket < definition.store.buckets; bucket++) store.fallBack(bucket, null)
}

/** Lets messages and journal expire that are older than what is needed; returns how many. */
function expireOld({ lanes, topics, random }: LossyWorld): number {
  let expired = 0
  const slowestMs = Math.min(...lanes.map((lane) => toRestoreLane(lane).memory.watermarkMs))
  const keptMs = random.integer(4, 8) * HOUR_MS
  for (const { address, messages } of lanes) {
    const needed = messages.findIndex(({ brokerTimeMs }) => brokerTimeMs > slowestMs - keptMs)
    topics.firstOffsets.set(address.laneId, needed)
    topics.journalFrom.set(address.laneId, needed)
    expired += needed
  }
  return expired
}
