// What every EntityLogStore has to do; one suite for all of them.
//
// In: how to make an empty world in which stores can be opened that share state, as scorers do that
// come one after the other or work side by side. Out: tests, registered under the store's name.

import { describe, expect, test } from 'vitest'
import { limits } from '../../services/core/limits.ts'
import { type EntityLog, TIME, VALUES } from '../../services/pipeline/enrich/entity-log.ts'
import { type EntityLogStore, LaneRefusedError } from '../../services/pipeline/enrich/log-store.ts'
import { holdLane } from '../support/hold-lane.ts'
import {
  entriesOf,
  ordinalsOf,
  requestOf,
  seenOf,
  type TestEntry,
  valuesOf,
} from '../support/log-requests.ts'

export type StoreWorld = {
  /** A store as a scorer that has just started would have it. */
  readonly open: () => Promise<EntityLogStore>
}

export function describeLogStore(name: string, createWorld: () => StoreWorld): void {
  describe(`${name} - keeps the contract of log stores`, () => {
    describeFence(createWorld)
    describePlaces(createWorld)
    describeLookers(createWorld)
    describeCeiling(createWorld)
    describeWatermarks(createWorld)
  })
}

export async function refusalOf(work: Promise<unknown>): Promise<LaneRefusedError> {
  const outcome = await work.catch((error: unknown) => error)
  expect(outcome).toBeInstanceOf(LaneRefusedError)
  return outcome as LaneRefusedError
}

async function hold(store: EntityLogStore, laneId: number) {
  const { epoch } = await holdLane(store, laneId)
  return { laneId, epoch }
}

function describeFence(createWorld: () => StoreWorld): void {
  test('a claim raises the epoch and says what was applied', async () => {
    const { open } = createWorld()
    const store = await open()
    const first = await holdLane(store, 7)
    expect(first.appliedOffset).toBe(-1)
    await store.advance(requestOf([{ laneId: 7, epoch: first.epoch }], entriesOf(0, 4)))
    const second = await holdLane(await open(), 7)
    expect(second.epoch).toBeGreaterThan(first.epoch)
    expect(second.appliedOffset).toBe(4)
    expect((await holdLane(store, 8)).appliedOffset).toBe(-1)
  })

  test('a claim fences the older holder, whose batch leaves no trace', async () => {
    const { open } = createWorld()
    const [older, newer] = [await open(), await open()]
    const heldBefore = await hold(older, 7)
    const held = await hold(newer, 7)
    const refusal = await refusalOf(older.advance(requestOf([heldBefore], entriesOf(0, 9))))
    expect(refusal).toMatchObject({ code: 'WEIR_ENRICH_FENCED', laneId: 7, canRetry: false })
    const reply = await newer.advance(requestOf([held], entriesOf(0, 1)))
    expect(ordinalsOf(reply)).toEqual([0, 1])
  })

  test('one fenced lane refuses the whole batch, and names the lane', async () => {
    const { open } = createWorld()
    const [older, newer] = [await open(), await open()]
    const lanes = [await hold(older, 1), await hold(older, 2)]
    await holdLane(newer, 2)
    const entries = [{ offset: 0 }, { offset: 0, lane: 1 }]
    const refusal = await refusalOf(older.advance(requestOf(lanes, entries)))
    expect(refusal).toMatchObject({ code: 'WEIR_ENRICH_FENCED', laneId: 2 })
    const reply = await older.advance(requestOf([lanes[0]!], [{ offset: 0 }]))
    expect(ordinalsOf(reply)).toEqual([0])
  })

  test('a lane that was never claimed is refused as lost', async () => {
    const store = await createWorld().open()
    const lanes = [{ laneId: 3, epoch: 1 }]
    const refusal = await refusalOf(store.advance(requestOf(lanes, entriesOf(0, 0))))
    expect(refusal).toMatchObject({ code: 'WEIR_ENRICH_STORE_UNSURE', laneId: 3 })
  })
}

function describePlaces(createWorld: () => StoreWorld): void {
  test('records come back as they were sent, in the order of their first application', async () => {
    const { open } = createWorld()
    const [one, other] = [await open(), await open()]
    const [a, b] = [await hold(one, 1), await hold(other, 2)]
    await one.advance(requestOf([a], entriesOf(0, 2)))
    await other.advance(requestOf([b], entriesOf(50, 51)))
    const entries = [...entriesOf(3, 4), { offset: 5, kind: 1 }]
    const reply = await one.advance(requestOf([a], entries))
    expect(ordinalsOf(reply)).toEqual([5, 6, 0])
    expect(rowsOf(reply.logs[0]!)).toEqual([0, 1, 2, 50, 51, 3, 4].map(rowOf))
    expect(reply.logs[2]!.count).toBe(1)
  })

  test('what is delivered again is found at its first place, whatever the batch borders', async () => {
    const { open } = createWorld()
    const first = await open()
    let held = await hold(first, 1)
    const entries = entriesOf(0, 9).map((e) => ({ ...e, key: `k${e.offset % 3}` }))
    const before = ordinalsOf(await first.advance(requestOf([held], entries.slice(0, 6))))
    const second = await open()
    held = await hold(second, 1)
    const parts = [entries.slice(2, 5), entries.slice(5, 10)]
    const after: number[] = []
    for (const part of parts) {
      after.push(...ordinalsOf(await second.advance(requestOf([held], part))))
    }
    expect(before).toEqual([0, 0, 0, 1, 1, 1])
    expect(after).toEqual([...before.slice(2), 2, 2, 2, 3])
  })

  test('lanes that are delivered again and lanes that are not share a batch', async () => {
    const { open } = createWorld()
    const store = await open()
    const lanes = [await hold(store, 1), await hold(store, 2)]
    await store.advance(requestOf([lanes[0]!], entriesOf(0, 2)))
    const entries: TestEntry[] = [
      { offset: 0, lane: 1 },
      { offset: 1 },
      { offset: 1, lane: 1 },
      { offset: 2 },
      { offset: 3 },
    ]
    const reply = await store.advance(requestOf(lanes, entries))
    expect(ordinalsOf(reply)).toEqual([3, 1, 4, 2, 5])
  })

  test('keys keep apart: by kind, and with characters that separate parts elsewhere', async () => {
    const store = await createWorld().open()
    const held = await hold(store, 1)
    const keys = ['a', 'a|b', 'a:b', '{a}', 'ä€𝄞', 'a b\r\n']
    const entries = keys.flatMap((key, i) => [
      { offset: 2 * i, key },
      { offset: 2 * i, key, kind: 1 },
    ])
    expect(ordinalsOf(await store.advance(requestOf([held], entries)))).toEqual(
      entries.map(() => 0),
    )
  })
}

function describeLookers(createWorld: () => StoreWorld): void {
  const looks = true

  test('looking shows the log as it stands at that place and appends nothing', async () => {
    const store = await createWorld().open()
    const held = await hold(store, 1)
    expect(seenOf(await store.advance(requestOf([held], [{ offset: 0, looks }])))).toEqual([0])
    const entries = [
      { offset: 1, looks },
      { offset: 2 },
      { offset: 3, looks },
      { offset: 4 },
      { offset: 5, looks },
      { offset: 6, looks },
    ]
    const reply = await store.advance(requestOf([held], entries))
    expect(ordinalsOf(reply)).toEqual([-1, 0, -1, 1, -1, -1])
    expect(seenOf(reply)).toEqual([0, 0, 1, 1, 2, 2])
    const later = await store.advance(requestOf([held], [{ offset: 7, looks }, { offset: 8 }]))
    expect(seenOf(later)).toEqual([2, 2])
  })

  test('a new look is not narrowed by what another lane delivers again', async () => {
    const store = await createWorld().open()
    const lanes = [await hold(store, 1), await hold(store, 2)]
    await store.advance(requestOf([lanes[0]!], entriesOf(0, 4)))
    const entries = [{ offset: 0, lane: 1, looks }, { offset: 2 }]
    expect(seenOf(await store.advance(requestOf(lanes, entries)))).toEqual([5, 2])
  })

  test('a look that is delivered again sees what it saw before the event behind it', async () => {
    const { open } = createWorld()
    const first = await open()
    const entries = [{ offset: 0 }, { offset: 1, looks }, { offset: 2 }, { offset: 3 }]
    const seen = seenOf(await first.advance(requestOf([await hold(first, 1)], entries)))
    const second = await open()
    const again = await second.advance(requestOf([await hold(second, 1)], entries))
    expect(seenOf(again)).toEqual(seen)
    expect(seen).toEqual([0, 1, 1, 2])
  })
}

function describeCeiling(createWorld: () => StoreWorld): void {
  test('a log stays bounded, and ordinals go on over what was dropped', async () => {
    const { open } = createWorld()
    const store = await open()
    const held = await hold(store, 1)
    const size = 1000
    for (let from = 0; from <= limits.entityRecordsKeptMax + size; from += size) {
      const entries = entriesOf(from, from + size - 1)
      const reply = await store.advance(requestOf([held], entries))
      expect(ordinalsOf(reply)).toEqual(entries.map(({ offset }) => offset))
      expect(reply.logs[0]!.count).toBeLessThanOrEqual(limits.entityRecordsKeptMax + size)
      expect(reply.logs[0]!.count).toBeGreaterThanOrEqual(Math.min(from, limits.entityRecordsMax))
    }
    const successor = await open()
    const heldNow = await hold(successor, 1)
    const last = limits.entityRecordsKeptMax + size
    const next = Math.ceil((last + 1) / size) * size
    const reply = await successor.advance(requestOf([heldNow], entriesOf(next - 3, next)))
    expect(ordinalsOf(reply)).toEqual([next - 3, next - 2, next - 1, next])
    const { logs, positions } = reply
    expect(rowsOf(logs[0]!).slice(positions[0], positions[3]! + 1)).toEqual(
      [next - 3, next - 2, next - 1, next].map(rowOf),
    )
    expect(logs[0]!.count).toBeLessThan(next)
  })
}

function describeWatermarks(createWorld: () => StoreWorld): void {
  test('every store that shares the state hears all lanes watermarks', async () => {
    const { open } = createWorld()
    const [one, other] = [await open(), await open()]
    const [a, b] = [await hold(one, 1), await hold(other, 2)]
    await one.advance(requestOf([a], entriesOf(0, 9)))
    await other.advance(requestOf([b], entriesOf(0, 4)))
    expect(marksOf(other)).toEqual([
      [1, 1009, false],
      [2, 1004, false],
    ])
    const request = requestOf([b], entriesOf(5, 5))
    await other.advance({ ...request, lanes: [{ ...request.lanes[0]!, isIdle: true }] })
    await one.exchangeFrontiers([])
    expect(marksOf(one)).toEqual([
      [1, 1009, false],
      [2, 1005, true],
    ])
  })

  test('frontiers move without a batch, for lanes that are still held', async () => {
    const { open } = createWorld()
    const [one, other] = [await open(), await open()]
    const [a, b] = [await hold(one, 1), await hold(other, 2)]
    await one.advance(requestOf([a], entriesOf(0, 9)))
    await other.advance(requestOf([b], entriesOf(0, 4)))
    const own = { laneId: 1, epoch: a.epoch, frontierMs: 5000, isIdle: false, committedOffset: 0 }
    await one.exchangeFrontiers([own, { ...own, laneId: 2, epoch: b.epoch - 1 }])
    await other.exchangeFrontiers([])
    expect(marksOf(other)).toEqual([
      [1, 5000, false],
      [2, 1004, false],
    ])
  })

  test('a frontier never falls, even when a batch is delivered again', async () => {
    const store = await createWorld().open()
    const held = await hold(store, 1)
    await store.advance(requestOf([held], entriesOf(0, 9)))
    await store.advance(requestOf([held], entriesOf(0, 3)))
    expect(marksOf(store)).toEqual([[1, 1009, false]])
  })
}

const marksOf = (store: EntityLogStore) =>
  store
    .knownFrontiers()
    .map(({ laneId, frontierMs, isIdle }) => [laneId, frontierMs, isIdle] as const)
    .sort(([a], [b]) => a - b)

/** Event time and values of each row. */
function rowsOf(log: EntityLog): number[][] {
  return Array.from({ length: log.count }, (_, i) => {
    const at = i * log.stride
    return [log.rows[at + TIME]!, ...log.rows.subarray(at + VALUES, at + VALUES + log.shape.values)]
  })
}

const rowOf = (offset: number): number[] => [1000 + offset, ...valuesOf(offset)]
