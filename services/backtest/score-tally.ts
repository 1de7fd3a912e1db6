// Scores by bin: the histogram, the curves, and what another threshold would do.
//
// In: score, verdict (null: not known) and amount, one by one. Out: bars of fraud and genuine
// scores; a table of thresholds with workload, recall and cost. Invariant: every threshold of the
// table is a score that occurred and the lowest of its bin, so its row is exact although the bins
// are not. Nothing is refused. Memory: a few arrays of one number per bin.

import { shareOf } from '../statistics/shares.ts'
import type { CostTable } from './cost-table.ts'
import { barEdges, barOf, binOf, scoreBars, scoreBins } from './score-bins.ts'
import { type Caught, costOf } from './value-tally.ts'

export type ScoreHistogram = {
  /** Bar i holds scores from edges[i] to edges[i + 1]. */
  readonly edges: readonly number[]
  readonly genuine: readonly number[]
  readonly fraud: readonly number[]
}

export type SimulatedThreshold = {
  readonly threshold: number
  readonly alerts: number
  readonly alertsPerDay: number
  readonly precision: number | null
  readonly recall: number | null
  readonly falsePositiveRate: number | null
  readonly valueDetectedShare: number | null
  readonly missedMinor: number
  readonly totalMinor: number
}

const rowsMax = 60

export function createScoreTally() {
  const alerts = new Float64Array(scoreBins)
  const genuine = new Float64Array(scoreBins)
  const fraud = new Float64Array(scoreBins)
  const fraudMinor = new Float64Array(scoreBins)
  const lowest = new Float64Array(scoreBins).fill(Number.POSITIVE_INFINITY)

  const add = (score: number, isFraud: boolean | null, amountMinor: number): void => {
    const bin = binOf(score)
    alerts[bin]!++
    if (score < lowest[bin]!) lowest[bin] = score
    if (isFraud === true) {
      fraud[bin]!++
      fraudMinor[bin]! += amountMinor
    } else if (isFraud === false) genuine[bin]!++
  }

  const histogram = (): ScoreHistogram => {
    const bars = { genuine: new Array(scoreBars).fill(0), fraud: new Array(scoreBars).fill(0) }
    for (let bin = 0; bin < scoreBins; bin++) {
      bars.genuine[barOf(bin)] += genuine[bin]!
      bars.fraud[barOf(bin)] += fraud[bin]!
    }
    return { edges: barEdges(), ...bars }
  }

  /** From the highest score to the lowest, what a review threshold there would catch. */
  const steps = (): { threshold: number; caught: Caught }[] => {
    const found = []
    const caught: Caught = { alerts: 0, genuine: 0, frauds: 0, fraudMinor: 0 }
    for (let bin = scoreBins - 1; bin >= 0; bin--) {
      if (alerts[bin] === 0) continue
      caught.alerts += alerts[bin]!
      caught.genuine += genuine[bin]!
      caught.frauds += fraud[bin]!
      caught.fraudMinor += fraudMinor[bin]!
      found.push({ threshold: lowest[bin]!, caught: { ...caught } })
    }
    return found
  }

  /** The review threshold moves, the block threshold stays unless it is passed. */
  const simulate = (setup: Simulation): SimulatedThreshold[] => {
    const all = steps()
    const total = all.at(-1)?.caught
    if (total === undefined) return []
    return thin(all).map(({ threshold, caught }) => {
      const blocked = threshold >= setup.blockFrom ? caught : setup.blocked
      const { missedMinor, totalMinor } = costOf(
        { caught, blocked, fraudMinor: total.fraudMinor },
        setup.costs,
      )
      return {
        threshold,
        alerts: caught.alerts,
        alertsPerDay: caught.alerts / setup.days,
        precision: shareOf(caught.frauds, caught.frauds + caught.genuine),
        recall: shareOf(caught.frauds, total.frauds),
        falsePositiveRate: shareOf(caught.genuine, total.genuine),
        valueDetectedShare: shareOf(caught.fraudMinor, total.fraudMinor),
        missedMinor,
        totalMinor,
      }
    })
  }

  return { add, histogram, simulate }
}

type Simulation = {
  readonly blockFrom: number
  readonly blocked: Readonly<Caught>
  readonly costs: CostTable
  readonly days: number
}

/**
 * Rows whose workloads grow by a steady factor: the interesting thresholds are those of few alerts.
 */
function thin<T extends { readonly caught: Caught }>(steps: readonly T[]): T[] {
  const most = steps.at(-1)!.caught.alerts
  const factor = most ** (1 / rowsMax)
  let next = 0
  return steps.filter(({ caught }, i) => {
    if (caught.alerts < next && i < steps.length - 1) return false
    next = Math.max(caught.alerts + 1, caught.alerts * factor)
    return true
  })
}
