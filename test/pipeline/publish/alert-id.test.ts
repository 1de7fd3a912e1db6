// The id of an alert: one event, one id; another topic, incarnation, place or run, another id.

import { createHash } from 'node:crypto'
import {
  assert,
  constant,
  constantFrom,
  integer,
  oneof,
  property,
  record,
  string,
} from 'fast-check'
import { expect, it } from 'vitest'
import { type AlertSource, alertIdOf } from '../../../services/pipeline/publish/alert-id.ts'

const bytes = () =>
  oneof(
    constant(null),
    string({ maxLength: 6 }).map((text) => Buffer.from(text)),
  )
// Few values each, so that two sources often differ in one thing only.
const sources = record({
  pipeline: constantFrom('card-fraud', 'card-fraud:1'),
  run: constantFrom(null, '', 'january:1', 'january:2', 'march:1'),
  topic: constantFrom('transactions', 'eu.transactions'),
  partition: integer({ min: 0, max: 2 }),
  raw: record({
    offset: integer({ min: 0, max: 2 }),
    // A topic that was made anew begins at offset 0 again, at another time.
    brokerTimeMs: integer({ min: 1_767_225_600_000, max: 1_767_225_600_002 }),
    key: bytes(),
    value: bytes(),
  }),
})

const isSame = (one: AlertSource, other: AlertSource): boolean =>
  JSON.stringify(one) === JSON.stringify(other)

const source: AlertSource = {
  pipeline: 'card-fraud',
  run: null,
  topic: 'transactions',
  partition: 2,
  raw: {
    offset: 118_205,
    brokerTimeMs: 1_767_225_600_040,
    key: Buffer.from('c-17'),
    value: Buffer.from('paid'),
  },
}

it('alert id - two sources that differ in anything have two ids, equal ones have one', () => {
  const differ = property(sources, sources, (one, other) => {
    expect(alertIdOf(one) === alertIdOf(other)).toBe(isSame(one, other))
  })
  assert(differ, { numRuns: 5000 })
})

it.each<[string, Partial<AlertSource> | Partial<AlertSource['raw']>]>([
  ['topic', { topic: 'payments' }],
  ['run', { run: 'january:1' }],
  ['pipeline', { pipeline: 'other' }],
  ['partition', { partition: 3 }],
  ['offset', { offset: 118_206 }],
  ['time of a topic that was made anew', { brokerTimeMs: 1_767_225_600_041 }],
  ['value of a topic that was made anew', { value: Buffer.from('Paid') }],
  ['key and value, cut elsewhere', { key: Buffer.from('c-17p'), value: Buffer.from('aid') }],
])('alert id - another %s, another id', (_what, change) => {
  const other = { ...source, ...change, raw: { ...source.raw, ...change } }
  expect(alertIdOf(other)).not.toBe(alertIdOf(source))
})

it('alert id - is pinned: another release of Weir gives the same event the same id', () => {
  const line = '["card-fraud",null,"transactions",2,118205,1767225600040,4,4]\nc-17paid'
  const expected = createHash('sha256').update(line).digest('hex').slice(0, 32)
  expect(alertIdOf(source)).toBe(expected)
  expect(expected).toBe('cdaf8ccc9345e918361aa677f260951c')
})
