// What a run says of itself: manifest.json (what went in, what made it, what came out) and
// report.json.
//
// In: inputs, counts, measures, the model that scored. Out: plain objects. Nothing is refused.
// Invariants: no clock, no duration, no folder of the machine: the same input gives the same bytes;
// received = written + rejected, checked before anything is composed.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { BacktestDetail, Headline } from '../backtest/backtest.ts'
import { assertInvariant } from '../core/errors.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import type { ScoringModel, Stream } from '../pipeline/records.ts'
import type { RejectionFile } from './rejection-file.ts'
import { hashFile } from './run-folder.ts'

export type RunOutcome = {
  readonly definition: PipelineDefinition
  /** Events of each stream that were read. */
  readonly received: Readonly<Record<Stream, number>>
  readonly rejections: RejectionFile
  readonly rowsName: 'scored.parquet' | 'features.parquet'
  readonly counts: {
    readonly transactions: number
    readonly labels: number
    readonly review: number
    readonly block: number
  }
}

export type ReplayReport = {
  /** Transactions that were read: those with a row and those rejected. */
  readonly events: number
  readonly scored: number
  readonly rejected: number
  readonly rejectedByCode: Readonly<Record<string, number>>
  /** Not picked by `where`. */
  readonly skipped: number
  readonly labels: number
  readonly labelsRejected: number
  /** Without a verdict, or not picked. */
  readonly labelsSkipped: number
  readonly review: number
  readonly block: number
  readonly flaggedShare: number | null
  /** Events that the measures are about, and the frauds among them. */
  readonly measured: number
  readonly frauds: number
  /** What an event without a label counts as: genuine where the labels name frauds alone. */
  readonly unlabelled: 'genuine' | 'left_out'
  readonly rocAuc: number | null
  readonly averagePrecision: number | null
  readonly cardPrecisionAt100: number | null
  /** Why the measures are null; null where they are not. */
  readonly unmeasured: string | null
  /** Null where nothing is scored. */
  readonly backtest: BacktestDetail | null
}

export function composeReport(
  outcome: RunOutcome & {
    readonly backtest: { readonly headline: Headline; readonly detail: BacktestDetail } | null
    readonly verdicts: { readonly genuine: number; readonly fraud: number }
  },
): ReplayReport {
  const { received, counts, rejections, backtest, verdicts, rowsName } = outcome
  const rejected = rejections.counts()
  const skipped = rejections.skipped()
  const { transactions: events, labels } = received
  assertInvariant(
    counts.transactions + rejected.transactions + skipped.transactions === events,
    `${counts.transactions} rows + ${rejected.transactions} rejected + ${skipped.transactions} ` +
      `skipped is not ${events} transactions`,
  )
  assertInvariant(
    counts.labels + rejected.labels + skipped.labels === labels,
    `${counts.labels} labels entered + ${rejected.labels} rejected + ${skipped.labels} skipped ` +
      `is not ${labels}`,
  )
  const isScored = rowsName === 'scored.parquet'
  return {
    events,
    scored: isScored ? counts.transactions : 0,
    rejected: rejected.transactions,
    rejectedByCode: rejections.countsByCode(),
    skipped: skipped.transactions,
    labels,
    labelsRejected: rejected.labels,
    labelsSkipped: skipped.labels,
    review: counts.review,
    block: counts.block,
    flaggedShare:
      isScored && counts.transactions > 0
        ? (counts.review + counts.block) / counts.transactions
        : null,
    measured: backtest?.headline.events ?? 0,
    frauds: backtest?.headline.frauds ?? 0,
    unlabelled: verdicts.genuine === 0 && verdicts.fraud > 0 ? 'genuine' : 'left_out',
    rocAuc: backtest?.headline.rocAuc ?? null,
    averagePrecision: backtest?.headline.averagePrecision ?? null,
    cardPrecisionAt100: backtest?.headline.cardPrecisionAt100 ?? null,
    unmeasured: backtest === null ? 'nothing was scored' : backtest.headline.unmeasured,
    backtest: backtest?.detail ?? null,
  }
}

/**
 * A run of several processes: across partitions, entities met events in the order of their scoring.
 */
export type CollectedFrom = { readonly run: string; readonly order: 'as scored' }

export async function composeManifest(
  outcome: RunOutcome & {
    readonly inputs: Readonly<Record<Stream, unknown>>
    /** Those that scored, champion first; empty where nothing was scored. */
    readonly models: readonly { readonly model: ScoringModel; readonly column: string }[]
    readonly collected: CollectedFrom | null
    readonly pathOf: (name: string) => string
  },
) {
  const { definition, inputs, rowsName, collected, pathOf } = outcome
  const [model = null, ...challengers] = outcome.models.map(
    ({ model: { name, version, sha256 }, column }) => ({ name, version, sha256, column }),
  )
  const { pipeline, hash, layoutHash, featureSet, features, policy } = definition
  return {
    format: 1,
    kind: 'weir replay',
    pipeline: { name: pipeline, hash, layoutHash, featureSet },
    features: features.map(({ name }) => name),
    policy: model === null ? null : { review: policy.review, block: policy.block },
    model,
    challengers,
    inputs,
    ...(collected === null ? {} : { collected }),
    counts: { ...outcome.counts, rejected: outcome.rejections.counts() },
    outputs: {
      [rowsName]: { sha256: await hashFile(pathOf(rowsName)) },
      'rejected.ndjson': { sha256: await hashFile(pathOf('rejected.ndjson')) },
      'report.json': { sha256: await hashFile(pathOf('report.json')) },
      ...(model === null
        ? {}
        : { 'report.html': { sha256: await hashFile(pathOf('report.html')) } }),
    },
    versions: readVersions(),
  }
}

function readVersions() {
  const own = new URL('../../package.json', import.meta.url)
  const { version } = JSON.parse(readFileSync(own, 'utf8')) as { version: string }
  const runtime = createRequire(import.meta.url)('onnxruntime-node/package.json') as {
    version: string
  }
  return { weir: version, node: process.versions.node, onnxruntime: runtime.version }
}
