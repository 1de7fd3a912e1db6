// The classifier port: vectors in, scores of every model out, in one call per micro-batch.
//
// Implemented by scorer/roster-classifier over adapters/onnx (worker threads) and
// adapters/inference (a champion that runs elsewhere, which falls back on adapters/onnx), and for
// tests by plain functions. The caller gives up the vectors' buffer: an implementation may transfer
// it to a worker and gives it back. What may be refused: a run that fails throws
// WEIR_CLASSIFY_RUN_FAILED; a row whose champion's score is not a number in [0, 1] is named in
// `unscored`, alone. Invariant: a challenger costs nobody a score: where it fails, its own score is
// NaN, and the champion decides.

import type { Reason, ScoringModel } from '../records.ts'

/** To models whose roles stand. */
export type ScoreRequest = {
  /** Rows in `vectors`. */
  readonly count: number
  /** count x features float32, row after row; ownership passes to the classifier. */
  readonly vectors: Float32Array
  /** Rows whose deciding score is at or above this get reasons; 2 asks for none. */
  readonly reasonsFrom: number
  /** By row, the model that is to decide: 0 = the champion, n = the n-th challenger; absent = 0. */
  readonly deciders?: Uint8Array
  /** By row, 1 = gets no reasons whatever it scores; absent = none of them. */
  readonly unexplained?: Uint8Array
}

/** To whatever roster is in force. */
export type ClassifyRequest = Omit<ScoreRequest, 'deciders'> & {
  /** Whose event the row is; asked only while a canary decides for some customers. */
  readonly customerOf: (row: number) => string
}

export type ClassifyReply = {
  /** The same numbers as in the request, in a buffer that the caller owns again. */
  readonly vectors: Float32Array
  readonly champion: ScoringModel
  readonly challengers: readonly ScoringModel[]
  /** count champion's scores. */
  readonly scores: Float32Array
  /**
   * By row, what the champion gave in place of a probability, in words; absent = all are scored.
   */
  readonly unscored?: ReadonlyMap<number, string>
  /** NaN where a challenger failed. */
  readonly challengerScores: readonly Float32Array[]
  /**
   * Of the deciding model, by row: the three features with the largest contribution by occlusion.
   * Where more rows ask than limits.reasonScoresMax allows, those with the highest scores have
   * them.
   */
  readonly reasons: ReadonlyMap<number, readonly Reason[]>
  /**
   * What each model took for the run that the rows were in, ms; the champion first; absent = not
   * measured.
   */
  readonly modelMs?: readonly number[]
  /** By row, the model that decides, as in the request; absent = the champion. */
  readonly deciders?: Uint8Array
  /** Scored by a stand-in, because the place where the champion runs was away; absent = no. */
  readonly isDegraded?: boolean
  /** Epoch of the roster whose models scored; absent = 0, the models of the pipeline file. */
  readonly controlEpoch?: number
}

/** Scores with models that never change while it lives, wherever they run. */
export type FixedClassifier = {
  readonly classify: (request: ScoreRequest) => Promise<ClassifyReply>
  /** The champion, then the challengers, as they were attested when they were loaded. */
  readonly models: readonly ScoringModel[]
  /** Ends what runs them; requests still waiting are rejected. */
  readonly close: () => Promise<void>
}

export type Classifier = {
  readonly classify: (request: ClassifyRequest) => Promise<ClassifyReply>
}
