// A raw value as text.
//
// In: a raw value. Out: text as it is; the digits of a whole number; null for empty or blank text
// and NaN. Refused (undefined): numbers whose digits are lost already (beyond 2^53 - 1) or that are
// not whole, lists, objects, bytes, times. Invariant: an id has the same digits whichever way it
// came: as text, as a number, as a decimal.

import { ExactDecimal } from '../../core/raw-values.ts'
import { toScale } from './exact-decimal.ts'

export function convertText(raw: unknown): string | null | undefined {
  if (typeof raw === 'string') return raw.trim() === '' ? null : raw
  if (typeof raw === 'number') {
    if (Number.isSafeInteger(raw)) return String(raw)
    return Number.isNaN(raw) ? null : undefined
  }
  if (raw === null || raw === undefined) return null
  if (typeof raw === 'bigint' || typeof raw === 'boolean') return String(raw)
  if (raw instanceof ExactDecimal) return toScale(raw, 0)?.toString()
  return undefined
}
