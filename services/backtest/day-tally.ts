// Day by day, in UTC: does the model do today what it did last week?
//
// In: events in any order with the champion's score; what others know of a day. Out: alerts,
// precision, recall, ROC AUC and card precision per day. Nothing is refused; what a day cannot tell
// is null. Memory: a few numbers per day.

import { shareOf } from '../statistics/shares.ts'

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

type Day = {
  readonly day: number
  events: number
  alerts: number
  frauds: number
  falseAlerts: number
  caught: number
}

/** What others know of a day. */
type DayFigures = {
  readonly rocAucOf: (day: number) => number | null
  readonly cardPrecisionOf: (day: number) => number | null
}

export function createDayTally(reviewFrom: number) {
  const days = new Map<number, Day>()
  const dayOf = (day: number): Day => {
    const known = days.get(day)
    if (known !== undefined) return known
    const fresh = { day, events: 0, alerts: 0, frauds: 0, falseAlerts: 0, caught: 0 }
    days.set(day, fresh)
    return fresh
  }
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
    measure: ({ rocAucOf, cardPrecisionOf }: DayFigures): DayMeasures[] =>
      [...days.values()]
        .sort((a, b) => a.day - b.day)
        .map(({ day, events, alerts, frauds, falseAlerts, caught }) => ({
          day: new Date(day * dayMs).toISOString().slice(0, 10),
          events,
          alerts,
          frauds,
          precision: shareOf(caught, caught + falseAlerts),
          recall: shareOf(caught, frauds),
          rocAuc: rocAucOf(day),
          cardPrecision: cardPrecisionOf(day),
        })),
  }
}
