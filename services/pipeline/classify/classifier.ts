// The classifier port: vectors in, scores of every model out, in one call per micro-batch.
//
// Implemented by adapters/onnx (worker threads) and, for tests, by plain functions. The caller gives
// up the vectors' buffer: an implementation may transfer it to a worker and gives it back.
// What may be refused: a run that fails throws WEIR_CLASSIFY_RUN_FAILED; a score that is not a number
// in [0, 1] is the same failure, never a decision. A champion that runs elsewhere is
// adapters/inference, which falls back on adapters/onnx.

import type { Reason, ScoringModel } from '../records.ts'

export type ClassifyRequest = {
  /** Rows in `vectors`. */
  readonly count: number
  /** count x features float32, row after row; ownership passes to the classifier. */
  readonly vectors: Float32Array
  /** Rows with a champion's score at or above this get reasons; 2 asks for none. */
  readonly reasonsFrom: number
}

export type ClassifyReply = {
  /** The same numbers as in the request, in a buffer that the caller owns again. */
  readonly vectors: Float32Array
  readonly champion: ScoringModel
  readonly challengers: readonly ScoringModel[]
  /** count champion's scores. */
  readonly scores: Float32Array
  readonly challengerScores: readonly Float32Array[]
  /** The three features with the largest contribution by occlusion, by row; flagged rows only. */
  readonly reasons: ReadonlyMap<number, readonly Reason[]>
  /** Scored by a stand-in, because the place where the champion runs was away; absent = no. */
  readonly isDegraded?: boolean
  /** Epoch of the roster whose models scored; absent = 0, the models of the pipeline file. */
  readonly controlEpoch?: number
}

export type Classifier = {
  readonly classify: (request: ClassifyRequest) => Promise<ClassifyReply>
}
