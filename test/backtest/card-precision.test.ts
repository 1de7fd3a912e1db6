// Card precision@k against plain loops over the definition, and its rules one by one.

import { describe, expect, test } from 'vitest'
import { rankCards } from '../../services/backtest/card-precision.ts'
import { createRandom } from '../support/random.ts'

type Event = { day: number; customer: string; score: number; isFraud: boolean }

/** Day by day: group, sort, cut, count, forget the cards that were found. */
function naive(events: readonly Event[], k: number): number[] {
  let known: string[] = []
  return [...new Set(events.map(({ day }) => day))].map((day) => {
    const today = events.filter((event) => event.day === day && !known.includes(event.customer))
    const cards = [...new Set(today.map(({ customer }) => customer))].sort().map((customer) => {
      const own = today.filter((event) => event.customer === customer)
      return {
        customer,
        score: Math.max(...own.map(({ score }) => score)),
        isFraud: own.some(({ isFraud }) => isFraud),
      }
    })
    const hits = cards
      .sort((a, b) => b.score - a.score)
      .slice(0, k)
      .filter(({ isFraud }) => isFraud)
    known = [...known, ...hits.map(({ customer }) => customer)]
    return hits.length / k
  })
}

function measure(events: readonly Event[], k?: number) {
  const customerIds = [...new Set(events.map(({ customer }) => customer))]
  const cards = rankCards(
    {
      count: events.length,
      customerIds,
      dayAt: (i) => events[i]!.day,
      customerAt: (i) => customerIds.indexOf(events[i]!.customer),
      scoreAt: (i) => events[i]!.score,
      isFraudAt: (i) => events[i]!.isFraud,
    },
    k,
  )
  return cards.measure()
}

describe('card precision', () => {
  test.each([1, 2, 3, 4])(
    'card precision - follows the definition with many ties, seed %i',
    (seed) => {
      const random = createRandom(seed)
      const events = Array.from({ length: 600 }, (_, i) => ({
        day: Math.floor(i / 60),
        customer: `c${random.integer(10, 70)}`,
        score: random.integer(0, 8) / 8,
        isFraud: random.integer(0, 9) === 0,
      }))
      const { mean, days } = measure(events, 7)
      const expected = naive(events, 7)
      expect(days.map(({ precision }) => precision)).toEqual(expected)
      expect(expected.some((share) => share > 0)).toBe(true)
      expect(mean).toBeCloseTo(expected.reduce((a, b) => a + b) / expected.length, 12)
    },
  )

  test('card precision - a card that was found is left out from the next day on', () => {
    const abuse = (day: number): Event => ({ day, customer: 'a', score: 0.9, isFraud: true })
    const { days } = measure([abuse(1), abuse(1), abuse(2)], 2)
    expect(days).toEqual([
      { day: 1, precision: 0.5 },
      { day: 2, precision: 0 },
    ])
  })

  test('card precision - counts an event that comes after its day to that day', () => {
    const abuse = (day: number, customer: string): Event => ({
      ...{ day, customer, score: 0.9, isFraud: true },
    })
    const events = [abuse(1, 'a'), abuse(2, 'b'), abuse(1, 'c'), abuse(2, 'c')]
    const inOrder = events.toSorted((a, b) => a.day - b.day)
    expect(measure(events, 2)).toEqual(measure(inOrder, 2))
    expect(measure(events, 2).days).toEqual([
      { day: 1, precision: 1 },
      { day: 2, precision: 0.5 },
    ])
  })

  test('card precision - is null without an event', () => {
    expect(measure([])).toEqual({ mean: null, days: [] })
  })
})
