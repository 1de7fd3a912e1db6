// Lanes merged into batches: by event time, gapless per lane, and never past a lane that runs dry.

import { describe, expect, it } from 'vitest'
import { limits } from '../../services/core/limits.ts'
import type { Lane } from '../../services/lanes/lane.ts'
import {
  type MergeOptions,
  type MergeResult,
  mergeLanes,
} from '../../services/lanes/merge-lanes.ts'
import { createAdmit, feed, openLane } from '../support/lane-fixtures.ts'
import { createRandom, type Random } from '../support/random.ts'

const open: MergeOptions = {
  admit: createAdmit(),
  eventsMax: limits.batchEventsMax,
  untilMs: Number.POSITIVE_INFINITY,
  ignoreDry: false,
}

function batchOf(result: MergeResult) {
  if (result.kind !== 'batch') throw new Error(`found ${result.kind}, expected a batch`)
  return result.batch
}

/** lane:text of each arrival in merged order. */
function merged(lanes: readonly Lane[], options = open): string[] {
  const { arrivals, laneIndexes, lanes: slices } = batchOf(mergeLanes(lanes, options))
  return arrivals.map(({ raw }, i) => `${slices[laneIndexes[i]!]!.partition}:${raw.value}`)
}

describe('merge - order', () => {
  it('takes the earliest head of all lanes first; of equal ones the lower lane', () => {
    const lanes = [openLane(0), openLane(1), openLane(2)]
    feed(lanes[0]!, [10, 40])
    feed(lanes[1]!, [20, 30])
    feed(lanes[2]!, [10, 30])
    expect(merged(lanes)).toEqual(['0:10', '2:10', '1:20', '1:30', '2:30', '0:40'])
  })

  it("merges labels by their label time, and what is rejected at its predecessor's", () => {
    const lanes = [openLane(0), openLane(0, 'labels')]
    feed(lanes[0]!, [10, 'x', 30, 'x'])
    feed(lanes[1]!, [15, 25])
    expect(merged(lanes)).toEqual(['0:10', '0:x', '0:15', '0:25', '0:30', '0:x'])
  })

  it('keeps a lane in its own order: a late event comes behind those before it', () => {
    const lanes = [openLane(0), openLane(1)]
    feed(lanes[0]!, [50, 10, 60])
    feed(lanes[1]!, [20, 55])
    expect(merged(lanes)).toEqual(['1:20', '0:50', '0:10', '1:55', '0:60'])
    const again = [openLane(0)]
    feed(again[0]!, [50, 10, 60, 'x', 60])
    expect([...batchOf(mergeLanes(again, open)).latenessMs]).toEqual([0, 40, 0, 0, 0])
  })

  it('is event-time order over complete queues, whatever the fetches: 200 seeds', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = createRandom(seed)
      const queues = randomQueues(random)
      const found = drainAll(random, queues)
      const expected = queues
        .flatMap((times, partition) => times.map((time, i) => ({ time, partition, i })))
        .sort((a, b) => a.time - b.time || a.partition - b.partition || a.i - b.i)
        .map(({ time, partition }) => `${partition}:${time}`)
      expect(found, `seed ${seed}`).toEqual(expected)
    }
  })
})

const randomQueues = (random: Random): number[][] =>
  Array.from({ length: random.integer(1, 5) }, () => {
    let time = random.integer(0, 20)
    const step = () => {
      time += random.integer(0, 3)
      return time
    }
    return Array.from({ length: random.integer(0, 40) }, step)
  })

/** Hands the queues over in random pieces between merges, and merges until nothing is left. */
function drainAll(random: Random, queues: readonly (readonly number[])[]): string[] {
  const lanes = queues.map((_, partition) => openLane(partition))
  for (const [i, lane] of lanes.entries()) feed(lane, [], queues[i]!.length)
  const found: string[] = []
  for (;;) {
    const result = mergeLanes(lanes, open)
    if (result.kind === 'batch') {
      const { arrivals, laneIndexes, lanes: slices } = result.batch
      for (const [i, { raw }] of arrivals.entries()) {
        found.push(`${slices[laneIndexes[i]!]!.partition}:${raw.value}`)
      }
    }
    const waiting = lanes.filter((lane, i) => lane.fetchOffset < queues[i]!.length)
    if (waiting.length === 0 && result.kind === 'empty') return found
    if (waiting.length === 0) continue
    const lane = random.pick(waiting)
    const queue = queues[lanes.indexOf(lane)]!
    const to = Math.min(queue.length, lane.fetchOffset + random.integer(1, 10))
    feed(lane, queue.slice(lane.fetchOffset, to), queue.length - to)
  }
}

describe('merge - dry lanes', () => {
  it('waits for a lane that has events in the topic and none in its queue', () => {
    const lanes = [openLane(0), openLane(1)]
    feed(lanes[0]!, [10])
    feed(lanes[1]!, [], 5)
    expect(mergeLanes(lanes, open)).toEqual({ kind: 'held_back' })
    expect(merged(lanes, { ...open, ignoreDry: true })).toEqual(['0:10'])
  })

  it('does not wait for one that is caught up, nor for one that is not active', () => {
    const lanes = [openLane(0), openLane(1), openLane(2)]
    feed(lanes[0]!, [10])
    feed(lanes[2]!, [], 5)
    lanes[2]!.status = 'doubtful'
    expect(merged(lanes)).toEqual(['0:10'])
  })

  it('waits for one that asks for a schema, until the patience is over', () => {
    const lanes = [openLane(0), openLane(1)]
    feed(lanes[0]!, [10])
    lanes[1]!.status = 'learning'
    lanes[1]!.isAsking = true
    expect(mergeLanes(lanes, open)).toEqual({ kind: 'held_back' })
    expect(merged(lanes, { ...open, ignoreDry: true })).toEqual(['0:10'])
  })

  it('ends the batch where a lane runs dry: its next event might be the earliest', () => {
    const lanes = [openLane(0), openLane(1)]
    feed(lanes[0]!, [10, 20], 1)
    feed(lanes[1]!, [15, 25, 35])
    expect(merged(lanes)).toEqual(['0:10', '1:15', '0:20'])
    expect(mergeLanes(lanes, open)).toEqual({ kind: 'held_back' })
    feed(lanes[0]!, [22])
    expect(merged(lanes)).toEqual(['0:22', '1:25', '1:35'])
    expect(mergeLanes(lanes, open)).toEqual({ kind: 'empty' })
  })

  it('takes nothing beyond the time up to which other processes have come', () => {
    const lanes = [openLane(0), openLane(1)]
    feed(lanes[0]!, [10, 30])
    feed(lanes[1]!, [20, 40])
    expect(merged(lanes, { ...open, untilMs: 20 })).toEqual(['0:10', '1:20'])
    expect(mergeLanes(lanes, { ...open, untilMs: 29 })).toEqual({ kind: 'held_back' })
  })
})

describe('merge - batches', () => {
  it('are gapless per lane: each begins where the one before it ended', () => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = createRandom(seed)
      const lanes = randomQueues(random).map((queue, partition) => {
        const lane = openLane(partition)
        feed(lane, queue)
        return lane
      })
      const next = new Map<number, number>()
      for (let result = mergeLanes(lanes, open); result.kind === 'batch'; ) {
        for (const slice of result.batch.lanes) {
          expect(slice.fromOffset, `seed ${seed}`).toBe(next.get(slice.laneId) ?? 0)
          expect(slice.firstOffset).toBe(slice.fromOffset)
          next.set(slice.laneId, slice.lastOffset + 1)
        }
        result = mergeLanes(lanes, open)
      }
      for (const lane of lanes) expect(next.get(lane.address.laneId) ?? 0).toBe(lane.fetchOffset)
    }
  })

  it('hold so many events at most, and so many bytes', () => {
    const many = openLane(0)
    feed(many, new Array(limits.batchEventsMax + 7).fill(1))
    expect(batchOf(mergeLanes([many], open)).arrivals).toHaveLength(limits.batchEventsMax)
    expect(batchOf(mergeLanes([many], open)).arrivals).toHaveLength(7)
    const large = openLane(0)
    // Without keys, which count twice.
    const half = `${' '.repeat(limits.batchBytesMax / 2 - 1)}1`
    feed(large, [half, half, half, 1])
    expect(batchOf(mergeLanes([large], open)).arrivals).toHaveLength(2)
    expect(batchOf(mergeLanes([large], open)).arrivals).toHaveLength(2)
  })

  it('carry the highest event time so far and whether the lane is caught up', () => {
    const lanes = [openLane(0), openLane(1)]
    feed(lanes[0]!, [30, 10], 4)
    feed(lanes[1]!, [5])
    const [first, second] = batchOf(mergeLanes(lanes, open)).lanes.toSorted(
      (a, b) => a.laneId - b.laneId,
    )
    expect(first).toMatchObject({ watermarkMs: 30, isIdle: false })
    expect(second).toMatchObject({ watermarkMs: 5, isIdle: true })
  })

  it('hold lanes that gave events, and no others', () => {
    const lanes = [openLane(0), openLane(1), openLane(2)]
    feed(lanes[1]!, [1])
    const result = mergeLanes(lanes, open)
    expect(batchOf(result).lanes.map(({ partition }) => partition)).toEqual([1])
    expect(result).toMatchObject({ lanes: [lanes[1]] })
  })
})

describe('merge - unknown schema ids', () => {
  it('names lane and ids, and takes nothing of that lane', () => {
    const lanes = [openLane(0), openLane(1)]
    feed(lanes[0]!, ['?7', '?9', '?7'])
    feed(lanes[1]!, [5])
    const result = mergeLanes(lanes, open)
    expect(result).toMatchObject({ kind: 'unknown_schema', lane: lanes[0] })
    expect(result.kind === 'unknown_schema' && [...result.ids]).toEqual([7, 9])
    lanes[0]!.status = 'learning'
    expect(merged(lanes)).toEqual(['1:5'])
  })

  it('goes on with the same messages once the ids are known', () => {
    const lane = openLane(0)
    feed(lane, ['?7', 5])
    expect(mergeLanes([lane], open).kind).toBe('unknown_schema')
    const wiser = { ...open, admit: createAdmit(new Set([7])) }
    expect(merged([lane], wiser)).toEqual(['0:?7', '0:5'])
  })
})
