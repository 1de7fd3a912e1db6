// The handbook's protocol: who is left out, and the three measures against values worked out by
// hand.

import { describe, expect, test } from 'vitest'
import { type JudgedRow, leaveOutKnown, measure } from '../../load/handbook/protocol.ts'

const dayMs = 86_400_000
const trainFromMs = Date.UTC(2018, 6, 25)
const testFromMs = trainFromMs + 14 * dayMs
const protocol = { trainFromMs, testFromMs, testToMs: testFromMs + 7 * dayMs }

const rowOf = (day: number, customerId: string, score: number, isFraud = false): JudgedRow => ({
  eventTimeMs: trainFromMs + day * dayMs,
  customerId,
  score,
  isFraud,
})

describe('handbook protocol', () => {
  test('handbook protocol - leaves out customers with a fraud up to eight days before', () => {
    const everyDay = (customerId: string) =>
      Array.from({ length: 30 }, (_, day) => rowOf(day, customerId, 0))
    const rows = [
      ...everyDay('never'),
      ...everyDay('before training'),
      ...everyDay('in training'),
      ...everyDay('on day 8'),
      rowOf(-0.001, 'before training', 0, true),
      rowOf(6.999, 'in training', 0, true),
      rowOf(8.5, 'on day 8', 0, true),
      rowOf(12.5, 'on day 8', 0, true),
    ]
    const daysOf = (customer: string) =>
      leaveOutKnown(rows, protocol)
        .filter(({ customerId }) => customerId === customer)
        .map(({ eventTimeMs }) => (eventTimeMs - trainFromMs) / dayMs)
    const week = [14, 15, 16, 17, 18, 19, 20]
    expect(daysOf('never')).toEqual(week)
    expect(daysOf('before training')).toEqual(week)
    expect(daysOf('in training')).toEqual([])
    expect(daysOf('on day 8')).toEqual([14, 15])
  })

  test('handbook protocol - counts equal scores as one threshold', () => {
    const rows = [
      rowOf(14, 'a', 0.9, true),
      rowOf(14, 'b', 0.5, true),
      rowOf(14, 'c', 0.5),
      rowOf(14, 'd', 0.1),
    ]
    const { rocAuc, averagePrecision } = measure(rows)
    expect(rocAuc).toBeCloseTo(3.5 / 4, 12)
    expect(averagePrecision).toBeCloseTo(1 / 2 + (1 / 2) * (2 / 3), 12)
  })

  test('handbook protocol - ranks cards by their highest score and leaves out those found', () => {
    const crowd = (day: number) =>
      Array.from({ length: 99 }, (_, i) => rowOf(day, `genuine ${i}`, 0.5))
    const rows = [
      ...crowd(14),
      // Its fraud has a low score, and another purchase a high one: the card is found.
      rowOf(14, 'found', 0.01, true),
      rowOf(14, 'found', 0.9),
      // The 101st card.
      rowOf(14, 'missed', 0.4, true),
      ...crowd(15),
      rowOf(15, 'found', 0.9, true),
      rowOf(15, 'missed', 0.4, true),
    ]
    // One of 100 on the first day; on the second one place is free for the card that was missed.
    expect(measure(rows).cardPrecision).toBeCloseTo((0.01 + 0.01) / 2, 12)
  })
})
