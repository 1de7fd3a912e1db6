// Touching the store: every few seconds, quiet lanes only, and what follows when it is not to be
// trusted.

import { describe, expect, it } from 'vitest'
import { createMemoryLogStore } from '../../services/adapters/memory/memory-log-store.ts'
import { WeirError } from '../../services/core/errors.ts'
import { Lane } from '../../services/lanes/lane.ts'
import { createStoreTouch } from '../../services/lanes/touch-store.ts'
import {
  type EntityLogStore,
  LaneRefusedError,
  type OwnFrontier,
} from '../../services/pipeline/enrich/log-store.ts'

function activeLane(laneId: number, batchesInFlight = 0): Lane {
  const lane = new Lane({ laneId, stream: 'transactions', topic: 't', partition: laneId / 2 })
  lane.status = 'active'
  lane.epoch = 7
  lane.committedOffset = 40 + laneId
  lane.hasCommitted = true
  lane.batchesInFlight = batchesInFlight
  return lane
}

function openTouch(touch: EntityLogStore['touch']) {
  const clock = { time: 0, monotonicMs: () => clock.time }
  const told: (readonly OwnFrontier[])[] = []
  let unsure = 0
  const store = {
    ...createMemoryLogStore([]),
    touch: async (ours: readonly OwnFrontier[]) => {
      told.push(ours)
      await touch(ours)
    },
  }
  const run = createStoreTouch({ store, clock, unsure: () => unsure++ })
  const at = async (time: number, lanes: readonly Lane[]) => {
    clock.time = time
    await run(lanes)
  }
  return { at, told, unsure: () => unsure }
}

describe('touch store', () => {
  it('tells what quiet lanes have committed, now and then', async () => {
    const { at, told } = openTouch(async () => undefined)
    const lanes = [activeLane(0), activeLane(2, 1), activeLane(4)]
    await at(1999, lanes)
    expect(told).toEqual([])
    await at(2000, lanes)
    await at(3999, lanes)
    expect(told).toHaveLength(1)
    expect(told[0]).toMatchObject([
      { laneId: 0, epoch: 7, committedOffset: 40, isIdle: true },
      { laneId: 4, committedOffset: 44 },
    ])
    await at(4000, lanes)
    expect(told).toHaveLength(2)
  })

  it('says when the store cannot be trusted any more; a store that is away is no news', async () => {
    const answers = [
      new WeirError('WEIR_ENRICH_STORE_AWAY', 'in a test'),
      new LaneRefusedError('WEIR_ENRICH_STORE_UNSURE', 0, 'in a test'),
    ]
    const { at, unsure } = openTouch(async () => {
      throw answers.shift()!
    })
    await at(2000, [activeLane(0)])
    expect(unsure()).toBe(0)
    await at(4000, [activeLane(0)])
    expect(unsure()).toBe(1)
  })

  it('throws what is our own mistake', async () => {
    const { at } = openTouch(async () => {
      throw new Error('a defect')
    })
    await expect(at(2000, [activeLane(0)])).rejects.toThrow('a defect')
  })
})
