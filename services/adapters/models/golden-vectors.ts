// Golden and parity rows: vectors with the scores that the training library gave them.
//
// In: the bytes of golden.json. Out: the rows as float32. Refused with WEIR_CLASSIFY_MODEL_REFUSED,
// all faults of the file at once: not JSON, too few rows, vectors of another width, anything that
// is not a number, scores that are no probabilities. Invariant: what passes has one score from 0 to
// 1 for each vector.

import { WeirError } from '../../core/errors.ts'

export type Golden = {
  readonly count: number
  /** count x features. */
  readonly vectors: Float32Array
  readonly scores: Float32Array
}

/** What two right implementations of one model may differ by. */
export const goldenDifferenceMax = 1e-5

/** Fewer rows than this do not cover the bands and branches of a model. */
const goldenRowsMin = 32

export const parseGolden = (bytes: Uint8Array, path: string, width: number): Golden => {
  const { vectors, scores } = parseGoldenJson(bytes, path)
  const count = scores.length
  const faults: string[] = []
  if (count < goldenRowsMin) faults.push(`${count} rows, expected at least ${goldenRowsMin}`)
  if (vectors.length !== count) faults.push(`${vectors.length} vectors for ${count} scores`)
  const narrow = vectors.findIndex((row) => !Array.isArray(row) || row.length !== width)
  if (narrow >= 0) faults.push(`vector ${narrow} does not have ${width} values`)
  const odd = vectors.findIndex((row) => Array.isArray(row) && !row.every(Number.isFinite))
  if (odd >= 0) faults.push(`vector ${odd} holds something that is not a number`)
  const wrong = scores.findIndex(
    (score) => !(typeof score === 'number' && score >= 0 && score <= 1),
  )
  if (wrong >= 0) faults.push(`score ${wrong} is ${scores[wrong]}, expected 0 to 1`)
  refuseFaults(path, faults)
  return {
    count,
    vectors: Float32Array.from((vectors as number[][]).flat()),
    scores: Float32Array.from(scores as number[]),
  }
}

type GoldenJson = { readonly vectors: readonly unknown[][]; readonly scores: readonly unknown[] }

const parseGoldenJson = (bytes: Uint8Array, path: string): GoldenJson => {
  let document: Partial<GoldenJson> | null = null
  try {
    document = JSON.parse(Buffer.from(bytes).toString())
  } catch (cause) {
    refuseFaults(path, [`not JSON: ${(cause as Error).message}`])
  }
  const isWhole = Array.isArray(document?.vectors) && Array.isArray(document.scores)
  if (!isWhole) refuseFaults(path, ['expected an object of two lists, vectors and scores'])
  return document as GoldenJson
}

const refuseFaults = (path: string, faults: readonly string[]): void => {
  if (faults.length === 0) return
  throw new WeirError('WEIR_CLASSIFY_MODEL_REFUSED', `${path}: ${faults.join('; ')}`)
}
