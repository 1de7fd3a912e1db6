// Fields, flags and the calendar of one transaction.

import { expect, test } from 'vitest'
import type { CalendarFeature } from '../../../services/core/pipeline-definition.ts'
import {
  dayOfWeek,
  hourOfDay,
  planTransactionFeature,
} from '../../../services/pipeline/enrich/transaction-features.ts'
import { transactionOf } from '../../support/batches.ts'
import { fieldFeature } from '../../support/pipelines.ts'

const calendar = (wanted: Partial<CalendarFeature>) =>
  planTransactionFeature({
    kind: 'calendar',
    name: 'c',
    calendar: 'hours',
    fromHour: 0,
    toHour: 23,
    ...wanted,
  })

test('calendar - agrees with the platform for every hour over a leap year, before 1970 too', () => {
  for (const startMs of [Date.UTC(2024, 0, 1), Date.UTC(1969, 0, 1)]) {
    for (let hour = 0; hour < 366 * 24; hour += 5) {
      const timeMs = startMs + hour * 3_600_000 + 3_599_999
      const date = new Date(timeMs)
      expect(hourOfDay(timeMs)).toBe(date.getUTCHours())
      expect(dayOfWeek(timeMs)).toBe((date.getUTCDay() + 6) % 7)
    }
  }
})

test('calendar - hours are inclusive and may go over midnight', () => {
  const hoursOf = (fromHour: number, toHour: number) => {
    const feature = calendar({ fromHour, toHour })
    return Array.from({ length: 24 }, (_, hour) =>
      feature(transactionOf({ eventTime: Date.UTC(2026, 0, 5, hour, 59) })),
    ).flatMap((flag, hour) => (flag === 1 ? [hour] : []))
  }
  expect(hoursOf(0, 6)).toEqual([0, 1, 2, 3, 4, 5, 6])
  expect(hoursOf(22, 1)).toEqual([0, 1, 22, 23])
  expect(hoursOf(5, 5)).toEqual([5])
})

test('calendar - Saturday and Sunday are the weekend', () => {
  const flags = Array.from({ length: 7 }, (_, day) =>
    calendar({ calendar: 'weekend' })(transactionOf({ eventTime: Date.UTC(2026, 0, 5 + day) })),
  )
  expect(flags).toEqual([0, 0, 0, 0, 0, 1, 1])
})

test('field - is scaled, compared, or absent', () => {
  const transaction = transactionOf({ amountMinor: 1250, mcc: '5411', country: null })
  const computed = (wanted: Parameters<typeof fieldFeature>[0]) =>
    planTransactionFeature(fieldFeature(wanted))(transaction)
  expect(computed({ field: 'amountMinor', scale: 0.01 })).toBe(12.5)
  expect(computed({ field: 'mcc', equals: ['4829', '5411'] })).toBe(1)
  expect(computed({ field: 'mcc', equals: ['4829'] })).toBe(0)
  expect(computed({ field: 'country', equals: ['DE'], absent: -1 })).toBe(-1)
})
