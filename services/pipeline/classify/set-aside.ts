// Events that are counted in their entities' logs and leave as rejections all the same.
//
// Two ways lead here: the champion gave no probability (WEIR_CLASSIFY_BAD_SCORE, classify.ts), and
// an event that every batch failed with, or that the broker refuses for its size: whoever has found
// out which event it is processes it alone and again, with that refusal, and no model is asked. In:
// an enriched batch. Out: a scored one without scores, all its transactions set aside. Invariant:
// ordinals stay dense for whoever reads the scored and the rejected topic: the rejected record says
// which ordinals the event has (`applied`).

import type { EnrichedBatch, Rejection, ScoredBatch, ScoringModel } from '../records.ts'

const nobody: ScoringModel = { name: '', version: '', sha256: '', provider: '' }

export const setAsideAll = (enriched: EnrichedBatch, refusal: Rejection): ScoredBatch => ({
  enriched,
  champion: nobody,
  challengers: [],
  scores: new Float32Array(enriched.count).fill(Number.NaN),
  challengerScores: [],
  reasons: new Map(),
  setAside: new Map(Array.from({ length: enriched.count }, (_, row) => [row, refusal])),
})
