// Flagged rows in, the three features that carry each row's score out.
//
// A feature's contribution is the score minus the score with that one feature at its reference
// median. All flagged rows and features go through the deciding model in the same kind of batch as
// the scoring itself, in chunks of at most rowsMax rows. Bounded by limits.reasonScoresMax: a model
// that flags everybody must not cost many times what it costs on other days. Refused: nothing here.
// Invariant: reasons depend on the row alone, not on its batch; ties go to the earlier feature.

import { limits } from '../../core/limits.ts'
import type { Reason } from '../../pipeline/records.ts'
import type { ModelSession } from './model-session.ts'

const reasonsPerRow = 3

type OcclusionTask = {
  readonly session: ModelSession
  readonly names: readonly string[]
  readonly medians: readonly number[]
  /** rows x features; read, never written. */
  readonly vectors: Float32Array
  readonly scores: Float32Array
  /** Indexes of the flagged rows. */
  readonly flagged: readonly number[]
  readonly rowsMax: number
}

/**
 * Those that may be explained, in the order of rows: the highest scores where there are too many.
 */
export const mostFlagged = (
  flagged: readonly number[],
  scores: Float32Array,
  features: number,
): readonly number[] => {
  const rowsMax = Math.max(1, Math.floor(limits.reasonScoresMax / features))
  if (flagged.length <= rowsMax) return flagged
  // A stable sort: of equal scores the earlier row goes first.
  const highest = flagged.toSorted((a, b) => scores[b]! - scores[a]!).slice(0, rowsMax)
  return highest.sort((a, b) => a - b)
}

export const explainRows = async (task: OcclusionTask): Promise<Map<number, Reason[]>> => {
  const { flagged, names } = task
  const width = names.length
  const occluded = await scoreOccluded(task)
  const reasons = new Map<number, Reason[]>()
  for (const [position, row] of flagged.entries()) {
    const own = occluded.subarray(position * width, (position + 1) * width)
    reasons.set(row, largestReasons(task, row, own))
  }
  return reasons
}

/** flagged x features scores, each with one feature at its median. */
const scoreOccluded = async (task: OcclusionTask): Promise<Float32Array> => {
  const width = task.names.length
  const total = task.flagged.length * width
  const scores = new Float32Array(total)
  for (let from = 0; from < total; from += task.rowsMax) {
    const rows = Math.min(task.rowsMax, total - from)
    const vectors = new Float32Array(rows * width)
    for (let i = 0; i < rows; i++) {
      const row = task.flagged[Math.floor((from + i) / width)]!
      const feature = (from + i) % width
      vectors.set(task.vectors.subarray(row * width, (row + 1) * width), i * width)
      vectors[i * width + feature] = task.medians[feature]!
    }
    scores.set(await task.session.score(vectors, rows), from)
  }
  return scores
}

const largestReasons = (task: OcclusionTask, row: number, occluded: Float32Array): Reason[] => {
  const { names, scores, vectors } = task
  return names
    .map((feature, index) => ({
      feature,
      value: vectors[row * names.length + index]!,
      contribution: scores[row]! - occluded[index]!,
    }))
    .sort((a, b) => b.contribution - a.contribution)
    .slice(0, reasonsPerRow)
}
