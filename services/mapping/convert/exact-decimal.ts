// A decimal number with all its digits, as Avro and Parquet write it.
//
//   unscaled 1234, scale 2 = 12.34
//
// In: digits and a scale, or text in plain or exponent form. Out: the same number of whole
// 10^-scale units, exact or rounded down. Refused (null): what has digits behind that scale, text
// of another form, more digits than any amount has. Invariant: no digit is ever lost in silence.

import { ExactDecimal } from '../../core/raw-values.ts'

/** Beyond these nobody's numbers are, and the work per digit would be the sender's choice. */
const textLengthMax = 100
const shiftMax = 400

const form = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?$/

/** @returns null where the text is no decimal number. */
export function readDecimal(text: string): ExactDecimal | null {
  const match = text.length > textLengthMax ? null : form.exec(text)
  if (match === null) return null
  const [, sign, whole = '', fraction = '', exponent = '0'] = match
  if (whole === '' && fraction === '') return null
  const digits = BigInt(whole + fraction)
  return new ExactDecimal(sign === '-' ? -digits : digits, fraction.length - Number(exponent))
}

/** The number as whole 10^-scale units; null where that would cut digits off. */
export function toScale({ unscaled, scale: from }: ExactDecimal, scale: number): bigint | null {
  if (unscaled === 0n) return 0n
  const shift = scale - from
  if (Math.abs(shift) > shiftMax) return null
  if (shift >= 0) return unscaled * 10n ** BigInt(shift)
  const divisor = 10n ** BigInt(-shift)
  return unscaled % divisor === 0n ? unscaled / divisor : null
}

/** As `toScale`, but finer digits are rounded down, below zero too. */
export function floorToScale(decimal: ExactDecimal, scale: number): bigint | null {
  const { unscaled, scale: from } = decimal
  if (from <= scale) return toScale(decimal, scale)
  if (from - scale > shiftMax) return null
  return floorDivide(unscaled, 10n ** BigInt(from - scale))
}

function floorDivide(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor
  return value < 0n && value % divisor !== 0n ? quotient - 1n : quotient
}

/** The nearest double. */
export const toDouble = ({ unscaled, scale }: ExactDecimal): number =>
  Number(`${unscaled}e${-scale}`)
