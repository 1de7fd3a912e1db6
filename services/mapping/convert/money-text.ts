// An amount that is written for people, as whole minor units.
//
//   12.34   -12.34   12.34-   (12.34)   $1,234.56   USD 12.34   12,34 €   1.2E+3
//
// In: text, the currency's exponent and code. Out: a safe integer. Refused (undefined): more than
// one sign, commas elsewhere than between thousands, a decimal comma that could be something else
// (1.234,56), other separators, digits behind the minor unit that are not zero, the code or the
// sign of another currency. Invariant: what can be read in two ways is not read.

import { iso4217 } from '../iso-4217.ts'
import { readDecimal, toScale } from './exact-decimal.ts'
import { toSafe } from './whole-number.ts'

const zero = 48
const minus = 45
const dot = 46

export function readAmount(text: string, exponent: number, code: string): number | undefined {
  const simple = readSimple(text, exponent)
  if (!Number.isNaN(simple)) return Number.isSafeInteger(simple) ? simple : undefined
  const number = plainNumberOf(text, code)
  const decimal = number === null ? null : readDecimal(number)
  return decimal === null ? undefined : toSafe(toScale(decimal, exponent))
}

/** Up to 15 digits with a dot or without, and a minus; NaN for all other text. */
function readSimple(text: string, exponent: number): number {
  const length = text.length
  const start = text.charCodeAt(0) === minus ? 1 : 0
  if (length - start > 16) return Number.NaN
  let value = 0
  let dotAt = length
  for (let i = start; i < length; i++) {
    const digit = text.charCodeAt(i) - zero
    if (digit >= 0 && digit <= 9) value = value * 10 + digit
    else if (digit === dot - zero && dotAt === length && i > start) dotAt = i
    else return Number.NaN
  }
  const missing = exponent - Math.max(0, length - dotAt - 1)
  const digitCount = length - start - (dotAt < length ? 1 : 0)
  if (missing < 0 || digitCount === 0 || digitCount > 15) return Number.NaN
  const minor = value * 10 ** missing
  return start === 1 ? 0 - minor : minor
}

/** Something before and behind the number; a sign may stand on either side of what is before. */
const amountForm =
  /^([-+\u2212]?)\s*([^\d\s().,+\u2212-]*)\s*([-+\u2212]?)\s*([\d.,]+(?:[eE][-+]?\d{1,3})?)\s*([^\d\s().,+\u2212-]*)\s*([-+\u2212]?)$/u
const inParentheses = /^([^\d\s().,+-]*)\s*\(([^()]*)\)\s*([^\d\s().,+-]*)$/u

/** The number as `readDecimal` takes it; null where the text is no amount of this currency. */
function plainNumberOf(text: string, code: string): string | null {
  const trimmed = text.length > 100 ? '' : text.trim()
  const enclosed = inParentheses.exec(trimmed)
  const match = amountForm.exec(enclosed === null ? trimmed : enclosed[2]!.trim())
  if (match === null) return null
  const [, first = '', before = '', second = '', number = '', behind = '', last = ''] = match
  const sign = first + second + last
  const marks = [enclosed?.[1] ?? '', before, behind, enclosed?.[3] ?? '']
  if (sign.length > 1 || !marks.every((mark) => isOfCurrency(mark, code))) return null
  if (enclosed !== null && sign !== '') return null
  const plain = withoutSeparators(number)
  return plain !== null && (enclosed !== null || (sign !== '' && sign !== '+'))
    ? `-${plain}`
    : plain
}

const plainForm = /^(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/
const thousandsForm = /^[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?$/
const decimalCommaForm = /^\d+,\d{1,2}$/

function withoutSeparators(number: string): string | null {
  if (plainForm.test(number)) return number
  if (thousandsForm.test(number)) return number.replaceAll(',', '')
  return decimalCommaForm.test(number) ? number.replace(',', '.') : null
}

/** Signs that many currencies share are believed, with letters before them too, as in `US$`. */
const sharedSign = /^[A-Za-z]{0,3}\p{Sc}$/u
const ownSigns: Readonly<Record<string, string>> = {
  '€': 'EUR',
  '₹': 'INR',
  '₩': 'KRW',
  '₽': 'RUB',
  '₺': 'TRY',
  '₪': 'ILS',
  '₫': 'VND',
  '₴': 'UAH',
  '₦': 'NGN',
}

function isOfCurrency(mark: string, code: string): boolean {
  if (mark === '') return true
  const named = ownSigns[mark] ?? mark.toUpperCase()
  if (iso4217.has(named)) return named === code
  return sharedSign.test(mark)
}
