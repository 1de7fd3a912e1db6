// Facts about this process that no signal tells: event loop, memory, CPU, build.
//
// In: the metrics and perf_hooks. Out: gauges computed when somebody asks, since the last time
// somebody asked, and prom-client's own process_* and nodejs_* metrics.
// Invariant: nothing here keeps the process alive.

import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { collectDefaultMetrics, type Registry } from 'prom-client'
import { delayQuantiles } from './metric-table.ts'
import type { Metrics } from './metrics.ts'

export type BuildFacts = {
  readonly version: string
  readonly commit: string
  readonly pipeline: string
  readonly pipelineHash: string
}

const DELAY_RESOLUTION_MS = 20
const NANOSECONDS = 1e9

export function collectProcessMetrics(registry: Registry, metrics: Metrics): void {
  collectDefaultMetrics({ register: registry })
  collectUtilization(metrics)
  collectDelay(metrics)
}

export function recordBuild(metrics: Metrics, build: BuildFacts): void {
  const { version, commit, pipeline, pipelineHash } = build
  const { version: node } = process
  const labels = { version, commit, node, pipeline, pipeline_hash: pipelineHash }
  metrics.gauge('weir_build_info', labels).set(1)
}

function collectUtilization(metrics: Metrics): void {
  const utilization = metrics.gauge('weir_event_loop_utilization_ratio', {})
  let before = performance.eventLoopUtilization()
  metrics.onCollect('weir_event_loop_utilization_ratio', () => {
    const now = performance.eventLoopUtilization()
    utilization.set(performance.eventLoopUtilization(now, before).utilization)
    before = now
  })
}

function collectDelay(metrics: Metrics): void {
  const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS })
  delay.enable()
  const gauges = delayQuantiles.map((quantile) => ({
    percentile: Number(quantile) * 100,
    gauge: metrics.gauge('weir_event_loop_delay_seconds', { quantile }),
  }))
  metrics.onCollect('weir_event_loop_delay_seconds', () => {
    for (const { percentile, gauge } of gauges) {
      // The monitor's timer fires every resolution; only what is above it is delay.
      const intervalSeconds = delay.percentile(percentile) / NANOSECONDS
      gauge.set(Math.max(0, intervalSeconds - DELAY_RESOLUTION_MS / 1000))
    }
    delay.reset()
  })
}
