// What adds up over any choice of days or customers: frauds, those that are caught, and the cost.
//
// In: per unit (a day or a customer, by its number) one model's scores with verdict and amount.
// Out: the sums of all units, each counted as often as asked. A cost is that of the policy with
// this model in the champion's place: a review, a false block, the lost share of what is missed.
// Nothing is refused; a recall without a fraud is null. Memory: four numbers per unit.

import { shareOf } from '../statistics/shares.ts'
import type { CostTable } from './cost-table.ts'
import type { Thresholds } from './value-tally.ts'

type SumMeasures = {
  readonly recallAtReview: number | null
  readonly recallAtBlock: number | null
  readonly costMinor: number
}

export type UnitSums = {
  readonly add: (unit: number, score: number, isFraud: boolean | null, amountMinor: number) => void
  /** @param weights how often each unit counts; once where they are left out. */
  readonly measure: (weights?: Uint32Array) => SumMeasures
}

const frauds = 0
const caughtAtReview = 1
const caughtAtBlock = 2
const cost = 3
const width = 4

export function createUnitSums(thresholds: Thresholds, costs: CostTable): UnitSums {
  let sums = new Float64Array(width * 64)
  return {
    add: (unit, score, isFraud, amountMinor) => {
      const isFlagged = score >= thresholds.review
      const isBlocked = score >= thresholds.block
      if (!isFlagged && !isBlocked && isFraud !== true) return
      sums = withRoomFor(sums, (unit + 1) * width)
      const at = unit * width
      if (isFlagged && !isBlocked) sums[at + cost]! += costs.reviewMinor
      if (isBlocked && isFraud === false) sums[at + cost]! += costs.falseBlockMinor
      if (isFraud !== true) return
      sums[at + frauds]!++
      if (isFlagged) sums[at + caughtAtReview]!++
      else sums[at + cost]! += amountMinor * costs.lostShare
      if (isBlocked) sums[at + caughtAtBlock]!++
    },
    measure: (weights) => {
      const total = [0, 0, 0, 0]
      for (let at = 0, unit = 0; at < sums.length; at += width, unit++) {
        const weight = weights === undefined ? 1 : (weights[unit] ?? 0)
        if (weight === 0) continue
        for (let i = 0; i < width; i++) total[i]! += weight * sums[at + i]!
      }
      return {
        recallAtReview: shareOf(total[caughtAtReview]!, total[frauds]!),
        recallAtBlock: shareOf(total[caughtAtBlock]!, total[frauds]!),
        costMinor: Math.round(total[cost]!),
      }
    },
  }
}

function withRoomFor(column: Float64Array<ArrayBuffer>, length: number): Float64Array<ArrayBuffer> {
  if (length <= column.length) return column
  const grown = new Float64Array(Math.max(length, column.length * 2))
  grown.set(column)
  return grown
}
