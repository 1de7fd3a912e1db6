// Binned scores by unit, a day or a customer, as lists of the bins that occur.
//
//   starts   0 . . . 3 . . . 4 . . .        unit i has the entries from starts[i] to starts[i + 1]
//   entries  (bin, genuine, fraud) (bin, genuine, fraud) ...
//
// In: a unit's number, a score's bin and a verdict per event. Out: counts per bin over all units,
// each unit counted as often as asked. Invariant: the order of the events does not matter. Nothing
// is refused. Memory while it is built: 8 bytes per event; then 10 per bin of a unit that occurs.

import { type BinnedCounts, scoreBins } from './score-bins.ts'

export type UnitScores = {
  readonly weigh: (weights: Uint32Array) => BinnedCounts
}

/** One event as one number, so that sorting brings the events of a unit's bin together. */
const keyOf = (unit: number, bin: number, isFraud: boolean): number =>
  (unit * scoreBins + bin) * 2 + (isFraud ? 1 : 0)

type UnitEvents = {
  readonly count: number
  readonly unitAt: (event: number) => number
  readonly binAt: (event: number) => number
  readonly isFraudAt: (event: number) => boolean
}

export function groupScores({ count, unitAt, binAt, isFraudAt }: UnitEvents): UnitScores {
  const keys = new Float64Array(count)
  for (let i = 0; i < count; i++) keys[i] = keyOf(unitAt(i), binAt(i), isFraudAt(i))
  keys.sort()
  const units: number[] = []
  const starts: number[] = []
  const bins: number[] = []
  const genuine: number[] = []
  const fraud: number[] = []
  let cellBefore = -1
  for (const key of keys) {
    const cell = Math.floor(key / 2)
    const unit = Math.floor(cell / scoreBins)
    if (units.at(-1) !== unit) {
      units.push(unit)
      starts.push(bins.length)
    }
    if (cell !== cellBefore) {
      cellBefore = cell
      bins.push(cell % scoreBins)
      genuine.push(0)
      fraud.push(0)
    }
    if (key % 2 === 1) fraud[fraud.length - 1]!++
    else genuine[genuine.length - 1]!++
  }
  starts.push(bins.length)
  return weighable({
    units: Uint32Array.from(units),
    starts: Uint32Array.from(starts),
    bins: Uint16Array.from(bins),
    genuine: Uint32Array.from(genuine),
    fraud: Uint32Array.from(fraud),
  })
}

type Columns = {
  readonly units: Uint32Array
  readonly starts: Uint32Array
  readonly bins: Uint16Array
  readonly genuine: Uint32Array
  readonly fraud: Uint32Array
}

const weighable = (columns: Columns): UnitScores => ({
  weigh: (weights) => {
    const { units, starts, bins } = columns
    const genuine = new Float64Array(scoreBins)
    const fraud = new Float64Array(scoreBins)
    for (let u = 0; u < units.length; u++) {
      const weight = weights[units[u]!]!
      if (weight === 0) continue
      for (let i = starts[u]!; i < starts[u + 1]!; i++) {
        genuine[bins[i]!]! += weight * columns.genuine[i]!
        fraud[bins[i]!]! += weight * columns.fraud[i]!
      }
    }
    return { genuine, fraud }
  },
})
