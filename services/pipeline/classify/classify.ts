// Enriched batch in, scored batch out: one call of the classifier for all models and all rows.
//
// An empty batch (labels only) makes the call too: the port answers it without running a model, and
// so the champion's identity has one source. Set aside with WEIR_CLASSIFY_BAD_SCORE: a row for
// which the champion gave no probability. Thrown by the port: WEIR_CLASSIFY_RUN_FAILED. Invariant:
// every row has one score of each model, NaN where a challenger failed; the vectors are replaced by
// those of the reply, because the classifier may have given their buffer away.

import { assertInvariant } from '../../core/errors.ts'
import type { ReadKey } from '../entity-key.ts'
import type { Brake, EnrichedBatch, Rejection, ScoredBatch } from '../records.ts'
import type { Classifier } from './classifier.ts'

export type ClassifyDeps = {
  readonly classifier: Classifier
  /** The lowest score that gets reasons: the policy's review band. */
  readonly reasonsFrom: number
  /** Who keeps one canary's decisions together (entity-key.ts); absent = the transaction alone. */
  readonly subjectOf?: ReadKey
  /** Whether the lane's flags are withheld as it is: nobody acts on them. Absent = never. */
  readonly isBraked?: (brake: Brake) => boolean
}

export const classify = async (
  enriched: EnrichedBatch,
  deps: ClassifyDeps,
): Promise<ScoredBatch> => {
  const { batch, count, vectors, arrivalIndexes } = enriched
  const { reasonsFrom, subjectOf = ({ transactionId }) => transactionId } = deps
  const unexplained = findUnexplained(enriched, deps)
  const customerOf = (row: number): string =>
    subjectOf(batch.arrivals[arrivalIndexes[row]!]!.transaction!)
  const reply = await deps.classifier.classify({
    ...{ count, vectors, reasonsFrom, customerOf },
    ...(unexplained === null ? {} : { unexplained }),
  })
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
    ...(reply.unscored === undefined ? {} : { setAside: rejectRows(reply.unscored) }),
    ...(reply.modelMs === undefined ? {} : { modelMs: reply.modelMs }),
    ...(reply.deciders === undefined ? {} : { deciders: reply.deciders }),
    isDegraded: reply.isDegraded ?? false,
    controlEpoch: reply.controlEpoch ?? 0,
  }
}

/** Rows of lanes whose brake is closed; null where there are none. */
function findUnexplained(
  { batch, arrivalIndexes }: EnrichedBatch,
  { isBraked = () => false }: ClassifyDeps,
): Uint8Array | null {
  const braked = batch.brakes.map(isBraked)
  if (!braked.includes(true)) return null
  return Uint8Array.from(arrivalIndexes, (index) => Number(braked[batch.laneIndexes[index]!]!))
}

const rejectRows = (unscored: ReadonlyMap<number, string>): ReadonlyMap<number, Rejection> =>
  new Map(
    [...unscored].map(([row, detail]) => [
      row,
      { code: 'WEIR_CLASSIFY_BAD_SCORE', stage: 'classify', detail },
    ]),
  )

const assertScored = (scores: Float32Array, count: number, who: string): void =>
  assertInvariant(scores.length === count, `${who} gave ${scores.length} scores for ${count} rows`)
