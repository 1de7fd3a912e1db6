// One event's fields and tables for all tests of expressions, and results in one line.

import type { FieldValue } from '../../services/core/input-mapping.ts'
import {
  compileExpression,
  type ExpressionFault,
  type ExpressionField,
  type ExpressionType,
  isExpressionFault,
} from '../../services/expressions/compile-expression.ts'

export const fields: readonly ExpressionField[] = [
  { name: 'amount', type: 'integer', isOptional: false },
  { name: 'usual', type: 'number', isOptional: true },
  { name: 'spread', type: 'number', isOptional: true },
  { name: 'eventTime', type: 'integer', isOptional: false },
  { name: 'country', type: 'text', isOptional: true },
  { name: 'email', type: 'text', isOptional: true },
  { name: 'isNew', type: 'flag', isOptional: true },
  { name: 'isOpen', type: 'flag', isOptional: true },
  { name: 'device.ip', type: 'text', isOptional: true },
  { name: 'constructor', type: 'text', isOptional: true },
]

export const tables = new Map<string, ReadonlyMap<string, string | number>>([
  [
    'risk',
    new Map([
      ['5411', 0.1],
      ['7995', 0.9],
    ]),
  ],
  [
    'region',
    new Map([
      ['DE', 'europe'],
      ['JP', 'asia'],
    ]),
  ],
  [
    'mixed',
    new Map<string, string | number>([
      ['a', 1],
      ['b', 'x'],
    ]),
  ],
  ['empty', new Map()],
])

export const event: Readonly<Record<string, FieldValue>> = {
  amount: 120,
  usual: 40.5,
  spread: 0,
  eventTime: Date.UTC(2024, 1, 29, 23, 30),
  country: 'DE',
  email: 'Ann@Example.org',
  isNew: true,
  isOpen: false,
  'device.ip': '192.0.2.77',
}

const types: readonly ExpressionType[] = ['flag', 'number', 'text']

/** The result of an expression of whatever type; fails where it is none. */
export function evaluate(
  text: string,
  of: Readonly<Record<string, FieldValue>> = event,
): FieldValue {
  const results = types.map((type) => compileExpression(text, fields, type, tables))
  const expression = results.find((result) => !isExpressionFault(result))
  if (expression === undefined || isExpressionFault(expression)) {
    throw new Error(`${text}: ${JSON.stringify(results)}`)
  }
  return expression.evaluate(of)
}

export function faultOf(text: string, wanted: ExpressionType = 'flag'): ExpressionFault {
  const result = compileExpression(text, fields, wanted, tables)
  if (!isExpressionFault(result)) throw new Error(`${text}: expected a fault`)
  return result
}

export const tell = ({ line, column, message }: ExpressionFault): string =>
  `${line}:${column} ${message}`

/** Numbers in [0, 1) that follow from the seed (mulberry32). */
export function createDice(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
