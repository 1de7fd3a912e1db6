// The histogram of whole batches, against a prom-client histogram that is given each event.

import fastCheck from 'fast-check'
import { Histogram, Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import {
  quantileOf,
  SpreadHistogram,
} from '../../../services/adapters/prometheus/spread-histogram.ts'

const bounds = [1, 2, 5, 10, 100]

function openHistogram() {
  const registry = new Registry()
  const configuration = { name: 'h', help: 'h', buckets: bounds, registers: [registry] }
  return { registry, histogram: new SpreadHistogram(configuration) }
}

describe('spread histogram', () => {
  it('prints what prom-client prints for the same single values', async () => {
    const { registry, histogram } = openHistogram()
    const plainRegistry = new Registry()
    const plain = new Histogram({
      name: 'h',
      help: 'h',
      buckets: bounds,
      registers: [plainRegistry],
    })
    for (const value of [0, 1, 1.5, 5, 99, 100, 101]) {
      histogram.observeSpread(value, value, 1)
      plain.observe(value)
    }
    expect(await registry.metrics()).toBe(await plainRegistry.metrics())
  })

  it('spreads a batch evenly between its newest and its oldest event', () => {
    const { histogram } = openHistogram()
    histogram.observeSpread(0, 10, 100)
    expect(histogram.readCounts()).toEqual([10, 10, 30, 50, 0, 0])
  })

  it('counts each event of any batch exactly once', () => {
    const batch = fastCheck.record({
      smallest: fastCheck.double({ min: 0, max: 200, noNaN: true }),
      width: fastCheck.double({ min: 0, max: 200, noNaN: true }),
      events: fastCheck.nat(3000),
    })
    fastCheck.assert(
      fastCheck.property(fastCheck.array(batch, { maxLength: 20 }), (batches) => {
        const { histogram } = openHistogram()
        let events = 0
        for (const { smallest, width, events: count } of batches) {
          histogram.observeSpread(smallest, smallest + width, count)
          events += count
        }
        const counts = histogram.readCounts()
        expect(counts.every((count) => count >= 0)).toBe(true)
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(events)
      }),
    )
  })

  it('refuses what is not a range', () => {
    const { histogram } = openHistogram()
    expect(() => histogram.observeSpread(2, 1, 1)).toThrow(/from 2 to 1/)
    expect(() => histogram.observeSpread(0, Number.NaN, 1)).toThrow(/NaN/)
  })
})

describe('quantile', () => {
  it('interpolates inside the bucket as Prometheus does', () => {
    expect(quantileOf(0.5, bounds, [0, 0, 10, 0, 0, 0])).toBe(3.5)
    expect(quantileOf(1, bounds, [1, 1, 1, 1, 1, 0])).toBe(100)
    expect(quantileOf(0.1, bounds, [10, 0, 0, 0, 0, 0])).toBeCloseTo(0.1)
  })

  it('says the last bound for what is above it, and nothing without events', () => {
    expect(quantileOf(0.99, bounds, [0, 0, 0, 0, 0, 4])).toBe(100)
    expect(quantileOf(0.5, bounds, [0, 0, 0, 0, 0, 0])).toBeNull()
  })
})
