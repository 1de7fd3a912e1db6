// The metric objects: closed label sets are enforced, not only documented.

import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { createMetrics } from '../../../services/adapters/prometheus/metrics.ts'

describe('metrics', () => {
  it('refuses a label value outside its closed set', () => {
    const metrics = createMetrics(new Registry())
    expect(() =>
      metrics.counter('weir_flagged_events_total', { decision: 'customer-4711' }),
    ).toThrow(/weir_flagged_events_total: label decision is "customer-4711"/)
  })

  it('refuses a missing label', () => {
    const metrics = createMetrics(new Registry())
    const labels = { stream: 'labels' } as { stream: string; partition: string }
    expect(() => metrics.gauge('weir_lag_events', labels)).toThrow(/label partition is undefined/)
  })

  it('computes a collected value when it is asked for', async () => {
    const registry = new Registry()
    const metrics = createMetrics(registry)
    let calls = 0
    metrics.onCollect('weir_store_cached_logs', () => {
      calls++
      metrics.gauge('weir_store_cached_logs', {}).set(calls * 10)
    })
    expect(await registry.getSingleMetricAsString('weir_store_cached_logs')).toContain('logs 10')
    expect(await registry.getSingleMetricAsString('weir_store_cached_logs')).toContain('logs 20')
  })
})
