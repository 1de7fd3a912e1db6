// What the main thread and a model worker say to each other, and the layout of their one buffer.
//
// The buffer is made once per worker and transferred back and forth, so a run allocates nothing on
// the main thread and the callers keep their vectors: a failed batch can be sent again.
//
//   float32   [ vectors: rowsMax x features ][ champion: rowsMax ][ challenger 1: rowsMax ] ...
//
// Refused: nothing here. Invariant: a worker has at most one run at a time, and whoever holds the
// buffer is the one who may touch it.

import type { ErrorCode } from '../../core/errors.ts'
import type { ExecutionPolicy } from '../../core/pipeline-definition.ts'
import type { ScoreRequest } from '../../pipeline/classify/classifier.ts'
import type { Reason, ScoringModel } from '../../pipeline/records.ts'
import type { ModelFiles } from '../models/model-files.ts'
import type { ProviderMiss } from './model-session.ts'

/** What a worker is started with; the champion is the first of the models. */
export type WorkerStart = {
  readonly models: readonly ModelFiles[]
  readonly policy: ExecutionPolicy
  readonly rowsMax: number
}

/** One request's rows in the merged run, in the order of the buffer. */
export type RunSpan = Pick<ScoreRequest, 'count' | 'reasonsFrom' | 'deciders' | 'unexplained'>

export type RunMessage = { readonly buffer: ArrayBuffer; readonly spans: readonly RunSpan[] }

export type LoadedModel = {
  readonly model: ScoringModel
  readonly misses: readonly ProviderMiss[]
  readonly durationMs: number
}

export type WorkerMessage =
  | { readonly kind: 'ready'; readonly loaded: readonly LoadedModel[] }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly detail: string }
  | {
      readonly kind: 'scored'
      readonly buffer: ArrayBuffer
      /** By row of the merged run. */
      readonly reasons: ReadonlyMap<number, readonly Reason[]>
      /** By model, the champion first: how long it scored. */
      readonly modelMs: readonly number[]
      /** Challengers that threw: all their scores are NaN. */
      readonly faults: ReadonlyMap<number, string>
      readonly durationMs: number
    }
  | { readonly kind: 'failed'; readonly buffer: ArrayBuffer; readonly detail: string }

export type BufferShape = {
  readonly features: number
  readonly models: number
  readonly rowsMax: number
}

export const bufferSizeOf = ({ features, models, rowsMax }: BufferShape): number =>
  rowsMax * (features + models) * Float32Array.BYTES_PER_ELEMENT

/** The first `rows` vectors. */
export const vectorsIn = (buffer: ArrayBuffer, shape: BufferShape, rows: number): Float32Array =>
  new Float32Array(buffer, 0, rows * shape.features)

/** The column of the model's scores, rowsMax long; model 0 is the champion. */
export const scoresIn = (buffer: ArrayBuffer, shape: BufferShape, model: number): Float32Array =>
  new Float32Array(
    buffer,
    shape.rowsMax * (shape.features + model) * Float32Array.BYTES_PER_ELEMENT,
    shape.rowsMax,
  )

/** A probability; anything else is a model's failure. */
export const isScore = (score: number): boolean => score >= 0 && score <= 1
