// A raw value as an amount of money in whole minor units.
//
//   major, EUR: 12.34 '12.34' '€12.34' {units: 12, nanos: 340000000} -> 1234
//   minor:      1234 '1234' -> 1234
//
// In: the field's type, once; a raw value and the currency's code. Out: a safe integer; null for
// nothing, empty text and NaN. Refused (undefined): digits behind the minor unit that are not zero,
// a currency that is not known or has no minor units, negative amounts where the field has none,
// everything beyond 2^53 - 1. Invariant: exact; no amount is rounded, and none is guessed.

import type { FieldType } from '../../core/input-mapping.ts'
import { ExactDecimal } from '../../core/raw-values.ts'
import { iso4217 } from '../iso-4217.ts'
import type { Convert } from './convert.ts'
import { readDecimal, toScale } from './exact-decimal.ts'
import { readAmount } from './money-text.ts'
import { convertInteger, isAbsentNumber } from './number.ts'
import { readUnitsAndNanos } from './units-and-nanos.ts'
import { toSafe } from './whole-number.ts'

type MoneyType = Extract<FieldType, { readonly kind: 'money' }>
type Minor = number | null | undefined

export function createMoneyConvert(type: MoneyType): Convert {
  const isRefused = (minor: Minor): boolean => !type.canBeNegative && Number(minor) < 0
  const convert = type.unit === 'minor' ? convertMinor : createMajorConvert(type.currency)
  return (raw, currency) => {
    const minor = convert(raw, currency)
    return isRefused(minor) ? undefined : minor
  }
}

/** Whole minor units as they are; decimals may stand there if all of them are zero. */
function convertMinor(raw: unknown): Minor {
  const minor = convertInteger(raw)
  if (minor !== undefined || typeof raw !== 'string') return minor
  const decimal = readDecimal(raw.trim())
  return decimal === null ? undefined : toSafe(toScale(decimal, 0))
}

type MajorConvert = (raw: unknown, currency?: string | null) => Minor

function createMajorConvert(currency: MoneyType['currency']): MajorConvert {
  if ('code' in currency) return (raw) => convertMajor(raw, currency.code)
  return convertMajor
}

const exponents: ReadonlyMap<unknown, number | null> = new Map(
  [...iso4217].map(([code, { exponent }]) => [code, exponent]),
)

function convertMajor(raw: unknown, code: string | null | undefined): Minor {
  if (raw === null || raw === undefined) return null
  if (typeof raw === 'string' && isAbsentNumber(raw)) return null
  if (typeof raw === 'number' && Number.isNaN(raw)) return null
  const exponent = exponents.get(code)
  if (exponent === undefined || exponent === null) return undefined
  if (typeof raw === 'number') return scaleDouble(raw, exponent)
  if (typeof raw === 'string') return readAmount(raw, exponent, code!)
  const decimal = decimalOf(raw, code!)
  return decimal === null ? undefined : toSafe(toScale(decimal, exponent))
}

function decimalOf(raw: unknown, code: string): ExactDecimal | null {
  if (raw instanceof ExactDecimal) return raw
  if (typeof raw === 'bigint') return new ExactDecimal(raw, 0)
  return typeof raw === 'object' && raw !== null ? readUnitsAndNanos(raw, code) : null
}

/**
 * A double is the decimal number that it is written as, its shortest one. Of 15 digits or fewer no
 * two fall on one double: if these minor units do, they are meant.
 */
function scaleDouble(major: number, exponent: number): number | undefined {
  const unit = 10 ** exponent
  const minor = Math.round(major * unit) + 0
  if (Math.abs(minor) < 1e15) return minor / unit === major ? minor : undefined
  const decimal = readDecimal(String(major))
  return decimal === null ? undefined : toSafe(toScale(decimal, exponent))
}
