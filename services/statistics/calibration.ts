// May a score be read as a probability? Reliability by bins of the score, and the Brier score.
//
// In: scores with verdicts, one by one. Out: per bin the mean score beside the share that was
// fraud, with its 95 % interval (Wilson); the Brier score beside that of always saying the overall
// share. Bins widen with the score, because most scores of a fraud model lie below 1 %. Nothing is
// refused; without events the measures are null.

import { shareOf } from './shares.ts'

/** Bin i holds edges[i] <= score < edges[i + 1]; the last one holds 1 as well. */
export const calibrationEdges = [0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1]

type CalibrationBin = {
  readonly from: number
  readonly to: number
  readonly events: number
  readonly frauds: number
  readonly meanScore: number | null
  readonly fraudShare: number | null
  readonly fraudShareFrom: number | null
  readonly fraudShareTo: number | null
}

export type CalibrationMeasures = {
  readonly brier: number | null
  /** Of a model that always says the overall share of frauds. */
  readonly brierOfShare: number | null
  /** Mean distance of mean score and fraud share over the bins, by events. */
  readonly expectedError: number | null
  readonly meanScore: number | null
  readonly fraudShare: number | null
  readonly bins: readonly CalibrationBin[]
}

export function createCalibration() {
  const size = calibrationEdges.length - 1
  const events = new Float64Array(size)
  const frauds = new Float64Array(size)
  const sums = new Float64Array(size)
  let squares = 0
  return {
    add: (score: number, isFraud: boolean): void => {
      let bin = size - 1
      while (bin > 0 && score < calibrationEdges[bin]!) bin--
      events[bin]!++
      sums[bin]! += score
      if (isFraud) frauds[bin]!++
      squares += (score - (isFraud ? 1 : 0)) ** 2
    },
    measure: (): CalibrationMeasures => {
      const total = sumOf(events)
      const share = shareOf(sumOf(frauds), total)
      let distance = 0
      for (let bin = 0; bin < size; bin++) distance += Math.abs(sums[bin]! - frauds[bin]!)
      return {
        brier: shareOf(squares, total),
        brierOfShare: share === null ? null : share * (1 - share),
        expectedError: shareOf(distance, total),
        meanScore: shareOf(sumOf(sums), total),
        fraudShare: share,
        bins: Array.from({ length: size }, (_, bin) =>
          describeBin(bin, events[bin]!, frauds[bin]!, sums[bin]!),
        ),
      }
    },
  }
}

const sumOf = (column: Float64Array): number => column.reduce((sum, value) => sum + value, 0)

function describeBin(bin: number, events: number, frauds: number, sum: number): CalibrationBin {
  const [low, high] = events === 0 ? [null, null] : shareInterval(frauds, events)
  return {
    from: calibrationEdges[bin]!,
    to: calibrationEdges[bin + 1]!,
    events,
    frauds,
    meanScore: shareOf(sum, events),
    fraudShare: shareOf(frauds, events),
    fraudShareFrom: low,
    fraudShareTo: high,
  }
}

/** Wilson's interval of a share at 95 %: sound for few events and for shares near 0. */
export function shareInterval(hits: number, all: number): [from: number, to: number] {
  const z = 1.959963984540054
  const share = hits / all
  const spread = z * Math.sqrt((share * (1 - share)) / all + (z * z) / (4 * all * all))
  const centre = share + (z * z) / (2 * all)
  const scale = 1 + (z * z) / all
  return [Math.max(0, (centre - spread) / scale), Math.min(1, (centre + spread) / scale)]
}
