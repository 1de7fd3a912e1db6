// How sure are the measures? Intervals by drawing days with replacement, the same days for all models.
//
// In: binned scores per day and model, card precision per day and model, a seed. Out: per model the 95 %
// interval of each measure, and of its difference to the champion. Days are drawn whole, because
// the events of a day (one card, one terminal, one wave of fraud) are not independent. Fewer than 5
// days say nothing: null. The same input and seed give the same numbers. Nothing is refused.

import type { DayCounts } from './day-tally.ts'
import { measureBins, scoreBins } from './score-bins.ts'

export const measureNames = ['rocAuc', 'averagePrecision', 'cardPrecisionAt100'] as const
export type MeasureName = (typeof measureNames)[number]

export type Interval = { readonly from: number; readonly to: number }
export type Intervals = Readonly<Record<MeasureName, Interval | null>>

export type ModelIntervals = {
  readonly measures: Intervals
  /** This model minus the champion; null for the champion itself. */
  readonly difference: Intervals | null
}

export type Draw = {
  readonly days: readonly DayCounts[]
  /** Per model, parallel to `days`. */
  readonly cardPrecision: readonly (readonly (number | null)[])[]
  readonly seed: number
  readonly rounds?: number
}

export const bootstrapDaysMin = 5
export const bootstrapRounds = 300
export const bootstrapSeed = 1

type Drawn = Record<MeasureName, number | null>

export function drawIntervals(draw: Draw): ModelIntervals[] | null {
  const { days, cardPrecision, seed, rounds = bootstrapRounds } = draw
  if (days.length < bootstrapDaysMin) return null
  const next = createChance(seed)
  const models = cardPrecision.map((_, model) => model)
  const drawn: Drawn[][] = models.map(() => [])
  for (let round = 0; round < rounds; round++) {
    const weights = new Uint32Array(days.length)
    for (let i = 0; i < days.length; i++) weights[Math.floor(next() * days.length)]!++
    for (const model of models) {
      drawn[model]!.push(measureDraw(days, model, cardPrecision[model]!, weights))
    }
  }
  return models.map((model) => ({
    measures: toIntervals((name) => drawn[model]!.map((one) => one[name])),
    difference:
      model === 0
        ? null
        : toIntervals((name) =>
            drawn[model]!.map((one, i) => subtract(one[name], drawn[0]![i]![name])),
          ),
  }))
}

function measureDraw(
  days: readonly DayCounts[],
  model: number,
  cardPrecision: readonly (number | null)[],
  weights: Uint32Array,
): Drawn {
  const genuine = new Float64Array(scoreBins)
  const fraud = new Float64Array(scoreBins)
  let cardSum = 0
  let cardDays = 0
  days.forEach((day, i) => {
    const weight = weights[i]!
    if (weight === 0) return
    const dayGenuine = day.genuine[model]!
    const dayFraud = day.fraud[model]!
    for (let bin = 0; bin < scoreBins; bin++) {
      genuine[bin]! += weight * dayGenuine[bin]!
      fraud[bin]! += weight * dayFraud[bin]!
    }
    const precision = cardPrecision[i] ?? null
    if (precision === null) return
    cardSum += weight * precision
    cardDays += weight
  })
  const card = cardDays === 0 ? null : cardSum / cardDays
  return { ...measureBins({ genuine, fraud }), cardPrecisionAt100: card }
}

const subtract = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? null : a - b

const toIntervals = (valuesOf: (name: MeasureName) => (number | null)[]): Intervals => ({
  rocAuc: toInterval(valuesOf('rocAuc')),
  averagePrecision: toInterval(valuesOf('averagePrecision')),
  cardPrecisionAt100: toInterval(valuesOf('cardPrecisionAt100')),
})

/** From the 2.5th to the 97.5th percentile of the draws that could be measured, if most could. */
function toInterval(values: readonly (number | null)[]): Interval | null {
  const sorted = values.filter((value) => value !== null).sort((a, b) => a - b)
  if (sorted.length * 2 <= values.length) return null
  const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))]!
  return { from: at(0.025), to: at(0.975) }
}

/** mulberry32: numbers in [0, 1), the same on every machine. */
function createChance(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
