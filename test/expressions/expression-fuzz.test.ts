// Random expressions: neither compiling nor evaluating throws, results are of the type that was
// asked for, and where CEL's own rules apply the parser's library comes to the same result.

import { Environment } from '@marcbachmann/cel-js'
import { expect, test } from 'vitest'
import type { FieldValue } from '../../services/core/input-mapping.ts'
import {
  compileExpression,
  isExpressionFault,
} from '../../services/expressions/compile-expression.ts'
import { expressionFunctions } from '../../services/expressions/functions/all-functions.ts'
import { createDice, event, fields, tables } from './compile-for-tests.ts'

const types = ['text', 'number', 'flag'] as const
const seed = 20_261

type Dice = () => number
const pick = <T>(dice: Dice, from: readonly T[]): T => from[Math.floor(dice() * from.length)]!

const names = expressionFunctions.map(({ name }) => name)
const tokens = [
  ...names.map((name) => `${name}(`),
  ...['coalesce(', 'has(', 'lookup("risk", ', 'country', 'amount', 'usual', 'isNew', 'device.ip'],
  ...['1', '0', '-1', '2.5', '1e300', '"a"', "'é'", 'null', 'true', '[', ']', '{', '}', '(', ')'],
  ...['+', '-', '*', '/', '%', '==', '!=', '<', '>=', '&&', '||', '!', '?', ':', ',', '.', ' in '],
  ...[
    '"',
    "'",
    '\\',
    '\n',
    '`',
    'b"',
    'r"',
    '"""',
    '//',
    '1u',
    '0x',
    '.?',
    'x',
    '\u0000',
    '\ud83d',
  ],
]

const soup = (dice: Dice): string =>
  Array.from({ length: 1 + Math.floor(dice() * 14) }, () => pick(dice, tokens)).join('')

const oddTexts = ['', ' ', 'DE', '::1', '1.2.3.4', 'a@b', '\ud83d', 'x'.repeat(600), 'Asia/Tokyo']
const oddNumbers = [0, -0, 1, -1, 0.5, 1e308, -1e308, 5e-324, 8.64e15, -8.64e15, 9e15, 2 ** 53]
const oddValues = [null, undefined, true, Number.NaN, Number.POSITIVE_INFINITY, {}, [], 7n]

const oddEvent = (dice: Dice): Record<string, FieldValue> =>
  Object.fromEntries(
    fields.map(({ name }) => {
      const values = pick<readonly unknown[]>(dice, [oddTexts, oddNumbers, oddValues])
      return [name, pick(dice, values) as FieldValue]
    }),
  )

/** An expression that is well formed, and mostly well typed. */
function grow(dice: Dice, type: (typeof types)[number], depth: number): string {
  const next = (of: (typeof types)[number]): string => grow(dice, of, depth - 1)
  if (depth === 0 || dice() < 0.15) return pick(dice, leaves[type])
  if (dice() < 0.1) return `(${next('flag')} ? ${next(type)} : ${next(type)})`
  if (dice() < 0.4) {
    const definition = pick(
      dice,
      expressionFunctions.filter(({ result }) => result === type),
    )
    const written = Object.values(definition.parameters).map((parameter) => {
      const base = /^\w+/.exec(parameter)![0]
      return next(base === 'any' ? pick(dice, types) : (base as (typeof types)[number]))
    })
    return `${definition.name}(${written.join(', ')})`
  }
  if (type === 'text') return `(${next('text')} + ${next('text')})`
  if (type === 'number') return `(${next(type)} ${pick(dice, [...'+-*/%'])} ${next(type)})`
  const of = pick(dice, types)
  if (dice() < 0.3) return `(${next('flag')} ${pick(dice, ['&&', '||'])} !${next('flag')})`
  return `(${next(of)} ${pick(dice, ['==', '!=', '<', '<=', '>', '>='])} ${next(of)})`
}

const leaves = {
  text: ['country', 'email', 'device.ip', '"DE"', '""', '"Europe/Berlin"', "'2001:db8::1'"],
  number: ['amount', 'usual', 'spread', 'eventTime', '0', '24', '-1', '1.5', '1e18'],
  flag: ['isNew', 'isOpen', 'true', 'false', 'has(country)'],
} as const

function check(text: string, dice: Dice): number {
  let compiled = 0
  for (const type of types) {
    const result = compileExpression(text, fields, type, tables)
    if (isExpressionFault(result)) {
      expect(result.message.length, text).toBeGreaterThan(0)
      expect(Math.min(result.line, result.column), text).toBeGreaterThan(0)
      continue
    }
    compiled += 1
    for (const of of [event, {}, oddEvent(dice), oddEvent(dice)]) {
      const value = result.evaluate(of)
      expect(result.evaluate(of), text).toBe(value)
      if (value === null) continue
      expect(typeof value, text).toBe({ text: 'string', number: 'number', flag: 'boolean' }[type])
      if (typeof value === 'number') expect(Number.isFinite(value), text).toBe(true)
    }
  }
  return compiled
}

test(`expression fuzz - random texts never throw (seed ${seed})`, () => {
  const dice = createDice(seed)
  for (let round = 0; round < 20_000; round++) check(soup(dice), dice)
})

test(`expression fuzz - random expressions never throw (seed ${seed})`, () => {
  const dice = createDice(seed)
  let compiled = 0
  for (let round = 0; round < 6000; round++) {
    const text = grow(dice, pick(dice, types), 1 + Math.floor(dice() * 4))
    compiled += check(text, dice)
    // One character lost or changed.
    const at = Math.floor(dice() * text.length)
    check(text.slice(0, at) + pick(dice, ['', '!', '"', '(', '0']) + text.slice(at + 1), dice)
  }
  expect(compiled).toBeGreaterThan(3000)
})

/**
 * Within CEL's own rules: doubles alone, no division, nothing absent; and no texts that the library
 * orders by UTF-16 units, where CEL has code points.
 */
function growStrict(dice: Dice, type: (typeof types)[number], depth: number): string {
  const next = (of: (typeof types)[number]): string => growStrict(dice, of, depth - 1)
  if (depth === 0) return pick(dice, strictLeaves[type])
  if (dice() < 0.15) return `(${next('flag')} ? (${next(type)}) : (${next(type)}))`
  if (type === 'text') return `(${next('text')} + ${next('text')})`
  if (type === 'number') return `(${next(type)} ${pick(dice, [...'+-*'])} -${next(type)})`
  if (dice() < 0.2) return `(${next('flag')} ${pick(dice, ['&&', '||'])} !${next('flag')})`
  if (dice() < 0.2) return `(${next('text')} in [${next('text')}, ${next('text')}])`
  if (dice() < 0.2) {
    return `${next('text')}.${pick(dice, ['startsWith', 'endsWith', 'contains'])}(${next('text')})`
  }
  const of = pick(dice, types)
  return `(${next(of)} ${pick(dice, ['==', '!=', '<', '<=', '>', '>='])} ${next(of)})`
}

const strictLeaves = {
  text: ['country', 'email', '"DE"', '"D"', '"E"', '"\\U0001F600"', '"é"'],
  number: ['amount', 'usual', 'spread', '0.0', '24.0', '1.5'],
  flag: ['isNew', 'isOpen', 'true', 'false'],
} as const

test(`expression fuzz - agrees with the library where CEL says the same (seed ${seed})`, () => {
  const dice = createDice(seed)
  const library = new Environment()
  for (const { name, type } of fields.filter((field) => !field.name.includes('.'))) {
    library.registerVariable(name, { text: 'string', flag: 'bool' }[type as never] ?? 'double')
  }
  let compared = 0
  for (let round = 0; round < 4000; round++) {
    const type = pick(dice, types)
    const text = growStrict(dice, type, 1 + Math.floor(dice() * 4))
    const expected = library.evaluate(text, { ...event })
    const ours = compileExpression(text, fields, type, tables)
    if (isExpressionFault(ours)) throw new Error(`${text}: ${ours.message}`)
    expect(ours.evaluate(event), text).toBe(expected === 0 ? 0 : expected)
    compared += 1
  }
  expect(compared).toBe(4000)
})
