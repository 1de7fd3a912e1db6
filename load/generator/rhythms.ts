/**
 * When people shop: the weights of the hours of the day and the days of the week, as data.
 *
 * In: a rhythm and a draw. Out: a time of day in ms; the factor of a weekday.
 * Invariant: the weekday factors of a rhythm average 1, so that transactions per day stay what the
 * options say over a whole week.
 */
import { dayMs } from './options.ts'
import type { RandomStream } from './random.ts'

export interface Rhythm {
  readonly name: string
  /** From Sunday. */
  readonly weekdayFactors: readonly number[]
  /** An hour per slot, each hour as often as its weight: one look-up draws an hour. */
  readonly hourSlots: Uint8Array
}

/** 24 weights from midnight, seven from Sunday. */
const shapes = [
  {
    name: 'office',
    hours: [1, 0, 0, 0, 0, 1, 4, 9, 10, 5, 5, 8, 16, 14, 6, 5, 7, 14, 18, 14, 9, 6, 3, 2],
    weekdays: [0.7, 1, 1, 1, 1, 1.1, 1.4],
  },
  {
    name: 'home',
    hours: [1, 1, 0, 0, 0, 1, 2, 4, 9, 14, 16, 14, 10, 9, 12, 14, 13, 10, 8, 6, 4, 3, 2, 1],
    weekdays: [0.6, 1.1, 1, 1, 1.1, 1.2, 1],
  },
  {
    name: 'evening',
    hours: [8, 6, 4, 2, 1, 1, 1, 1, 2, 3, 4, 6, 9, 8, 6, 6, 7, 9, 12, 15, 16, 15, 13, 11],
    weekdays: [1, 0.7, 0.7, 0.8, 1, 1.4, 1.5],
  },
] as const

const slotCount = 4_096
const hourMs = 3_600_000

export const rhythms: readonly Rhythm[] = shapes.map((shape) => ({
  name: shape.name,
  weekdayFactors: averagingOne(shape.weekdays),
  hourSlots: fillSlots(shape.hours),
}))

export function drawTimeOfDay(rhythm: Rhythm, random: RandomStream): number {
  const hour = rhythm.hourSlots[Math.floor(random.uniform() * slotCount)]!
  return hour * hourMs + Math.floor(random.uniform() * hourMs)
}

/** Day 0, the first of January 1970, was a Thursday. */
export function weekdayFactor(rhythm: Rhythm, day: number): number {
  return rhythm.weekdayFactors[(((day + 4) % 7) + 7) % 7]!
}

export function dayOf(timeMs: number): number {
  return Math.floor(timeMs / dayMs)
}

function averagingOne(weights: readonly number[]): number[] {
  const mean = sum(weights) / weights.length
  return weights.map((weight) => weight / mean)
}

function fillSlots(weights: readonly number[]): Uint8Array {
  const slots = new Uint8Array(slotCount)
  const total = sum(weights)
  let reached = 0
  let from = 0
  for (const [hour, weight] of weights.entries()) {
    reached += weight
    const to = Math.round((reached / total) * slotCount)
    slots.fill(hour, from, to)
    from = to
  }
  return slots
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
