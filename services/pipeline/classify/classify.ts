// Enriched batch in, scored batch out: one call of the classifier for all models and all rows.
//
// An empty batch (labels only) makes the call too: the port answers it without running a model, and
// so the champion's identity has one source. Refused: nothing here; the port throws
// WEIR_CLASSIFY_RUN_FAILED. Invariant: every row has one score of each model, NaN where a challenger
// failed; the vectors are replaced by those of the reply, because the classifier may have given their
// buffer away.

import { assertInvariant } from '../../core/errors.ts'
import type { EnrichedBatch, ScoredBatch } from '../records.ts'
import type { Classifier } from './classifier.ts'

export type ClassifyDeps = {
  readonly classifier: Classifier
  /** The lowest score that gets reasons: the policy's review band. */
  readonly reasonsFrom: number
}

export const classify = async (
  enriched: EnrichedBatch,
  deps: ClassifyDeps,
): Promise<ScoredBatch> => {
  const { batch, count, vectors, arrivalIndexes } = enriched
  const { reasonsFrom } = deps
  const customerOf = (row: number): string =>
    batch.arrivals[arrivalIndexes[row]!]!.transaction!.customerId
  const reply = await deps.classifier.classify({ count, vectors, reasonsFrom, customerOf })
  assertScored(reply.scores, count, 'champion')
  assertInvariant(
    reply.challengerScores.length === reply.challengers.length,
    `${reply.challengerScores.length} score columns for ${reply.challengers.length} challengers`,
  )
  for (const scores of reply.challengerScores) assertScored(scores, count, 'challenger')
  return {
    enriched: { ...enriched, vectors: reply.vectors },
    champion: reply.champion,
    challengers: reply.challengers,
    scores: reply.scores,
    challengerScores: reply.challengerScores,
    reasons: reply.reasons,
    ...(reply.modelMs === undefined ? {} : { modelMs: reply.modelMs }),
    ...(reply.deciders === undefined ? {} : { deciders: reply.deciders }),
    isDegraded: reply.isDegraded ?? false,
    controlEpoch: reply.controlEpoch ?? 0,
  }
}

const assertScored = (scores: Float32Array, count: number, who: string): void =>
  assertInvariant(scores.length === count, `${who} gave ${scores.length} scores for ${count} rows`)
