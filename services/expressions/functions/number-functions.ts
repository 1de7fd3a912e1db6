// Functions over numbers, and from one type to another.
//
// In: finite doubles. Out: doubles; one that is not finite (the logarithm of zero, the root of -1,
// an overflow) is absent. Refused: nothing. Invariants: `round` goes away from zero at a half, as
// CEL's does; a text is a number only where all of it is one in decimal.

import type { FieldValue } from '../../core/input-mapping.ts'
import type { ExpressionFunction } from './expression-function.ts'

type Computation = (...numbers: number[]) => number

function numeric(
  name: string,
  parameters: ExpressionFunction['parameters'],
  sentence: string,
  apply: Computation,
): ExpressionFunction {
  return { name, parameters, result: 'number', sentence, apply }
}

const one = { number: 'number' } as const

export const numberFunctions: readonly ExpressionFunction[] = [
  numeric('abs', one, 'The number without its sign.', Math.abs),
  numeric('floor', one, 'The next whole number below.', Math.floor),
  numeric('ceil', one, 'The next whole number above.', Math.ceil),
  numeric(
    'round',
    { number: 'number', digits: 'number?' },
    'The nearest number with so many decimals (0 to 9, 0 unless said); a half goes away from zero.',
    (number, digits = 0) => round(number!, digits),
  ),
  numeric('sqrt', one, 'The square root.', Math.sqrt),
  numeric('exp', one, 'e to the power of the number.', Math.exp),
  numeric('log', one, 'The natural logarithm.', Math.log),
  numeric('log1p', one, 'The natural logarithm of 1 + number, exact for small ones.', Math.log1p),
  numeric(
    'pow',
    { base: 'number', exponent: 'number' },
    'A power.',
    (base, exponent) => base! ** exponent!,
  ),
  numeric('min', { numbers: 'number...' }, 'The smallest of all.', Math.min),
  numeric('max', { numbers: 'number...' }, 'The largest of all.', Math.max),
  numeric(
    'clamp',
    { number: 'number', low: 'number', high: 'number' },
    'The number, but at least `low` and at most `high`.',
    (number, low, high) => (low! > high! ? Number.NaN : Math.min(Math.max(number!, low!), high!)),
  ),
  {
    name: 'double',
    parameters: { value: 'any' },
    result: 'number',
    sentence: 'A text as a number; a flag as 1 or 0.',
    apply: readDouble,
  },
  {
    name: 'int',
    parameters: { value: 'any' },
    result: 'number',
    sentence: 'A number without its decimals; a text as a whole number; a flag as 1 or 0.',
    apply: readInteger,
  },
  {
    name: 'string',
    parameters: { value: 'any' },
    result: 'text',
    sentence: 'A number or a flag as text.',
    apply: (value: string | number | boolean) => String(value),
  },
]

function round(number: number, digits: number): number {
  if (!Number.isInteger(digits) || digits < 0 || digits > 9) return Number.NaN
  const scale = 10 ** digits
  const scaled = Math.abs(number) * scale
  // Beyond this there are no decimals left to round.
  if (scaled >= Number.MAX_SAFE_INTEGER) return number
  return (Math.sign(number) * Math.round(scaled)) / scale
}

function readDouble(value: string | number | boolean): FieldValue {
  if (typeof value !== 'string') return Number(value)
  return /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/.test(value) ? Number(value) : null
}

function readInteger(value: string | number | boolean): FieldValue {
  if (typeof value !== 'string') return Math.trunc(Number(value))
  const number = /^[+-]?\d+$/.test(value) ? Number(value) : Number.NaN
  return Number.isSafeInteger(number) ? number : null
}
