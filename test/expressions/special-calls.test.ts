// has, coalesce and lookup: the types that follow from arguments, and tables.

import { expect, test } from 'vitest'
import { evaluate, faultOf, tell } from './compile-for-tests.ts'

test.each([
  ['has(country)', true],
  ['has(spread)', true],
  ['has(constructor)', false],
  ['coalesce(country)', 'DE'],
  ['coalesce(null, usual, 1)', 40.5],
  ['coalesce(1 / 0, 3)', 3],
  ['coalesce(isOpen, true)', false],
  ['lookup("region", country)', 'europe'],
  ['lookup("region", "FR")', null],
  ['lookup("region", "FR", "other")', 'other'],
  ['lookup("region", "FR", country)', 'DE'],
  ['lookup("region", "FR", null)', null],
  ['lookup("risk", "7995") + 0.1', 1],
  ['lookup("risk", 7995)', 0.9],
  ['lookup("risk", amount, -1)', -1],
  ['lookup("ri" + "sk", "5411")', 0.1],
  ['lookup("empty", country, "x")', 'x'],
  ['lookup("region", "constructor", "x")', 'x'],
])('special calls - %s is %j', (text, expected) => {
  expect(evaluate(text)).toBe(expected)
})

test.each([
  ['has() && true', '1:1 has takes one value, found 0'],
  ['coalesce(amount, country) == "a"', '1:18 found a text beside a number'],
  ['coalesce(null) == "a"', '1:1 every value is null'],
  ['lookup("regoin", country) == "a"', '1:8 no table is named regoin; did you mean region?'],
  ['lookup(country, country) == "a"', '1:8 expected the name of a table, written as "name"'],
  ['lookup("mixed", country) == "a"', '1:8 the table mixes texts and numbers'],
  ['lookup("empty", country) == "a"', '1:8 the table is empty; give a default'],
  ['lookup("risk", country, "a") == 1', '1:25 found a text, the table has a number'],
  ['lookup("risk", null) == 1', '1:16 null is no key'],
  ['lookup("risk") == 1', '1:1 lookup takes 2 to 3 values, found 1'],
  ['lookup("risk", country) == "a"', '1:28 a number never equals a text'],
])('special calls - refuse %s', (text, expected) => {
  expect(tell(faultOf(text))).toBe(expected)
})
