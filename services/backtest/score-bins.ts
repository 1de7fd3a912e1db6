// Scores in 1,219 bins that are narrow where scores crowd: near 0 and near 1.
//
//   0 | 2^-20 ... 32 bins for each doubling ... 0.5 ... the same mirrored ... 1 - 2^-20 | 1
//
// In: scores in [0, 1] and counts per bin. Out: the bin of a score, and ROC AUC and average
// precision of counts, where the events of one bin count as ties. Invariants: a higher score never
// has a lower bin; memory depends on the number of bins and on nothing else. Nothing is refused.

/** Of the 23 bits of a float's fraction 5 are kept: 32 bins for each doubling. */
const bitsDropped = 18
const float = new Float32Array(1)
const bits = new Uint32Array(float.buffer)

const placeOf = (value: number): number => {
  float[0] = value
  return bits[0]! >>> bitsDropped
}

const firstPlace = placeOf(2 ** -20)
/** The bin of exactly 0.5, in the middle. */
const middle = placeOf(0.5) - firstPlace + 1
export const scoreBins = 2 * middle + 1

const lowerBin = (score: number): number => Math.max(0, placeOf(score) - firstPlace + 1)

export const binOf = (score: number): number =>
  // 1 - score is exact from 0.5 on, so the mirrored half is as fine.
  score <= 0.5 ? lowerBin(score) : scoreBins - 1 - lowerBin(1 - score)

/** Fine bins in one bar of a histogram. */
const binsInBar = 16
const barsInHalf = Math.ceil((middle - 1) / binsInBar) + 1
export const scoreBars = 2 * barsInHalf

export function barOf(bin: number): number {
  const isLower = bin < middle
  const fromEnd = isLower ? bin : scoreBins - 1 - bin
  const bar = Math.min(barsInHalf - 1, Math.ceil(fromEnd / binsInBar))
  return isLower ? bar : scoreBars - 1 - bar
}

/** Where the bars meet: one number more than bars, from 0 to 1. */
export function barEdges(): number[] {
  const lower = Array.from({ length: barsInHalf }, (_, bar) => {
    if (bar === 0) return 0
    bits[0] = (firstPlace + (bar - 1) * binsInBar) << bitsDropped
    return float[0]!
  })
  return [...lower, 0.5, ...lower.toReversed().map((edge) => 1 - edge)]
}

export type BinnedCounts = {
  readonly genuine: ArrayLike<number>
  readonly fraud: ArrayLike<number>
}

/** Null where a class is missing. */
type BinnedMeasures = {
  readonly rocAuc: number | null
  readonly averagePrecision: number | null
}

export function measureBins({ genuine, fraud }: BinnedCounts): BinnedMeasures {
  let genuineAll = 0
  let fraudAll = 0
  for (let bin = 0; bin < scoreBins; bin++) {
    genuineAll += genuine[bin]!
    fraudAll += fraud[bin]!
  }
  if (genuineAll === 0 || fraudAll === 0) return { rocAuc: null, averagePrecision: null }
  let genuineAbove = 0
  let fraudAbove = 0
  let pairsWon = 0
  let averagePrecision = 0
  for (let bin = scoreBins - 1; bin >= 0; bin--) {
    const frauds = fraud[bin]!
    pairsWon += genuine[bin]! * (fraudAbove + frauds / 2)
    fraudAbove += frauds
    genuineAbove += genuine[bin]!
    if (frauds > 0)
      averagePrecision += (frauds / fraudAll) * (fraudAbove / (fraudAbove + genuineAbove))
  }
  return { rocAuc: pairsWon / (fraudAll * genuineAll), averagePrecision }
}
