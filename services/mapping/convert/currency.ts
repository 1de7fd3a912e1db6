// A raw value as the alphabetic ISO 4217 code, in capitals.
//
//   'eur', 'EUR', '978', 978 -> 'EUR'     '036', '36', 36 -> 'AUD'
//
// In: a raw value. Out: the code; null for nothing, blank text and NaN. Refused (undefined): every
// code and number that the list does not have, and names or signs of currencies.

import { ExactDecimal } from '../../core/raw-values.ts'
import { iso4217 } from '../iso-4217.ts'
import { toScale } from './exact-decimal.ts'

const letters = /^[A-Za-z]{3}$/
const digits = /^\d{1,3}$/

/** By everything that is found at once: codes in either case, three digits, and numbers. */
const codes = new Map<unknown, string>(
  [...iso4217].flatMap(([code, { numeric }]): [unknown, string][] => [
    [code, code],
    [code.toLowerCase(), code],
    [numeric, code],
    [Number(numeric), code],
  ]),
)

export function convertCurrency(raw: unknown): string | null | undefined {
  const code = codes.get(raw)
  if (code !== undefined) return code
  if (raw === null || raw === undefined) return null
  if (typeof raw === 'string') return readCode(raw.trim())
  if (typeof raw === 'number') return Number.isNaN(raw) ? null : undefined
  if (typeof raw === 'bigint') return codes.get(Number(raw))
  if (!(raw instanceof ExactDecimal)) return undefined
  const whole = toScale(raw, 0)
  return whole === null ? undefined : codes.get(Number(whole))
}

function readCode(text: string): string | null | undefined {
  if (text === '') return null
  if (letters.test(text)) return codes.get(text.toUpperCase())
  return digits.test(text) ? codes.get(text.padStart(3, '0')) : undefined
}
