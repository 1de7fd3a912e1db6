// Any number of rows in, runs of a few sizes out: how accelerators are given their batches.
//
// Accelerators may prepare kernels and memory by shape, and live batches have a new one each time.
// Rows are filled up with zeros to the next of paddedSizes, or to a multiple of the largest, and
// the scores of the filling are cut off. Refused: nothing here. Invariant: each row's score is its
// own, whatever the run was filled up to, because no graph mixes rows.

/** rows x features in, one score per row out, in an array of its own. */
export type ScoreRows = (vectors: Float32Array, rows: number) => Promise<Float32Array>

export const paddedSizes = [64, 512, 2_048, 8_192] as const
const largest = paddedSizes.at(-1)!

export const sizeOfRun = (rows: number): number =>
  paddedSizes.find((size) => rows <= size) ?? Math.ceil(rows / largest) * largest

export const padRuns =
  (score: ScoreRows, width: number): ScoreRows =>
  async (vectors, rows) => {
    const size = sizeOfRun(rows)
    if (size === rows) return score(vectors, rows)
    const padded = new Float32Array(size * width)
    padded.set(vectors.subarray(0, rows * width))
    return (await score(padded, size)).slice(0, rows)
  }
