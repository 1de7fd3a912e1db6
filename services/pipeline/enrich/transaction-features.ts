// Features of the transaction alone: a field, a field that equals one of some values, the calendar.
//
// In: the transaction and the feature's definition. Out: a double, later rounded to float32 once.
// The calendar is UTC: it does not depend on the machine, and hours are inclusive on both ends.

import type { CalendarFeature, FieldFeature } from '../../core/pipeline-definition.ts'
import type { Transaction } from '../records.ts'

export type TransactionFeature = (transaction: Transaction) => number

const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000
/** 1970-01-01 was a Thursday; weekdays count from Monday = 0. */
const EPOCH_WEEKDAY = 3

const modulo = (value: number, divisor: number): number => ((value % divisor) + divisor) % divisor

export const hourOfDay = (timeMs: number): number => modulo(Math.floor(timeMs / HOUR_MS), 24)

export const dayOfWeek = (timeMs: number): number =>
  modulo(Math.floor(timeMs / DAY_MS) + EPOCH_WEEKDAY, 7)

export function planTransactionFeature(
  feature: FieldFeature | CalendarFeature,
): TransactionFeature {
  return feature.kind === 'field' ? planField(feature) : planCalendar(feature)
}

function planField({ field, equals, scale, absent }: FieldFeature): TransactionFeature {
  const read = (transaction: Transaction): unknown =>
    (transaction as unknown as Readonly<Record<string, unknown>>)[field]
  if (equals !== null) {
    const wanted = new Set(equals)
    return (transaction) => {
      const value = read(transaction)
      return value === null || value === undefined ? absent : wanted.has(String(value)) ? 1 : 0
    }
  }
  return (transaction) => {
    const value = read(transaction)
    return value === null || value === undefined ? absent : Number(value) * scale
  }
}

function planCalendar({ calendar, fromHour, toHour }: CalendarFeature): TransactionFeature {
  switch (calendar) {
    case 'weekend':
      return ({ eventTime }) => (dayOfWeek(eventTime) >= 5 ? 1 : 0)
    case 'hour_of_day':
      return ({ eventTime }) => hourOfDay(eventTime)
    case 'day_of_week':
      return ({ eventTime }) => dayOfWeek(eventTime)
    case 'hours':
      return ({ eventTime }) => {
        const hour = hourOfDay(eventTime)
        const isInside =
          fromHour <= toHour
            ? hour >= fromHour && hour <= toHour
            : hour >= fromHour || hour <= toHour
        return isInside ? 1 : 0
      }
  }
}
