// Words for values of the wrong kind: what they seem to be, never what they are.

import { expect, it } from 'vitest'
import type { FieldType } from '../../../services/core/input-mapping.ts'
import { ExactDecimal, LocalTime } from '../../../services/core/raw-values.ts'
import { createConverter, looksLike } from '../../../services/mapping/convert/create-converter.ts'

it.each<[unknown, string | null]>([
  [1_704_110_400, 'epoch seconds'],
  [1_704_110_400.5, 'epoch seconds'],
  [1_704_110_400_123, 'epoch milliseconds'],
  [1_704_110_400_123_456, 'epoch microseconds'],
  [1_704_110_400_123_456_789n, 'epoch nanoseconds'],
  ['1704110400', 'epoch seconds as text'],
  [20_260_131, 'a date as yyyyMMdd'],
  ['20260131', 'a date as yyyyMMdd as text'],
  [42, 'a whole number'],
  [-1.5, 'a number with a fraction'],
  [1e30, 'a whole number beyond 2^53'],
  [Infinity, 'no finite number'],
  ['12.5', 'a number with a fraction as text'],
  ['12,5', 'a number with a decimal comma'],
  ['1.234,56 €', 'a number with thousands separators'],
  ['1 234,56', 'a number with thousands separators'],
  ['2026-01-31', 'a date without a time'],
  ['2026-01-31T08:00:00.123', 'ISO 8601 without a zone'],
  ['2026-01-31 08:00', 'ISO 8601 without a zone'],
  ['2026-01-31T08:00:00+01:00', 'ISO 8601 with a zone'],
  ['20260131T080000Z', 'ISO 8601 without separators'],
  ['31/01/2026 08:00', 'day/month/year'],
  ['01/31/2026', 'month/day/year'],
  ['01/02/2026', 'day/month/year or month/day/year'],
  ['31-01-2026', 'day-month-year'],
  ['2026/01/31', 'year/month/day'],
  ['31.01.2026', 'day.month.year'],
  ['Sat, 31 Jan 2026 08:00:00 GMT', 'a date of RFC 1123'],
  ['31-Jan-2026', 'day month year with a name of the month'],
  ['08:00:00', 'a time of day without a date'],
  ['  ', 'blank text'],
  ['EUR', 'a code of three letters'],
  ['True', 'true or false as text'],
  ['0x1F', 'a hexadecimal number'],
  ['123e4567-e89b-12d3-a456-426614174000', 'a UUID'],
  ['{"a":1}', 'JSON text'],
  ['hello world', null],
  [true, 'true or false'],
  [[1], 'a list'],
  [Buffer.from('a'), 'bytes'],
  [{}, 'an object'],
  [new Date(0), 'an instant'],
  [new LocalTime('2026-01-31'), 'a time without a zone'],
  [new ExactDecimal(125n, 1), 'a number with a fraction'],
  [null, null],
  [undefined, null],
])('looksLike - %o is %s', (raw, expected) => {
  expect(looksLike(raw)).toBe(expected)
})

it('looksLike - spends no time on long texts', () => {
  const texts = ['9'.repeat(1e6), ' '.repeat(1e6), '1,'.repeat(5e5), `[${'{'.repeat(1e6)}`]
  expect(texts.map((text) => typeof looksLike(text))).not.toContain('number')
})

const field = { field: 'currency' }

it.each<[FieldType, RegExp]>([
  [{ kind: 'text' }, /^text/],
  [{ kind: 'integer' }, /^a whole number$/],
  [{ kind: 'number' }, /^a number$/],
  [{ kind: 'flag', yes: [], no: [] }, /^one of the words/],
  [{ kind: 'currency' }, /^an ISO 4217 code$/],
  [{ kind: 'money', unit: 'minor', currency: field, canBeNegative: true }, /minor units$/],
  [{ kind: 'money', unit: 'major', currency: field, canBeNegative: false }, /12\.34.*negative$/],
  [{ kind: 'time', format: 'iso', zone: null }, /08:00:00Z, with its zone$/],
  [{ kind: 'time', format: 'iso', zone: 'UTC' }, /such as 2026-01-31T08:00:00$/],
  [{ kind: 'time', format: 'epoch', unit: 'us' }, /^a time in microseconds since 1970$/],
  [{ kind: 'time', format: 'pattern', pattern: 'd M', zone: 'UTC' }, /written as d M$/],
  [{ kind: 'time', format: 'step', stepMs: 60_000, originMs: 0 }, /steps of 60000 ms$/],
])('createConverter - says what it takes: %o', (type, expectation) => {
  expect(createConverter(type).expectation).toMatch(expectation)
})
