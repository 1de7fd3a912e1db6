// One lane's queue: gapless, bounded, and of exact memory.

import { describe, expect, it } from 'vitest'
import { limits } from '../../services/core/limits.ts'
import { createAdmit, feed, messageAt, openLane } from '../support/lane-fixtures.ts'

const admit = (messages: Parameters<ReturnType<typeof createAdmit>>[1]) =>
  createAdmit()('transactions', messages)

describe('lane', () => {
  it('drops what it has already: messages before the offset that it wants next', () => {
    const lane = openLane(0)
    feed(lane, [1, 2, 3])
    const messages = [1, 2, 3, 4].map((offset) => messageAt(offset, String(offset + 1)))
    lane.accept({ messages, nextOffset: 5, endOffset: 5 })
    lane.admitNext(admit)
    const taken: number[] = []
    while (lane.hasHead) taken.push(lane.take().arrival.raw.offset)
    expect(taken).toEqual([0, 1, 2, 3, 4])
  })

  it('moves on over offsets that hold no message', () => {
    const lane = openLane(0)
    lane.accept({ messages: [], nextOffset: 3, endOffset: 7 })
    expect([lane.fetchOffset, lane.isCaughtUp, lane.queuedEvents]).toEqual([3, false, 0])
    lane.accept({ messages: [messageAt(5, '1')], nextOffset: 7, endOffset: 7 })
    expect([lane.fetchOffset, lane.isCaughtUp, lane.queuedEvents]).toEqual([7, false, 1])
    lane.admitNext(admit)
    lane.take()
    expect(lane.isCaughtUp).toBe(true)
  })

  it('is full at so many events, and half empty when half of them are gone', () => {
    const lane = openLane(0)
    feed(lane, new Array(limits.laneQueueEventsMax - 1).fill(1))
    expect(lane.isFull).toBe(false)
    feed(lane, [1])
    expect(lane.isFull).toBe(true)
    while (!lane.isHalfEmpty) {
      if (!lane.hasHead) lane.admitNext(admit)
      lane.take()
    }
    expect(lane.queuedEvents).toBe(limits.laneQueueEventsMax / 2 - 1)
  })

  it('is full at so many bytes, and counts them down as they are taken', () => {
    const lane = openLane(0)
    const large = `${' '.repeat(limits.laneQueueBytesMax / 4 - 1)}1`
    feed(lane, [large, large, large])
    expect(lane.isFull).toBe(false)
    feed(lane, [large])
    expect(lane.isFull).toBe(true)
    lane.admitNext(admit)
    while (lane.hasHead) lane.take()
    expect([lane.isFull, lane.isHalfEmpty]).toEqual([false, true])
  })

  it('begins afresh: nothing of what was queued is left', () => {
    const lane = openLane(0)
    feed(lane, [10, 20, 30])
    lane.admitNext(admit)
    lane.take()
    const brake = { events: 4, flagged: 3, eventsBefore: 2, flaggedBefore: 1 }
    lane.begin({ offset: 1, endOffset: 9, hasCommitted: true, watermarkMs: 15, brake })
    expect(lane).toMatchObject({
      fromOffset: 1,
      fetchOffset: 1,
      committedOffset: 1,
      endOffset: 9,
      watermarkMs: 15,
      brake,
      queuedEvents: 0,
      hasHead: false,
    })
    lane.accept({ messages: [messageAt(1, '5')], nextOffset: 2, endOffset: 9 })
    lane.admitNext(admit)
    expect(lane.take().latenessMs).toBe(10)
  })
})
