// The one event that a batch fails on, found by halving: every other one goes through.

import { describe, expect, it } from 'vitest'
import { WeirError } from '../../services/core/errors.ts'
import { createIsolation } from '../../services/lanes/isolation.ts'
import type { Batch, Rejection } from '../../services/pipeline/records.ts'
import { createRandom } from '../support/random.ts'
import { arrivalOf, batchOfParts, sliceOf } from '../support/stage-batches.ts'

const failed = new WeirError('WEIR_CLASSIFY_RUN_FAILED', 'planted')

const batchOf = (from: number, count: number): Batch =>
  batchOfParts({
    lanes: [sliceOf(0, { firstOffset: from, lastOffset: from + count - 1 })],
    arrivals: Array.from({ length: count }, (_, i) => arrivalOf(from + i)),
  })

type Lane = {
  readonly events: number
  readonly usual: number
  readonly isBad: (at: number) => boolean
}

/**
 * A lane with events 0 .. n: what went through, what was set aside, and how often a batch failed.
 */
function drive({ events, usual, isBad }: Lane, triesMax = 10_000) {
  const isolation = createIsolation()
  const aside: { readonly offset: number; readonly refusal: Rejection }[] = []
  let [next, failures, tries] = [0, 0, 0]
  while (next < events && tries++ < triesMax) {
    const batch = batchOf(next, Math.min(isolation.eventsMax(usual), events - next))
    const offsets = batch.arrivals.map(({ raw }) => raw.offset)
    const refusal = isolation.refusalFor(batch)
    if (refusal === undefined && offsets.some(isBad)) {
      failures++
      isolation.failed(batch, failed)
      continue
    }
    if (refusal !== undefined) aside.push({ offset: next, refusal })
    isolation.committed(batch, 0)
    next += offsets.length
  }
  return { next, failures, aside, isActive: isolation.isActive() }
}

describe('isolation', () => {
  it('sets the bad events aside and no other, in any world', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = createRandom(seed)
      const events = random.integer(1, 400)
      const usual = random.integer(1, 200)
      const bad = new Set(
        Array.from({ length: random.integer(0, 3) }, () => random.integer(0, events - 1)),
      )
      const world = { events, usual, isBad: (at: number) => bad.has(at) }
      const { next, failures, aside, isActive } = drive(world)
      expect(next, `seed ${seed}`).toBe(events)
      expect(aside.map(({ offset }) => offset)).toEqual([...bad].sort((a, b) => a - b))
      expect(isActive).toBe(false)
      // Twice before it looks, once per halving, and alone.
      expect(failures).toBeLessThanOrEqual(bad.size * (6 + 2 * Math.ceil(Math.log2(usual + 1))))
    }
  })

  it('says which code every batch failed with', () => {
    const { aside } = drive({ events: 5, usual: 5, isBad: (at) => at === 3 })
    expect(aside[0]?.refusal).toMatchObject({ code: 'WEIR_LANE_POISON', stage: 'classify' })
    expect(aside[0]?.refusal.detail).toContain('WEIR_CLASSIFY_RUN_FAILED')
  })

  it('keeps the code of what is bad data already', () => {
    const isolation = createIsolation()
    const large = new WeirError('WEIR_PUBLISH_TOO_LARGE', 'refused')
    const batch = batchOf(0, 1)
    for (let i = 0; i < 6; i++) isolation.failed(batch, large)
    expect(isolation.refusalFor(batch)).toMatchObject({
      code: 'WEIR_PUBLISH_TOO_LARGE',
      stage: 'publish',
    })
  })

  it('takes no event for poison where every event fails', () => {
    const { next, aside } = drive({ events: 100, usual: 20, isBad: () => true }, 2000)
    expect(aside.length).toBeLessThanOrEqual(3)
    expect(next).toBeLessThanOrEqual(3)
  })

  it.each([
    new WeirError('WEIR_KAFKA_AWAY', 'outside'),
    new WeirError('WEIR_ENRICH_STORE_AWAY', 'outside'),
    new WeirError('WEIR_ENRICH_FENCED', 'somebody else'),
    new WeirError('WEIR_INTERNAL_INVARIANT', 'ours'),
    new Error('ours as well'),
  ])('does not look for an event behind %s', (error) => {
    const isolation = createIsolation()
    for (let i = 0; i < 20; i++) isolation.failed(batchOf(0, 1), error)
    expect(isolation.isActive()).toBe(false)
    expect(isolation.refusalFor(batchOf(0, 1))).toBeUndefined()
    expect(isolation.eventsMax(100)).toBe(100)
  })

  it('forgets its suspects when lanes come or go', () => {
    const isolation = createIsolation()
    for (let i = 0; i < 3; i++) isolation.failed(batchOf(0, 10), failed)
    expect(isolation.eventsMax(100)).toBe(5)
    isolation.forget()
    expect(isolation.eventsMax(100)).toBe(100)
    expect(isolation.isActive()).toBe(false)
  })
})
