// The moment that all partitions have passed, and who has to wait for it.

import { describe, expect, it } from 'vitest'
import { aheadMsMax, graceMs, ReadFrontier } from '../../services/rollout/read-frontier.ts'

function frontierOf(...laneIds: number[]): ReadFrontier {
  const frontier = new ReadFrontier()
  frontier.follow(laneIds)
  return frontier
}

describe('read frontier', () => {
  it('is the slowest partition, less the grace, and never goes back', () => {
    const frontier = frontierOf(0, 1)
    expect(frontier.passedMs()).toBe(Number.NEGATIVE_INFINITY)
    frontier.meet(0, 100_000)
    expect(frontier.passedMs()).toBe(Number.NEGATIVE_INFINITY)
    frontier.meet(1, 60_000)
    frontier.meet(1, 50_000)
    expect(frontier.passedMs()).toBe(60_000 - graceMs)
    frontier.follow([0, 1, 2])
    expect(frontier.passedMs()).toBe(60_000 - graceMs)
    frontier.meet(2, 80_000)
    frontier.meet(1, 90_000)
    expect(frontier.passedMs()).toBe(80_000 - graceMs)
  })

  it('is not held back by a partition that is silent at its end', () => {
    const frontier = frontierOf(0, 1)
    frontier.meet(0, 500_000)
    expect(frontier.behind(500_000)).toEqual([1])
    frontier.rest(1, 400_000)
    expect(frontier.passedMs()).toBe(400_000 - graceMs)
    expect(frontier.behind(400_000)).toEqual([])
  })

  it('lets who is far ahead wait, and never the slowest', () => {
    const frontier = frontierOf(0, 1)
    frontier.meet(0, 0)
    expect([0, 1].map((lane) => frontier.isAhead(lane))).toEqual([true, false])
    frontier.meet(1, 0)
    frontier.meet(0, aheadMsMax - graceMs)
    expect(frontier.isAhead(0)).toBe(false)
    frontier.meet(0, aheadMsMax - graceMs + 1)
    expect([0, 1].map((lane) => frontier.isAhead(lane))).toEqual([true, false])
    frontier.meet(1, 1)
    expect(frontier.isAhead(0)).toBe(false)
  })

  it('begins anew with a new reading', () => {
    const frontier = frontierOf(0)
    frontier.meet(0, 1_000_000)
    frontier.passedMs()
    frontier.forget()
    frontier.follow([0])
    expect(frontier.passedMs()).toBe(Number.NEGATIVE_INFINITY)
  })
})
