// Expressions: what CEL says, what absent values and mixed numbers do, and how faults are told.

import { expect, test } from 'vitest'
import {
  compileExpression,
  isExpressionFault,
} from '../../services/expressions/compile-expression.ts'
import { evaluate, event, faultOf, fields, tell } from './compile-for-tests.ts'

const absent = { amount: null, usual: null, spread: null, country: null, isNew: null, email: null }

test.each([
  // Literals, as CEL writes them.
  ['0x1F', 31],
  ['1e3', 1000],
  ['.5 == 0.5 || true', 'fault'],
  ['"it\'s"', "it's"],
  ['\'a\' + "b"', 'ab'],
  ['"\\u00e9\\x41\\101\\n" == "éAA\\n"', true],
  ['r"\\n" == "\\\\n"', true],
  ['"""a\nb""" == "a\\nb"', true],
  ['true // what stands behind is not read', true],
  // Numbers of all kinds together.
  ['amount > 100', true],
  ['amount > 100.5', true],
  ['amount == 120', true],
  ['amount == 120.0', true],
  ['1 == 1.0', true],
  ['usual == 40.5', true],
  ['7 / 2', 3.5],
  ['amount / 100', 1.2],
  ['7 % 4', 3],
  ['-7 % 4', -3],
  ['2 + 3 * 4', 14],
  ['(2 + 3) * 4', 20],
  ['10 - 2 - 3', 5],
  ['- -3', 3],
  ['(amount - usual) / max(spread, 1)', 79.5],
  ['0 * -1', 0],
  // What has no result is absent.
  ['1 / 0', null],
  ['amount / spread', null],
  ['7 % 0', null],
  ['1e308 * 10', null],
  ['amount / spread > 3', false],
  ['amount / spread == null', true],
  ['""', null],
  // Logic: decided by either side.
  ['true || 1 / 0 > 0', true],
  ['1 / 0 > 0 || true', true],
  ['!isNew', false],
  ['!!isNew', true],
  ['isNew && !isOpen', true],
  ['isOpen || isNew && isOpen', false],
  ['isNew ? "new" : "old"', 'new'],
  ['isOpen ? 1 : isNew ? 2 : 3', 2],
  ['isNew == true', true],
  ['false < true', true],
  // Texts.
  ['"a" < "b" && "B" < "a" && "a" < "aa"', true],
  ['"\\U0001F600" > "\\uFFFD"', true],
  ['country in ["DE", "FR"]', true],
  ['country in []', false],
  ['amount in [1, 120.0]', true],
  ['country in [email, "DE"]', true],
  ['!(country in ["FR"])', true],
  ['country.startsWith("D") && startsWith(country, "D")', true],
  ['device.ip.endsWith(".77")', true],
  ['country != null && has(country)', true],
  ['has(device.ip)', true],
  ['constructor == null', true],
])('compile expression - %s is %j', (text, expected) => {
  if (expected === 'fault') expect(faultOf(text).message).not.toBe('')
  else expect(evaluate(text)).toBe(expected)
})

test.each([
  ['amount > 100', false],
  ['amount <= 100', false],
  ['amount > usual', false],
  ['!(amount > 100)', true],
  ['amount == 100', false],
  ['amount != 100', true],
  ['amount == null', true],
  ['amount != null', false],
  ['null == null', true],
  ['has(amount)', false],
  ['amount == usual', true],
  ['amount + 1', null],
  ['-amount', null],
  ['country + "x"', null],
  ['country in ["DE"]', false],
  ['country in [email]', false],
  ['country.startsWith("D")', false],
  ['lower(country)', null],
  ['max(amount, 1)', null],
  ['isNew', null],
  ['!isNew', null],
  ['isNew && false', false],
  ['false && isNew', false],
  ['isNew && true', null],
  ['isNew || true', true],
  ['isNew || false', null],
  ['isNew ? 1 : 2', null],
  ['true ? null : 2', null],
  ['coalesce(amount, usual, 7)', 7],
  ['coalesce(amount, usual)', null],
  ['coalesce(country, "??") == "??"', true],
  ['lookup("region", country, "none")', 'none'],
])('compile expression - where all is absent, %s is %j', (text, expected) => {
  expect(evaluate(text, absent)).toBe(expected)
  expect(evaluate(text, {})).toBe(expected)
})

test('compile expression - a value of another type than its field has is absent', () => {
  const wrong = { amount: '120', usual: Number.NaN, country: 7, isNew: 1 } as never
  expect(evaluate('has(amount) || has(usual) || has(country) || has(isNew)', wrong)).toBe(false)
})

test('compile expression - tells the fields it reads, each once, in their order', () => {
  const result = compileExpression(
    'country == "DE" && (amount > 1 || device.ip == "x" || amount < 0)',
    fields,
    'flag',
  )
  expect(result).toMatchObject({ type: 'flag', fields: ['country', 'amount', 'device.ip'] })
})

test.each([
  ['amuont > 100', '1:1 no field is named amuont; did you mean amount?'],
  ['amount > 1 &&\n  contry == "DE"', '2:3 no field is named contry; did you mean country?'],
  ['qqqqqqqq', '1:1 no field is named qqqqqqqq'],
  ['country.code == "DE"', '1:1 country has no parts'],
  ['"a".b == "c"', '1:5 a value has no parts'],
  ['lower == "a"', '1:1 lower is a function; write lower(...)'],
  ['lowr(country) == "de"', '1:1 no function is named lowr; did you mean lower?'],
  ['country\n  .lowr() == "de"', '2:4 no function is named lowr; did you mean lower?'],
  [
    'country.matches("D.*")',
    '1:9 no function is named matches: there are no regular expressions; use startsWith, ' +
      'endsWith or contains',
  ],
  ['[1, 2].exists(x, x > 1)', '1:8 no function is named exists: an event has no lists of values'],
  ['amount > "100"', '1:10 a number is compared with a text'],
  ['country == 5', '1:12 a text never equals a number'],
  ['country in ["DE", 5]', '1:19 found a number in a list for a text'],
  ['country in "DE"', "1:12 expected a list behind 'in', such as [1, 2]"],
  ['["a"] == ["a"]', "1:1 a list stands only behind 'in'"],
  ['{"a": 1} == {"a": 1}', '1:1 there are no maps here; lookup("table", key) reads a table'],
  ['country + 1 == "DE1"', '1:11 found a number beside a text; string(...) makes it one'],
  ['country - 1 > 0', "1:1 found a text, '-' takes a number"],
  ['-country > 0', "1:2 found a text, '-' takes a number"],
  ['!amount', "1:2 found a number, '!' takes a flag"],
  ['isNew && amount', "1:10 found a number, '&&' takes a flag"],
  ['amount ? isNew : isOpen', "1:1 found a number, the condition of '?' takes a flag"],
  ['isNew ? isOpen : 1', "1:18 found a number, the other branch of '?' gives a flag"],
  ['amount > null', "1:10 '>' takes no null; compare with == null or != null"],
  ['null + 1 > 0', "1:1 found null, '+' takes a number"],
  ['amount', '1:1 the expression gives a number, expected a flag'],
  ['null', '1:1 the expression gives null, expected a flag'],
  ['amount = 1', "1:8 found an unexpected '='; write == to compare"],
  ['isNew and isOpen', '1:7 found an unexpected \'and\'; write && for "and"'],
  ['isNew & isOpen', '1:7 found an unexpected \'&\'; write && for "and"'],
  ['(isNew', "1:7 the expression ends where ')' is expected"],
  ['isNew &&', '1:9 the expression ends where a value is expected'],
  ['isNew && * 2', "1:10 found '*' where a value is expected"],
  ['country == "DE', '1:12 unterminated string'],
  ['if', "1:1 'if' is a reserved word of CEL"],
  ['', '1:1 the expression is empty'],
  [' \n ', '1:1 the expression is empty'],
  ['1u == 1', '1:1 bytes and unsigned numbers are not known here; write "a" and 1'],
  ['b"a" == b"a"', '1:1 bytes and unsigned numbers are not known here; write "a" and 1'],
  [
    'amount == 9007199254740993',
    '1:11 a whole number this large is not exact; write it with a point',
  ],
])('compile expression - refuses %j: %s', (text, expected) => {
  expect(tell(faultOf(text))).toBe(expected)
})

test('compile expression - refuses what is too long, too deep or too much', () => {
  expect(tell(faultOf(`isNew${' '.repeat(1996)}`))).toBe(
    '1:2001 found 2001 characters, expected at most 2000',
  )
  expect(tell(faultOf(`${'('.repeat(41)}isNew${')'.repeat(41)}`))).toBe(
    '1:41 more than 40 brackets within each other',
  )
  expect(evaluate(`${'('.repeat(39)}isNew${')'.repeat(39)}`)).toBe(true)
  expect(faultOf(`${'!'.repeat(1500)}isNew`).message).toBe(
    'more than 1000 names, literals and operators',
  )
  expect(evaluate(`${'!'.repeat(990)}isNew`)).toBe(true)
  expect(evaluate(`amount${'+1'.repeat(400)}`)).toBe(520)
  expect(faultOf(`amount in [${'1,'.repeat(501)}1]`).message).toBe(
    'more than 500 elements in a list',
  )
  expect(faultOf(`max(${'1,'.repeat(40)}1) > 0`).message).toBe('more than 32 arguments')
})

test('compile expression - a text is cut nowhere: what is too long is absent', () => {
  expect(evaluate('country', { country: 'x'.repeat(512) })).toBe('x'.repeat(512))
  expect(evaluate('country', { country: 'x'.repeat(513) })).toBeNull()
  expect(evaluate('size(country)', { country: 'x'.repeat(513) })).toBe(513)
  const doubled = 'size(country + country + country)'
  expect(evaluate(doubled, { country: 'x'.repeat(20_000) })).toBe(60_000)
  expect(evaluate(doubled, { country: 'x'.repeat(30_000) })).toBeNull()
  expect(evaluate(`country${' + country'.repeat(150)}`, { country: 'x'.repeat(5e6) })).toBeNull()
})

test('compile expression - writes no -0', () => {
  expect(evaluate('-spread', event)).toBe(0)
})

test('compile expression - shares nothing between expressions, even after a fault', () => {
  const first = compileExpression('amount > 100', fields, 'flag')
  expect(isExpressionFault(compileExpression('amount >', fields, 'flag'))).toBe(true)
  expect(isExpressionFault(first) ? null : first.evaluate(event)).toBe(true)
})
