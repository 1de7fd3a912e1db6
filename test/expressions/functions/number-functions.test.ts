// Functions over numbers: edges where there is no result, and conversions.

import { expect, test } from 'vitest'
import { evaluate, faultOf, tell } from '../compile-for-tests.ts'

test.each([
  ['abs(-2.5)', 2.5],
  ['abs(0)', 0],
  ['floor(-1.5)', -2],
  ['ceil(1.2)', 2],
  ['round(2.5)', 3],
  ['round(-2.5)', -3],
  ['round(-0.2)', 0],
  ['round(1.234, 2)', 1.23],
  ['round(-1.235, 1)', -1.2],
  ['round(1e300, 3)', 1e300],
  ['round(1.5, 10)', null],
  ['round(1.5, 0.5)', null],
  ['round(1.5, -1)', null],
  ['sqrt(9)', 3],
  ['sqrt(-1)', null],
  ['exp(0)', 1],
  ['exp(1000)', null],
  ['log(exp(1))', 1],
  ['log(0)', null],
  ['log(-1)', null],
  ['log1p(0)', 0],
  ['log1p(-1)', null],
  ['log1p(1e-20)', 1e-20],
  ['pow(2, 10)', 1024],
  ['pow(2, -1)', 0.5],
  ['pow(0, -1)', null],
  ['pow(-1, 0.5)', null],
  ['min(3)', 3],
  ['min(3, 1, 2)', 1],
  ['max(3, 1, 2, 7)', 7],
  ['max(amount, usual)', 120],
  ['clamp(5, 1, 3)', 3],
  ['clamp(-5, 1, 3)', 1],
  ['clamp(2, 1, 3)', 2],
  ['clamp(2, 3, 1)', null],
  ['double("1.5e3")', 1500],
  ['double("-.5")', -0.5],
  ['double(" 1")', null],
  ['double("0x10")', null],
  ['double("")', null],
  ['double("1e999")', null],
  ['double(isNew)', 1],
  ['double(amount)', 120],
  ['int(1.9)', 1],
  ['int(-1.9)', -1],
  ['int("42")', 42],
  ['int("42.0")', null],
  ['int("9007199254740993")', null],
  ['int(isOpen)', 0],
  ['string(amount)', '120'],
  ['string(1.5)', '1.5'],
  ['string(isNew)', 'true'],
  ['string(-spread)', '0'],
  ['"mcc-" + string(amount)', 'mcc-120'],
])('number functions - %s is %j', (text, expected) => {
  expect(evaluate(text)).toBe(expected)
})

test.each([
  ['max() > 0', '1:1 found 0 values, expected max(...numbers: number): number'],
  ['max(1, country) > 0', '1:8 found a text, numbers of max is a number'],
  ['pow(2) > 0', '1:1 found 1 value, expected pow(base: number, exponent: number): number'],
])('number functions - refuse %s', (text, expected) => {
  expect(tell(faultOf(text))).toBe(expected)
})
