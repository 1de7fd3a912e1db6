// Day by day, in UTC: does the model do today what it did last week?
//
// In: events in any order with a score per model. Out: alerts, precision, recall and ROC AUC per day
// for the champion, and the binned scores per day and model that the bootstrap draws from.
// Nothing is refused; what a day cannot tell is null. Memory: about 10 kB per day and model.

import { binOf, measureBins, scoreBins } from './score-bins.ts'
import { shareOf } from './shares.ts'

export const dayMs = 86_400_000

export type DayMeasures = {
  /** Such as 2026-01-31, UTC. */
  readonly day: string
  readonly events: number
  readonly alerts: number
  readonly frauds: number
  readonly precision: number | null
  readonly recall: number | null
  readonly rocAuc: number | null
  readonly cardPrecision: number | null
}

export type DayCounts = {
  readonly day: number
  /** Per model, champion first. */
  readonly genuine: readonly Uint32Array[]
  readonly fraud: readonly Uint32Array[]
}

type Day = DayCounts & {
  events: number
  alerts: number
  frauds: number
  falseAlerts: number
  caught: number
}

export function createDayTally(models: number, reviewFrom: number) {
  const days = new Map<number, Day>()
  const createBins = () => Array.from({ length: models }, () => new Uint32Array(scoreBins))
  const dayOf = (day: number): Day => {
    const known = days.get(day)
    if (known !== undefined) return known
    const bins = { genuine: createBins(), fraud: createBins() }
    const fresh = { day, ...bins, events: 0, alerts: 0, frauds: 0, falseAlerts: 0, caught: 0 }
    days.set(day, fresh)
    return fresh
  }
  const inOrder = (): Day[] => [...days.values()].sort((a, b) => a.day - b.day)
  return {
    /** The champion's score and verdict, null where it is not known. */
    add: (dayNumber: number, score: number, isFraud: boolean | null): void => {
      const day = dayOf(dayNumber)
      day.events++
      if (isFraud === true) day.frauds++
      if (score < reviewFrom) return
      day.alerts++
      if (isFraud === true) day.caught++
      else if (isFraud === false) day.falseAlerts++
    },
    addScore: (dayNumber: number, model: number, score: number, isFraud: boolean): void => {
      const day = dayOf(dayNumber)
      const bins = (isFraud ? day.fraud : day.genuine)[model]!
      bins[binOf(score)]!++
    },
    counts: (): readonly DayCounts[] => inOrder(),
    measure: (cardPrecisionOf: (day: number) => number | null): DayMeasures[] =>
      inOrder().map(({ day, events, alerts, frauds, falseAlerts, caught, genuine, fraud }) => ({
        day: new Date(day * dayMs).toISOString().slice(0, 10),
        events,
        alerts,
        frauds,
        precision: shareOf(caught, caught + falseAlerts),
        recall: shareOf(caught, frauds),
        rocAuc: measureBins({ genuine: genuine[0]!, fraud: fraud[0]! }).rocAuc,
        cardPrecision: cardPrecisionOf(day),
      })),
  }
}
