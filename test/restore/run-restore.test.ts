// Lost state put back from the topics: whatever a bucket has forgotten, nobody can tell afterwards.

import { describe, expect, it } from 'vitest'
import {
  addArrival,
  createLane,
  EPOCH_MS,
  type TestLane,
  transactionOf,
} from '../support/batches.ts'
import { createLossyWorld, type LossyWorld, type WorldOptions } from '../support/lossy-world.ts'
import {
  customer,
  DAY_MS,
  HOUR_MS,
  pipelineOf,
  terminal,
  windowFeature,
} from '../support/pipelines.ts'
import { createRandom, type Random } from '../support/random.ts'

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

async function loseAll({ definition, store }: LossyWorld): Promise<void> {
  for (let bucket = 0; bucket < definition.store.buckets; bucket++) store.fallBack(bucket, null)
}

/** Lets messages and journal expire that are older than what is needed; returns how many. */
function expireOld({ lanes, topics }: LossyWorld): number {
  let expired = 0
  const newestMs = Math.max(...lanes.map(({ events }) => events.at(-1)!.atMs))
  for (const { address, messages } of lanes) {
    const needed = messages.findIndex(({ brokerTimeMs }) => brokerTimeMs > newestMs - 8 * HOUR_MS)
    topics.firstOffsets.set(address.laneId, needed)
    topics.journalFrom.set(address.laneId, needed)
    expired += needed
  }
  return expired
}
