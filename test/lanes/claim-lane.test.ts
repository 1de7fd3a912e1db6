// What a claim refuses, and how far a lane that was just claimed may run.

import { describe, expect, it } from 'vitest'
import { createMemoryLogStore } from '../../services/adapters/memory/memory-log-store.ts'
import { systemClock } from '../../services/core/clock.ts'
import { createAlignmentGate, frontierOf } from '../../services/lanes/alignment-gate.ts'
import { claimLane } from '../../services/lanes/claim-lane.ts'
import { Lane } from '../../services/lanes/lane.ts'
import { laneIdOf } from '../../services/lanes/lane-input.ts'
import type { LaneTransactions, OpenedLane } from '../../services/lanes/lane-transactions.ts'
import type { EntityLogStore, StoreState } from '../../services/pipeline/enrich/log-store.ts'
import { observeNothing } from '../../services/pipeline/observe/signals.ts'
import { freshMemory } from '../../services/pipeline/publish/lane-metadata.ts'
import { holdLane } from '../support/hold-lane.ts'
import { sliceOf } from '../support/stage-batches.ts'

const emptyRecords = () => ({
  count: 0,
  kinds: new Uint8Array(0),
  keys: [],
  eventTimesMs: new Float64Array(0),
  sources: new Float64Array(0),
  laneIndexes: new Uint16Array(0),
  appends: new Uint8Array(0),
  values: new Float64Array(0),
  valueStride: 1,
})

const laneOf = (partition: number) =>
  new Lane({
    laneId: laneIdOf('transactions', partition),
    stream: 'transactions',
    topic: 'transactions',
    partition,
  })

/** A group that answers every opening with the same position. */
const openingAt = (opened: OpenedLane): LaneTransactions => ({
  open: async () => opened,
  deliver: async () => [],
  release: async () => undefined,
  close: async () => undefined,
})

const claim = (
  store: EntityLogStore,
  opened: OpenedLane,
  restore: () => Promise<void> = async () => undefined,
) => {
  const pause = async () => undefined
  const laneIds = async () => [0]
  const transactions = openingAt(opened)
  const terms = {
    isWanted: () => true,
    noteWaiting: () => undefined,
    areAllReady: (isReady: boolean) => isReady,
    observe: observeNothing,
  }
  return claimLane(laneOf(0), { store, transactions, laneIds, restore, pause }, terms)
}

/** A store that has applied lane 0 up to offset 9 and was told that 8 is the next to commit. */
async function storeInUse(): Promise<EntityLogStore> {
  const store = createMemoryLogStore([])
  const { epoch } = await holdLane(store, 0)
  const slice = sliceOf(0, { epoch, lastOffset: 9, committedOffset: 8, frontierMs: 5000 })
  await store.advance({ lanes: [slice], records: emptyRecords() })
  return store
}

describe('claimLane', () => {
  it('begins at the committed offset where store and group agree', async () => {
    const opened = { nextOffset: 8, metadata: '', endOffset: 20 }
    expect(await claim(await storeInUse(), opened)).toMatchObject({ offset: 8, endOffset: 20 })
  })

  it('begins at the start of the topic where neither remembers anything', async () => {
    const opened = { nextOffset: 3, metadata: null, endOffset: 20 }
    expect(await claim(createMemoryLogStore([]), opened)).toMatchObject({ offset: 3 })
  })

  it('is whole for the next owner of a lane that began in the middle and never committed', async () => {
    const opened = { nextOffset: 3, metadata: null, endOffset: 20 }
    const store = createMemoryLogStore([])
    const lane = laneOf(0)
    const { epoch } = await holdLane(store, 0)
    lane.begin({ offset: 3, endOffset: 20, hasCommitted: false, ...freshMemory() })
    lane.epoch = epoch
    // It tells how far it is, as whoever waits for others does, and dies.
    await store.exchangeFrontiers([frontierOf(lane)])
    const restore = async () => {
      throw new Error('nothing was lost')
    }
    expect(await claim(store, opened, restore)).toMatchObject({ offset: 3, hasCommitted: false })
  })

  it('has put back what the store has not applied of what the group has committed', async () => {
    const opened = { nextOffset: 11, metadata: '', endOffset: 20 }
    const store = await storeInUse()
    let restored = 0
    const restore = async () => {
      restored++
      const { epoch } = await store.claim(0)
      const slice = sliceOf(0, { epoch, lastOffset: 10 })
      await store.advance({ lanes: [slice], records: emptyRecords() })
    }
    // The restoring claim fences ours; the next attempt finds the store whole.
    await expect(claim(store, opened, restore)).rejects.toMatchObject({
      code: 'WEIR_ENRICH_FENCED',
    })
    expect(await claim(store, opened, restore)).toMatchObject({ offset: 11 })
    expect(restored).toBe(1)
  })

  it('waits until the store is ready, and lets go when it is not wanted any more', async () => {
    const states: StoreState[] = ['waiting', 'waiting', 'ready']
    const store = { ...(await storeInUse()), confirm: async () => states.shift()! }
    const opened = { nextOffset: 8, metadata: '', endOffset: 20 }
    expect(await claim(store, opened)).toMatchObject({ offset: 8 })
    expect(states).toEqual([])
  })

  it('refuses a group that was moved back: its events would be published twice', async () => {
    const opened = { nextOffset: 5, metadata: '', endOffset: 20 }
    await expect(claim(await storeInUse(), opened)).rejects.toThrow(
      /WEIR_KAFKA_OFFSETS_GONE.*offset 8 was committed, the group stands at 5/,
    )
  })

  it('refuses a group without offsets where the store remembers commits', async () => {
    const opened = { nextOffset: 0, metadata: null, endOffset: 20 }
    await expect(claim(await storeInUse(), opened)).rejects.toThrow(
      /WEIR_KAFKA_OFFSETS_GONE.*offset 8 was committed/,
    )
  })
})

describe('alignment gate', () => {
  const align = { driftMsMax: 1000, waitMsMax: 2000 }

  it('knows the others before anything of its own has advanced', async () => {
    const store = await storeInUse()
    let heard: ReturnType<EntityLogStore['knownFrontiers']> = []
    // As a store of another process: it knows nothing until it asks.
    const deaf: EntityLogStore = {
      ...store,
      knownFrontiers: () => heard,
      exchangeFrontiers: async (ours) => {
        await store.exchangeFrontiers(ours)
        heard = store.knownFrontiers()
      },
    }
    const gate = createAlignmentGate({
      store: deaf,
      align,
      clock: systemClock,
      observe: observeNothing,
    })
    expect(gate.untilMs([laneOf(1)])).toBe(Number.POSITIVE_INFINITY)
    await gate.begin()
    expect(gate.untilMs([laneOf(1)])).toBe(6000)
    expect(gate.untilMs([laneOf(0), laneOf(1)])).toBe(Number.POSITIVE_INFINITY)
  })
})
