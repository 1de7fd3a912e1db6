// What a manifest says about how a model was made, in the words of an MLflow run.
//
// In: a manifest. Out: metrics (every number below `metrics`, by its path), params (ranges, counts,
// seed, thresholds, calibration, lineage), tags, and the training data as an input of the run.
// Nothing is refused: what MLflow could not take (too long, not finite) is shortened or left out,
// as the manifest has it whole and is an artifact of the same run.

import type { ModelManifest } from '../../models/manifest.ts'

type Metric = {
  readonly key: string
  readonly value: number
  readonly timestamp: number
  readonly step: number
}
type Text = { readonly key: string; readonly value: string }

type RunRecord = {
  readonly batch: {
    readonly metrics: readonly Metric[]
    readonly params: readonly Text[]
    readonly tags: readonly Text[]
  }
  readonly datasets: readonly unknown[]
}

/** MLflow's own ceilings for one request, and for a text. */
const metricsMax = 800
const paramsMax = 100
const textMax = 5000
const digestLength = 36

export function runRecordOf(manifest: ModelManifest, timestamp: number): RunRecord {
  const { training, thresholds, calibration, featureSet, name, version } = manifest
  const { lineage = {}, ...trained } = training
  const metrics = leaves(manifest.metrics)
    .filter(([, value]) => typeof value === 'number' && Number.isFinite(value))
    .map(([key, value]) => ({ key, value: value as number, timestamp, step: 0 }))
  const params = leaves({ training: trained, thresholds, calibration, lineage })
    .filter(([, value]) => value !== null)
    .map(([key, value]) => ({ key, value: String(value).slice(0, textMax) }))
  return {
    batch: {
      metrics: metrics.slice(0, metricsMax),
      params: params.slice(0, paramsMax),
      tags: [
        { key: 'weir.model', value: name },
        { key: 'weir.version', value: version },
        { key: 'weir.created_at', value: manifest.createdAt },
        { key: 'weir.code', value: training.code.slice(0, textMax) },
        { key: 'weir.feature_set', value: featureSet.hash },
      ],
    },
    datasets: [
      {
        tags: [{ key: 'mlflow.data.context', value: 'training' }],
        dataset: {
          name: `${name} training data`,
          digest: training.dataSha256.slice(0, digestLength),
          source_type: 'weir',
          source: JSON.stringify({
            sha256: training.dataSha256,
            from: training.from,
            to: training.to,
          }),
          profile: JSON.stringify({ rows: training.rows, frauds: training.frauds }),
        },
      },
    ],
  }
}

/** MLflow takes letters, digits, dashes, dots, spaces and slashes in names. */
const nameOf = (path: readonly string[]): string =>
  path
    .join('.')
    .replaceAll(/[^A-Za-z0-9_.\- /]/g, '_')
    .slice(0, 250)

function leaves(value: unknown, path: readonly string[] = []): [string, unknown][] {
  if (typeof value !== 'object' || value === null) return [[nameOf(path), value]]
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, [...path, key]))
}
