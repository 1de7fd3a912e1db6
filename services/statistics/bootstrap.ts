// How sure are the measures? Intervals by drawing days, or customers, with replacement.
//
// In: a number of units and, per model, what a draw of them measures; a seed. Out: per model the 95
// % interval of each measure, and of its difference to the champion. Units are drawn whole, because
// the events of one day (a wave of fraud) or of one customer (a stolen card) are not independent;
// each draw is the same for all models, so a difference is of pairs. Too few units say nothing:
// null. The same input and seed give the same numbers. Nothing is refused.

export const measureNames = [
  'averagePrecision',
  'rocAuc',
  'cardPrecisionAt100',
  'recallAtReview',
  'recallAtBlock',
  'costMinor',
] as const
export type MeasureName = (typeof measureNames)[number]
export type Measures = Readonly<Record<MeasureName, number | null>>

export type Interval = { readonly from: number; readonly to: number }
export type Intervals = Readonly<Record<MeasureName, Interval | null>>

export type ModelIntervals = {
  readonly measures: Intervals
  /** This model minus the champion; null for the champion itself. */
  readonly difference: Intervals | null
}

/** What a model measures where unit i occurs weights[i] times. */
export type Sample = (weights: Uint32Array) => Measures

type Draw = {
  readonly units: number
  readonly unitsMin: number
  /** One per model, champion first. */
  readonly samples: readonly Sample[]
  readonly seed: number
  readonly rounds?: number
}

export const daysMin = 5
export const customersMin = 30
const bootstrapRounds = 300
export const bootstrapSeed = 1

export function drawIntervals(draw: Draw): ModelIntervals[] | null {
  const { units, unitsMin, samples, seed, rounds = bootstrapRounds } = draw
  if (units < unitsMin) return null
  const next = createChance(seed)
  const drawn: Measures[][] = samples.map(() => [])
  for (let round = 0; round < rounds; round++) {
    const weights = new Uint32Array(units)
    for (let i = 0; i < units; i++) weights[Math.floor(next() * units)]!++
    for (const [model, sample] of samples.entries()) drawn[model]!.push(sample(weights))
  }
  return drawn.map((own, model) => ({
    measures: toIntervals((name) => own.map((one) => one[name])),
    difference:
      model === 0
        ? null
        : toIntervals((name) => own.map((one, i) => subtract(one[name], drawn[0]![i]![name]))),
  }))
}

const subtract = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? null : a - b

const toIntervals = (valuesOf: (name: MeasureName) => (number | null)[]): Intervals =>
  Object.fromEntries(measureNames.map((name) => [name, toInterval(valuesOf(name))])) as Intervals

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
