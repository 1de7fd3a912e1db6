// What the policy's thresholds catch, in events and in money, exactly.
//
// In: score, verdict (null: not known) and amount, one by one; the two thresholds. Out: per
// threshold alerts, precision, recall and value detected; the cost of the policy by the cost table.
// Amounts are in minor units, whatever their currency. Nothing is refused; a share of nothing is
// null.

import { shareOf } from '../statistics/shares.ts'
import type { CostTable } from './cost-table.ts'

export type Thresholds = { readonly review: number; readonly block: number }

/** Counts from a threshold upwards; `alerts` holds events without a verdict too. */
export type Caught = { alerts: number; genuine: number; frauds: number; fraudMinor: number }

export type ThresholdPoint = {
  readonly name: string
  readonly threshold: number
  readonly alerts: number
  readonly frauds: number
  readonly precision: number | null
  readonly recall: number | null
  readonly falsePositiveRate: number | null
  readonly valueDetectedMinor: number
  readonly valueDetectedShare: number | null
}

export type PolicyCosts = CostTable & {
  readonly reviewsMinor: number
  readonly falseBlocksMinor: number
  readonly missedMinor: number
  readonly totalMinor: number
  /** What would be lost if nothing were ever flagged. */
  readonly withoutPolicyMinor: number
}

const createCaught = (): Caught => ({ alerts: 0, genuine: 0, frauds: 0, fraudMinor: 0 })

export function createValueTally(thresholds: Thresholds) {
  const all = createCaught()
  const review = createCaught()
  const block = createCaught()
  const count = (caught: Caught, isFraud: boolean | null, amountMinor: number): void => {
    caught.alerts++
    if (isFraud === true) {
      caught.frauds++
      caught.fraudMinor += amountMinor
    } else if (isFraud === false) caught.genuine++
  }
  const toPoint = (name: keyof Thresholds, caught: Caught): ThresholdPoint => ({
    name,
    threshold: thresholds[name],
    alerts: caught.alerts,
    frauds: caught.frauds,
    precision: shareOf(caught.frauds, caught.frauds + caught.genuine),
    recall: shareOf(caught.frauds, all.frauds),
    falsePositiveRate: shareOf(caught.genuine, all.genuine),
    valueDetectedMinor: caught.fraudMinor,
    valueDetectedShare: shareOf(caught.fraudMinor, all.fraudMinor),
  })
  return {
    add: (score: number, isFraud: boolean | null, amountMinor: number): void => {
      count(all, isFraud, amountMinor)
      if (score >= thresholds.review) count(review, isFraud, amountMinor)
      if (score >= thresholds.block) count(block, isFraud, amountMinor)
    },
    all: (): Readonly<Caught> => all,
    blocked: (): Readonly<Caught> => block,
    points: (): ThresholdPoint[] => [toPoint('review', review), toPoint('block', block)],
    costs: (table: CostTable): PolicyCosts => ({
      ...table,
      ...costOf({ caught: review, blocked: block, fraudMinor: all.fraudMinor }, table),
      withoutPolicyMinor: Math.round(all.fraudMinor * table.lostShare),
    }),
  }
}

/**
 * Whole minor units. Those above `block` are not looked at, and a fraud that is flagged is stopped.
 */
export function costOf(
  { caught, blocked, fraudMinor }: { caught: Caught; blocked: Caught; fraudMinor: number },
  { reviewMinor, falseBlockMinor, lostShare }: CostTable,
) {
  const reviewsMinor = Math.round((caught.alerts - blocked.alerts) * reviewMinor)
  const falseBlocksMinor = Math.round(blocked.genuine * falseBlockMinor)
  const missedMinor = Math.round((fraudMinor - caught.fraudMinor) * lostShare)
  const totalMinor = reviewsMinor + falseBlocksMinor + missedMinor
  return { reviewsMinor, falseBlocksMinor, missedMinor, totalMinor }
}
