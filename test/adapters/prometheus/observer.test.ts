// The observer as a whole: a story told in signals, read back as metrics, books and log lines.

import { Writable } from 'node:stream'
import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { logTable } from '../../../services/adapters/prometheus/log-table.ts'
import { createLogger } from '../../../services/adapters/prometheus/logger.ts'
import {
  type MetricName,
  type MetricRow,
  metricTable,
} from '../../../services/adapters/prometheus/metric-table.ts'
import { isOfScorer } from '../../../services/adapters/prometheus/metrics.ts'
import {
  createObserver,
  latencyQuantileMs,
} from '../../../services/adapters/prometheus/observer.ts'
import type { Signal } from '../../../services/pipeline/observe/signals.ts'
import { oneOfEach } from './story.ts'

type LogLine = {
  readonly signal?: string
  readonly level: string
  readonly msg: string
}

function openObserver(nowMs = () => 0) {
  const lines: string[] = []
  const output = new Writable({
    write: (chunk, _encoding, done) => {
      lines.push(String(chunk))
      done()
    },
  })
  const registry = new Registry()
  const logger = createLogger({ level: 'debug', name: 'test', instance: 'one', output })
  const build = { version: '1.2.3', commit: 'abc', pipeline: 'card-fraud', pipelineHash: 'f00' }
  const observer = createObserver({ logger, registry, build, clock: { nowMs } })
  const readLines = () => lines.map((line) => JSON.parse(line) as LogLine)
  return { ...observer, registry, readLines, readText: () => lines.join('') }
}

async function readSamples(registry: Registry): Promise<ReadonlyMap<string, number>> {
  const text = await registry.metrics()
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    samples.map((line) => {
      const space = line.lastIndexOf(' ')
      return [line.slice(0, space), Number(line.slice(space + 1))]
    }),
  )
}

const tellAll = (observe: (signal: Signal) => void) => {
  for (const signal of Object.values(oneOfEach)) observe(signal)
}

describe('observer - metrics', () => {
  it('moves the counters of a committed batch', async () => {
    const { observe, registry } = openObserver()
    tellAll(observe)
    const samples = await readSamples(registry)
    const expected: Readonly<Record<string, number>> = {
      'weir_received_events_total{stream="transactions"}': 1000,
      'weir_received_events_total{stream="labels"}': 0,
      'weir_abandoned_events_total{stream="transactions"}': 2,
      weir_scored_events_total: 985,
      weir_applied_labels_total: 0,
      'weir_rejected_events_total{stream="transactions",code="WEIR_VALIDATE_AMOUNT"}': 7,
      'weir_rejected_events_total{stream="transactions",code="WEIR_DECODE_NOT_AVRO"}': 3,
      'weir_rejected_events_total{stream="labels",code="WEIR_DECODE_NOT_AVRO"}': 0,
      weir_diverted_events_total: 3,
      'weir_flagged_events_total{decision="review"}': 5,
      'weir_flagged_events_total{decision="block"}': 2,
      weir_braked_events_total: 4,
      weir_drift_sampled_events_total: 49,
      'weir_lateness_events_total{bucket="in_order"}': 990,
      'weir_lateness_events_total{bucket="over_1d"}': 2,
      'weir_stage_refused_events_total{stage="validate"}': 10,
      'weir_stage_duration_seconds_bucket{le="0.005",stage="validate"}': 1,
      'weir_stage_duration_seconds_bucket{le="0.0025",stage="validate"}': 0,
      weir_batch_events_sum: 1000,
      weir_batch_bytes_sum: 90_000,
      weir_batch_lanes_sum: 1,
      weir_batch_duration_seconds_sum: 0.035,
      weir_end_to_end_latency_seconds_count: 998,
      weir_alignment_wait_duration_seconds_count: 1,
      weir_alignment_abandoned_waits_total: 1,
      'weir_retried_operations_total{operation="commit",code="WEIR_KAFKA_AWAY"}': 1,
      weir_recreated_producers_total: 1,
      weir_group_rebalances_total: 1,
      'weir_claimed_lanes_total{stream="transactions"}': 1,
      'weir_released_lanes_total{stream="transactions"}': 1,
      'weir_owned_lanes{stream="transactions"}': 0,
      weir_lane_claim_duration_seconds_count: 1,
      weir_store_round_trip_duration_seconds_count: 1,
      weir_store_sent_bytes_total: 5000,
      weir_store_received_bytes_total: 700,
      weir_store_advanced_logs_total: 40,
      weir_store_cache_hit_logs_total: 35,
      weir_store_cache_missed_logs_total: 5,
      weir_store_redelivered_events_total: 6,
      weir_store_folded_logs_total: 2,
      weir_store_restores_total: 1,
      weir_store_restored_logs_total: 70,
      weir_store_cached_logs: 40,
      weir_store_cached_bytes: 65_536,
      weir_model_load_duration_seconds_count: 1,
      weir_roster_epoch: 7,
      weir_applied_rosters_total: 1,
      weir_refused_rosters_total: 1,
      weir_model_run_duration_seconds_count: 1,
      weir_model_run_rows_sum: 988,
      weir_model_reason_rows_total: 41,
      weir_remote_scored_events_total: 900,
      'weir_degraded_events_total{code="WEIR_CLASSIFY_REMOTE_AWAY"}': 88,
      'weir_model_loaded_info{name="card-fraud",version="1",role="champion",provider="cpu",sha256="ab12"}': 1,
      'weir_connection_up{system="redis"}': 1,
      'weir_connection_up{system="kafka"}': 0,
      'weir_process_failures_total{code="WEIR_INTERNAL_INVARIANT"}': 1,
    }
    for (const [series, value] of Object.entries(expected)) {
      expect(samples.get(series), series).toBeCloseTo(value, 9)
    }
  })

  it('exports every metric of a scorer and no other of its own', async () => {
    const { observe, registry } = openObserver()
    const { lane_released: _released, ...running } = oneOfEach
    for (const signal of Object.values(running)) observe(signal)
    const found = await registry.getMetricsAsJSON()
    const own = found.filter((metric) => metric.name.startsWith('weir_'))
    expect(own.map((metric) => metric.name).sort()).toEqual(
      (Object.keys(metricTable) as MetricName[]).filter(isOfScorer).sort(),
    )
    for (const metric of own) {
      expect((metric as { values?: unknown[] }).values, metric.name).not.toEqual([])
    }
    expect(found.map((metric) => metric.name)).toContain('process_resident_memory_bytes')
  })

  it('counts an operation that it does not know as other', async () => {
    const { observe, registry } = openObserver()
    observe({ ...oneOfEach.retried, operation: 'customer-4711' })
    const text = await registry.metrics()
    expect(text).toContain('operation="other"')
    expect(text).not.toContain('4711')
  })

  it('shows lag and brake only for lanes that are owned', async () => {
    const { observe, registry, snapshot } = openObserver()
    observe(oneOfEach.lag)
    expect(await registry.metrics()).not.toContain('weir_lag_events{')
    observe(oneOfEach.lane_claimed)
    observe(oneOfEach.lane_claimed)
    observe(oneOfEach.lag)
    observe(oneOfEach.braked)
    const owned = await readSamples(registry)
    expect(owned.get('weir_lag_events{stream="transactions",partition="3"}')).toBe(17)
    expect(owned.get('weir_flagged_share_ratio{partition="3"}')).toBe(0.07)
    expect(owned.get('weir_owned_lanes{stream="transactions"}')).toBe(1)
    expect(snapshot().streams.transactions).toMatchObject({ lag: 17, lanes: 1 })
    observe(oneOfEach.lane_released)
    observe(oneOfEach.lag)
    const text = await registry.metrics()
    expect(text).not.toContain('weir_lag_events{')
    expect(text).not.toContain('weir_flagged_share_ratio{')
    expect(snapshot().streams.transactions).toMatchObject({ lag: 0, lanes: 0 })
  })

  it('keeps only the models in use', async () => {
    const { observe, registry } = openObserver()
    observe(oneOfEach.model_loaded)
    observe({ ...oneOfEach.model_loaded, version: '2', role: 'challenger' })
    observe({ ...oneOfEach.model_loaded, version: '2', role: 'champion', provider: 'webgpu' })
    const samples = [...(await readSamples(registry)).keys()]
    expect(samples.filter((series) => series.startsWith('weir_model_loaded_info'))).toEqual([
      'weir_model_loaded_info{name="card-fraud",version="2",role="champion",provider="webgpu",sha256="ab12"}',
    ])
  })

  it('counts a connection as lost once, and only if it was up', async () => {
    const { observe, registry } = openObserver()
    const series = 'weir_lost_connections_total{system="redis"}'
    observe({ ...oneOfEach.connection, state: 'down' })
    expect((await readSamples(registry)).get(series)).toBe(0)
    observe(oneOfEach.connection)
    observe({ ...oneOfEach.connection, state: 'down' })
    observe({ ...oneOfEach.connection, state: 'down' })
    const samples = await readSamples(registry)
    expect(samples.get(series)).toBe(1)
    expect(samples.get('weir_connection_up{system="redis"}')).toBe(0)
  })

  it('measures the event loop and names the build', async () => {
    const { registry } = openObserver()
    await registry.metrics()
    const samples = await readSamples(registry)
    const utilization = samples.get('weir_event_loop_utilization_ratio')
    expect(utilization).toBeGreaterThanOrEqual(0)
    expect(utilization).toBeLessThanOrEqual(1)
    expect(samples.get('weir_event_loop_delay_seconds{quantile="0.99"}')).toBeGreaterThanOrEqual(0)
    const build = `version="1.2.3",commit="abc",node="${process.version}"`
    expect(samples.get(`weir_build_info{${build},pipeline="card-fraud",pipeline_hash="f00"}`)).toBe(
      1,
    )
  })
})

describe('observer - conservation', () => {
  it('shows an event that was lost on its way', async () => {
    const { observe, snapshot, watchInFlight, registry } = openObserver()
    watchInFlight(() => 0)
    observe({ kind: 'received', stream: 'transactions', events: 1000 })
    observe({ ...oneOfEach.committed, scored: 986 })
    expect(snapshot().streams.transactions.difference).toBe(1)
    const samples = await readSamples(registry)
    expect(samples.get('weir_conservation_difference_events{stream="transactions"}')).toBe(1)
    expect(samples.get('weir_conservation_difference_events{stream="labels"}')).toBe(0)
  })
})

describe('observer - snapshot', () => {
  it('gives quantiles since the start and between two snapshots', () => {
    const { observe, snapshot } = openObserver()
    observe({ kind: 'latency', oldestMs: 9, newestMs: 6, events: 100 })
    const before = snapshot()
    expect(latencyQuantileMs(0.5, before, before)).toBeNull()
    observe({ kind: 'latency', oldestMs: 490, newestMs: 310, events: 100 })
    const after = snapshot()
    expect(latencyQuantileMs(0.5, after, before)).toBeGreaterThan(300)
    expect(latencyQuantileMs(0.5, after)).toBeLessThanOrEqual(10)
    expect(latencyQuantileMs(0.99, after)).toBeGreaterThan(300)
  })

  it('counts batches, flags and redelivered events', () => {
    const { observe, snapshot } = openObserver()
    tellAll(observe)
    expect(snapshot()).toMatchObject({
      batches: { count: 1, events: 1000 },
      redelivered: 6,
      streams: { transactions: { flagged: { review: 5, block: 2 }, braked: 4, abandoned: 2 } },
    })
  })
})

describe('observer - log', () => {
  it('writes the lines of the log table at their levels', () => {
    const { observe, readLines } = openObserver()
    tellAll(observe)
    const expected = Object.values(oneOfEach).flatMap(({ kind }) => {
      const rule = logTable[kind]
      return rule === null ? [] : [{ signal: kind, level: rule.level, msg: rule.sentence }]
    })
    const found = readLines().map(({ signal, level, msg }) => ({ signal, level, msg }))
    expect(found).toEqual(expected)
  })

  it('says error exactly where data is lost or a human is needed', () => {
    const kinds = Object.entries(logTable).filter(([, rule]) => rule?.level === 'error')
    expect(kinds.map(([kind]) => kind).sort()).toEqual([
      'braked',
      'failed',
      'lane_memory_lost',
      'roster_refused',
    ])
  })

  it('writes nothing for what comes with every batch', () => {
    const { observe, readLines } = openObserver()
    const { received, stage_done, store_round_trip, model_ran, committed, batch_done } = oneOfEach
    for (let batch = 0; batch < 100; batch++) {
      for (const signal of [received, stage_done, store_round_trip, model_ran]) observe(signal)
      for (const signal of [committed, batch_done, oneOfEach.lag, oneOfEach.latency]) {
        observe(signal)
      }
    }
    expect(readLines()).toEqual([])
  })

  it('tells a connection when it changes, and its loss as a warning', () => {
    const { observe, readLines } = openObserver()
    const { connection } = oneOfEach
    for (const state of ['up', 'up', 'down', 'down', 'up'] as const) {
      observe({ ...connection, state })
    }
    expect(readLines().map(({ level }) => level)).toEqual(['info', 'warn', 'info'])
  })

  it('shows retries, each operation and code at most every ten seconds', () => {
    let nowMs = 0
    const { observe, readLines } = openObserver(() => nowMs)
    const { retried } = oneOfEach
    for (let attempt = 1; attempt <= 100; attempt++) observe({ ...retried, attempt })
    observe({ ...retried, operation: 'advance' })
    observe({ ...retried, code: 'WEIR_PUBLISH_IN_DOUBT' })
    expect(readLines().map(({ level }) => level)).toEqual(['info', 'info', 'info'])
    nowMs = 10_000
    observe(retried)
    expect(readLines()).toHaveLength(4)
  })

  it('says of the others nothing before something was asked of them', async () => {
    const { observe, registry } = openObserver()
    const before = await registry.metrics()
    expect(before).toContain('weir_connection_up{system="kafka"} 0')
    expect(before).not.toContain('weir_connection_up{system="mlflow"}')
    observe({ ...oneOfEach.connection, system: 'mlflow', state: 'down' })
    expect(await registry.metrics()).toContain('weir_connection_up{system="mlflow"} 0')
  })

  it('repeats the brake once a minute and lane', () => {
    let nowMs = 0
    const { observe, readLines } = openObserver(() => nowMs)
    observe(oneOfEach.braked)
    observe(oneOfEach.braked)
    observe({ ...oneOfEach.braked, partition: 4 })
    expect(readLines()).toHaveLength(2)
    nowMs = 60_000
    observe(oneOfEach.braked)
    expect(readLines()).toHaveLength(3)
  })

  it('carries code and what to do, and the books at the end', () => {
    const { observe, readLines } = openObserver()
    tellAll(observe)
    const line = (kind: string) => readLines().find((found) => found.signal === kind)
    expect(line('failed')).toMatchObject({ code: 'WEIR_INTERNAL_INVARIANT', instance: 'one' })
    expect(line('failed')).toHaveProperty('action')
    expect(line('stopped')).toMatchObject({ streams: { transactions: { received: 998 } } })
  })

  it('never prints a secret', () => {
    const { observe, readText } = openObserver()
    tellAll(observe)
    expect(readText()).toContain('card-fraud')
    expect(readText()).not.toContain('hunter2')
  })
})

describe('metric table', () => {
  const rows = Object.entries<MetricRow>(metricTable)

  it('names metrics weir_<what>_<unit>, and counters _total', () => {
    for (const [name, row] of rows) {
      const ending = row.type === 'counter' ? `_${row.unit}_total` : `_${row.unit}`
      expect(name.endsWith(ending), `${name} should end in ${ending}`).toBe(true)
      expect(name).toMatch(/^weir_[a-z0-9_]+$/)
    }
  })

  it('gives rising buckets to histograms and none to others', () => {
    for (const [name, row] of rows) {
      expect(row.buckets.length > 0, name).toBe(row.type === 'histogram')
      expect(
        [...row.buckets].sort((a, b) => a - b),
        name,
      ).toEqual(row.buckets)
    }
  })

  it('has no label that could hold a customer, and closes every other', () => {
    const open = new Set<string>()
    for (const [name, row] of rows) {
      for (const [label, set] of Object.entries(row.labels)) {
        expect(label, name).not.toMatch(
          /customer|terminal|transaction|card|entity|key|device|ipAddress/,
        )
        if (set.kind === 'one_of') expect(new Set(set.values).size).toBe(set.values.length)
        else open.add(label)
      }
    }
    expect([...open].sort()).toEqual([
      'champion_version',
      'commit',
      'name',
      'node',
      'partition',
      'pipeline',
      'pipeline_hash',
      'provider',
      'sha256',
      'version',
    ])
  })
})
