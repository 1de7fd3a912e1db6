// A raw value as a number: a whole one, or any.
//
// In: a raw value. Out: a number; null for nothing, empty text and NaN. Refused (undefined): text
// in other forms than plain or with an exponent (hexadecimal, thousands separators, Infinity),
// booleans, lists, objects; of whole numbers those with a fraction or beyond what a double holds
// exactly. Invariant: a whole number has the digits that were sent.

import { ExactDecimal } from '../../core/raw-values.ts'
import { toDouble, toScale } from './exact-decimal.ts'
import { readDigits, toSafe } from './whole-number.ts'

const digitsOnly = /^[+-]?\d+$/
const decimalForm = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/

/** Empty text, blanks, and NaN as Python and Java write it. */
export const isAbsentNumber = (text: string): boolean => {
  const trimmed = text.trim()
  return trimmed === '' || trimmed === 'NaN' || trimmed === 'nan'
}

export function convertInteger(raw: unknown): number | null | undefined {
  if (typeof raw === 'number') {
    if (Number.isSafeInteger(raw)) return raw + 0
    return Number.isNaN(raw) ? null : undefined
  }
  if (typeof raw === 'string') {
    const value = readDigits(raw)
    return Number.isNaN(value) ? readLongInteger(raw) : value
  }
  if (raw === null || raw === undefined) return null
  if (typeof raw === 'bigint') return toSafe(raw)
  return raw instanceof ExactDecimal ? toSafe(toScale(raw, 0)) : undefined
}

function readLongInteger(text: string): number | null | undefined {
  if (isAbsentNumber(text)) return null
  const trimmed = text.trim()
  if (!digitsOnly.test(trimmed)) return undefined
  // What is rounded here has become 2^53 or more, which is not safe.
  const value = Number(trimmed)
  return Number.isSafeInteger(value) ? value + 0 : undefined
}

export function convertNumber(raw: unknown): number | null | undefined {
  if (typeof raw === 'number') return Number.isNaN(raw) ? null : finite(raw)
  if (typeof raw === 'string') {
    const value = readDigits(raw)
    return Number.isNaN(value) ? readDouble(raw) : value
  }
  if (raw === null || raw === undefined) return null
  if (typeof raw === 'bigint') return finite(Number(raw))
  return raw instanceof ExactDecimal ? finite(toDouble(raw)) : undefined
}

function readDouble(text: string): number | null | undefined {
  if (isAbsentNumber(text)) return null
  const trimmed = text.trim()
  return decimalForm.test(trimmed) ? finite(Number(trimmed)) : undefined
}

/** Adding 0 makes -0 the 0 that it equals. */
const finite = (value: number): number | undefined =>
  Number.isFinite(value) ? value + 0 : undefined
