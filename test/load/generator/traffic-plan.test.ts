// The plan of a live run: fast enough, never ahead of the clock, no contradiction accepted.

import { describe, expect, it } from 'vitest'
import { dayMs } from '../../../load/generator/options.ts'
import { generateTimeline } from '../../../load/generator/timeline.ts'
import { planTraffic, type TrafficPlan } from '../../../load/generator/traffic-plan.ts'

const nowMs = Date.UTC(2026, 4, 17, 15, 30)
const generator = { seed: 3, customers: 500, terminals: 500 }

function timesOf(plan: TrafficPlan): number[] {
  return [...generateTimeline(plan.generator)].map((item) =>
    item.kind === 'label' ? item.label.labelTime : item.transaction.eventTime,
  )
}

describe('traffic plan', () => {
  it('traffic plan - with a rate, sends rate times seconds transactions that end now', () => {
    const plan = planTraffic({ rate: 100, seconds: 30, generator }, nowMs)
    const items = [...generateTimeline(plan.generator)]
    expect(items.filter(({ kind }) => kind === 'transaction')).toHaveLength(3_000)
    const last = Math.max(...timesOf(plan))
    expect(last).toBeLessThanOrEqual(nowMs)
    expect(nowMs - last).toBeLessThan(30 * 60_000)
    expect(plan.dueAfterMs(0, 0)).toBe(0)
    expect(plan.dueAfterMs(100, 0)).toBe(1_000)
  })

  it('traffic plan - counts duplicates and poison in the rate', () => {
    const disturbances = { duplicateShare: 0.05, poisonShare: 0.2 }
    const plan = planTraffic({ rate: 100, seconds: 10, generator, disturbances }, nowMs)
    expect(plan.generator.count).toBe(800)
  })

  it('traffic plan - with a speed-up, follows event time and catches up with the clock at the end', () => {
    const plan = planTraffic({ speedUp: 3_600, seconds: 24, generator }, nowMs)
    const times = timesOf(plan)
    expect(times.length).toBeGreaterThan(500)
    for (const timeMs of times) {
      const dueMs = nowMs + plan.dueAfterMs(0, timeMs)
      expect(dueMs).toBeGreaterThanOrEqual(nowMs)
      expect(dueMs).toBeLessThanOrEqual(nowMs + 24_000)
      expect(timeMs).toBeLessThanOrEqual(dueMs)
    }
    expect(Math.max(...times)).toBeGreaterThan(nowMs - dayMs / 12)
  })

  it('traffic plan - at a speed-up of 1 runs without an end, on the wall clock', () => {
    const plan = planTraffic({ speedUp: 1, generator }, nowMs)
    expect(plan.generator.startTimeMs).toBe(nowMs)
    expect(plan.dueAfterMs(0, nowMs + 60_000)).toBe(60_000)
  })

  it('traffic plan - with both, makes people as active as it takes', () => {
    const plan = planTraffic({ rate: 100, speedUp: 8_640, seconds: 30, generator }, nowMs)
    // 100 per second are 1,000 per simulated day, of 500 people.
    expect(plan.generator.transactionsPerCustomerPerDay).toBeCloseTo(2)
    const spanMs = Math.max(...timesOf(plan)) - Math.min(...timesOf(plan))
    expect(spanMs / (30_000 * 8_640)).toBeGreaterThan(0.7)
    expect(spanMs / (30_000 * 8_640)).toBeLessThan(1.4)
  })

  it('traffic plan - takes a start that was given, unless it leads beyond now', () => {
    const past = { ...generator, startTimeMs: nowMs - 3 * dayMs, days: 2 }
    expect(planTraffic({ rate: 100, generator: past }, nowMs).generator).toMatchObject(past)
    const beyond = { ...past, days: 4 }
    expect(() => planTraffic({ rate: 100, generator: beyond }, nowMs)).toThrow(
      /would end at 2026-05-18T15:30:00.000Z, ahead of now/,
    )
  })

  it('traffic plan - refuses wishes without a pace, an end or sense', () => {
    const plan = (wish: Parameters<typeof planTraffic>[0]) => () => planTraffic(wish, nowMs)
    expect(plan({ seconds: 3 })).toThrow(/neither rate nor speedUp/)
    expect(plan({ rate: 0, seconds: 3 })).toThrow(/rate is 0, expected a number above 0/)
    expect(plan({ rate: 10 })).toThrow(/seconds is missing/)
    expect(plan({ speedUp: 2 })).toThrow(/seconds is missing.*speedUp above 1/)
  })
})
