// A count of seconds, ms, us or ns since 1970 as ms.
//
// In: the unit, once; a number, bigint, decimal, or text of digits. Out: ms, finer digits rounded
// down, before 1970 too. Refused (undefined): other text, infinity, and what no calendar reaches.
// Whether the time is plausible is judged elsewhere. Invariant: a double is the decimal number that
// it is written as: 1704110400.123 s is 123 ms, though the double lies a little below.

import type { TimeUnit } from '../../../core/input-mapping.ts'
import { ExactDecimal } from '../../../core/raw-values.ts'
import { floorToScale, readDecimal } from '../exact-decimal.ts'
import { readDigits } from '../whole-number.ts'

/** How many digits of the unit stand behind or before those of a ms. */
const decimalsOf: Readonly<Record<TimeUnit, number>> = { s: 3, ms: 0, us: -3, ns: -6 }

/** The furthest instant that a Date has. */
const reachMs = 8.64e15

export type ReadEpoch = (raw: unknown) => number | undefined

export function createEpochReader(unit: TimeUnit): ReadEpoch {
  const decimals = decimalsOf[unit]
  const scale = decimals === 3 ? multiply : createDivision(10 ** -decimals)
  return (raw) => {
    if (typeof raw === 'number') return within(scale(raw))
    if (typeof raw === 'string') {
      const digits = readDigits(raw)
      if (!Number.isNaN(digits)) return within(scale(digits))
    }
    const decimal = decimalOf(raw)
    const ms = decimal === null ? null : floorToScale(decimal, decimals)
    return ms === null ? undefined : within(Number(ms))
  }
}

const multiply = (seconds: number): number => {
  const ms = Math.round(seconds * 1000)
  return ms / 1000 === seconds ? ms : Math.floor(seconds * 1000)
}

/** @param perMs units in a ms. */
function createDivision(perMs: number): (count: number) => number {
  if (perMs === 1) return Math.floor
  return (count) => {
    const ms = Math.round(count / perMs)
    return ms * perMs === count ? ms : Math.floor(count / perMs)
  }
}

function decimalOf(raw: unknown): ExactDecimal | null {
  if (typeof raw === 'bigint') return new ExactDecimal(raw, 0)
  if (typeof raw === 'string') return readDecimal(raw.trim())
  return raw instanceof ExactDecimal ? raw : null
}

/** Adding 0 makes -0 the 0 that it equals. */
export const within = (ms: number): number | undefined =>
  Math.abs(ms) <= reachMs ? ms + 0 : undefined
