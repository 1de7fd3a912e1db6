// Keys of entities: joined without meeting, and none where a part is absent.

import { expect, it } from 'vitest'
import { NO_KEY, planKey, planSubject } from '../../services/pipeline/entity-key.ts'
import type { Transaction } from '../../services/pipeline/records.ts'

const event = (fields: Record<string, string | number | null>): Transaction => ({
  transactionId: 't',
  eventTime: 0,
  ...fields,
})

it('entity key - joins parts so that no two keys meet', () => {
  const key = planKey(['a', 'b'])
  expect(key(event({ a: 'x', b: 'y' }))).toBe('x|y')
  expect(key(event({ a: 'x|y', b: 'z' }))).not.toBe(key(event({ a: 'x', b: 'y|z' })))
  expect(planKey(['a'])(event({ a: 'x|y' }))).toBe('x|y')
  expect(planKey(['a'])(event({ a: 42 }))).toBe('42')
})

it('entity key - is none where a part is absent, and never a shared one', () => {
  expect(planKey(['a'])(event({ a: null }))).toBe(NO_KEY)
  expect(planKey(['a', 'b'])(event({ a: 'x', b: null }))).toBe(NO_KEY)
  expect(planKey(['a', 'b'])(event({ a: null, b: 'y' }))).toBe(NO_KEY)
})

it('entity key - whose a transaction is: its first entity, or its own', () => {
  expect(planSubject([{ key: ['a'] }])(event({ a: 'x' }))).toBe('x')
  expect(planSubject([{ key: ['a'] }])(event({ a: null }))).toBe('t')
  expect(planSubject([])(event({}))).toBe('t')
})
