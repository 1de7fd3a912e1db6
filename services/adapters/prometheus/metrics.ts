// The metric table as prom-client objects in one registry.
//
// In: a registry and metricTable. Out: typed access to one child per metric and label values, made
// once and kept by the caller. Refuses a label value outside its closed set: that would be a defect
// of the caller, so it is asserted. Invariants: nothing is registered that the table does not have;
// counters and gauges stand at 0 from the moment their child is made.

import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { assertInvariant } from '../../core/errors.ts'
import { type MetricName, type MetricRow, type MetricTable, metricTable } from './metric-table.ts'
import { SpreadHistogram } from './spread-histogram.ts'

type NamesOf<T extends MetricRow['type']> = {
  [N in MetricName]: MetricTable[N]['type'] extends T ? N : never
}[MetricName]

/** One string for each label of the metric, no more and no less. */
export type LabelsOf<N extends MetricName> = {
  readonly [L in keyof MetricTable[N]['labels']]: string
}

export type Metrics = {
  readonly counter: <N extends NamesOf<'counter'>>(name: N, labels: LabelsOf<N>) => Counter.Internal
  readonly gauge: <N extends NamesOf<'gauge'>>(
    name: N,
    labels: LabelsOf<N>,
  ) => Gauge.Internal<string>
  readonly histogram: <N extends NamesOf<'histogram'>>(
    name: N,
    labels: LabelsOf<N>,
  ) => Histogram.Internal<string>
  /** The one histogram that is filled with a whole batch at once. */
  readonly latency: SpreadHistogram
  readonly removeGauge: <N extends NamesOf<'gauge'>>(name: N, labels: LabelsOf<N>) => void
  /** Computes a value only when somebody asks for the metrics. */
  readonly onCollect: (name: MetricName, collect: () => void) => void
}

type AnyMetric = Counter | Gauge | Histogram | SpreadHistogram

/** What scorers show: the metrics of a rollout are another process's. */
export const isOfScorer = (name: MetricName): boolean => !name.startsWith('weir_rollout_')

/** @param isShown which metrics this process has something to say about. */
export function createMetrics(registry: Registry, isShown = isOfScorer): Metrics {
  const collectors = new Map<MetricName, () => void>()
  const metrics = new Map<MetricName, AnyMetric>()
  for (const name of (Object.keys(metricTable) as MetricName[]).filter(isShown)) {
    metrics.set(
      name,
      registerMetric(registry, name, () => collectors.get(name)?.()),
    )
  }
  const find = (name: MetricName, labels: Readonly<Record<string, string>>) => {
    checkLabels(name, labels)
    return metrics.get(name)!
  }
  return {
    counter: (name, labels) => startAtZero((find(name, labels) as Counter).labels(labels)),
    gauge: (name, labels) => startAtZero((find(name, labels) as Gauge).labels(labels)),
    histogram: (name, labels) => (find(name, labels) as Histogram).labels(labels),
    latency: metrics.get('weir_end_to_end_latency_seconds') as SpreadHistogram,
    removeGauge: (name, labels) => (find(name, labels) as Gauge).remove(labels),
    onCollect: (name, collect) => collectors.set(name, collect),
  }
}

/** A series that is first seen at 1 has no increase: let it be seen at 0 before. */
function startAtZero<C extends { inc: (value: number) => void }>(child: C): C {
  child.inc(0)
  return child
}

function registerMetric(registry: Registry, name: MetricName, collect: () => void): AnyMetric {
  const row: MetricRow = metricTable[name]
  const shared = {
    name,
    help: row.help,
    labelNames: Object.keys(row.labels),
    registers: [registry],
  }
  if (name === 'weir_end_to_end_latency_seconds') {
    return new SpreadHistogram({ ...shared, buckets: [...row.buckets] })
  }
  if (row.type === 'counter') return new Counter({ ...shared, collect })
  if (row.type === 'gauge') return new Gauge({ ...shared, collect })
  return new Histogram({ ...shared, buckets: [...row.buckets], collect })
}

function checkLabels(name: MetricName, labels: Readonly<Record<string, string>>): void {
  const row: MetricRow = metricTable[name]
  for (const [label, set] of Object.entries(row.labels)) {
    const value = labels[label]
    const isMember = set.kind === 'bounded' || set.values.includes(value ?? '')
    assertInvariant(
      value !== undefined && isMember,
      `metric ${name}: label ${label} is ${JSON.stringify(value)}, which is not in its closed set`,
    )
  }
}
