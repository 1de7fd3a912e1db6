// Functions over texts: case without a locale, characters that are never cut, tests that are false.

import { expect, test } from 'vitest'
import { hashToShare } from '../../../services/core/hash.ts'
import { evaluate, faultOf, tell } from '../compile-for-tests.ts'

test.each([
  ['lower("ÄB I")', 'äb i'],
  ['upper("straße")', 'STRASSE'],
  ['"AbC".lower()', 'abc'],
  ['trim("\\t a b \\n")', 'a b'],
  ['trim("  ")', null],
  ['size("")', 0],
  ['size("héllo")', 5],
  ['size("\\U0001F600a")', 2],
  ['"abc".size()', 3],
  ['prefix("411111", 4)', '4111'],
  ['prefix("41", 4)', '41'],
  ['prefix("41", 0)', null],
  ['prefix("41", -1)', null],
  ['prefix("4111", 2.9)', '41'],
  ['prefix("\\U0001F600abc", 2) == "\\U0001F600a"', true],
  ['prefix("abc", 1e300)', 'abc'],
  ['suffix("411111", 2)', '11'],
  ['suffix("41", 4)', '41'],
  ['suffix("41", 0)', null],
  ['suffix("41", -3)', null],
  ['suffix("ab\\U0001F600", 1) == "\\U0001F600"', true],
  ['digits("+49 (30) 12-٣")', '493012'],
  ['digits("none")', null],
  ['size(digits("none"))', 0],
  ['startsWith("abc", "ab")', true],
  ['"abc".startsWith("")', true],
  ['"abc".startsWith("abcd")', false],
  ['"abc".endsWith("bc")', true],
  ['"abc".contains("b")', true],
  ['"abc".contains("B")', false],
])('text functions - %s is %j', (text, expected) => {
  expect(evaluate(text)).toBe(expected)
})

test('text functions - hash is the share of core, in [0, 1)', () => {
  expect(evaluate('hash("customer-1")')).toBe(hashToShare('customer-1'))
  expect(evaluate('hash("") >= 0 && hash("") < 1')).toBe(true)
})

test.each([
  ['lower(amount) == "a"', '1:7 found a number, text of lower is a text'],
  ['prefix(country) == "a"', '1:1 found 1 value, expected prefix(text: text, count: number): text'],
  ['country.lower("x") == "a"', '1:9 found 2 values, expected lower(text: text): text'],
  ['country.startsWith(null)', '1:20 startsWith takes no null; compare with == null or != null'],
])('text functions - refuse %s', (text, expected) => {
  expect(tell(faultOf(text))).toBe(expected)
})
