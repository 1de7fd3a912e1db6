// Findings as text, and the exit code.

import { expect, test } from 'vitest'
import type { Finding, Level } from '../../services/doctor/finding.ts'
import {
  findingLines,
  forecastLines,
  verdictCodeOf,
  worstOf,
} from '../../services/doctor/report.ts'

const finding = (level: Level, check: string, found: string, change: string | null): Finding => {
  return { system: 'kafka', check, level, found, why: `why ${check}`, change }
}

test('doctor report - the worst finding decides the exit code', () => {
  const of = (...found: Level[]) => found.map((level) => finding(level, 'a', 'x', null))
  expect(
    [of(), of('ok'), of('ok', 'warning'), of('warning', 'fatal', 'ok')].map(verdictCodeOf),
  ).toEqual([0, 0, 1, 2])
  // Nobody has looked: neither well nor known to be bad.
  expect([of('ok', 'unknown'), of('unknown', 'fatal')].map(verdictCodeOf)).toEqual([1, 2])
  expect(worstOf(of('ok', 'unknown'))).toBe('unknown')
  expect(worstOf(of('warning', 'unknown'))).toBe('warning')
  expect(worstOf(of('ok', 'warning'))).toBe('warning')
})

test('doctor report - worst first, with reason and change, what is mended alike together', () => {
  const lines = findingLines([
    finding('ok', 'first', 'fine', null),
    finding('warning', 'second', 'topic a', 'raise it'),
    finding('warning', 'second', 'topic b', 'raise it'),
    finding('warning', 'second', 'topic c', 'lower it'),
    finding('fatal', 'third', 'broken', 'mend it'),
    { ...finding('ok', 'other', 'fine', null), system: 'redis' },
  ])
  expect(lines).toEqual([
    'kafka',
    '  FATAL third: why third',
    '        found   broken',
    '        change  mend it',
    '  WARN  second: why second',
    '        found   topic a',
    '        found   topic b',
    '        change  raise it',
    '        found   topic c',
    '        change  lower it',
    '  ok    first: fine',
    '',
    'redis',
    '  ok    other: fine',
    '',
    '1 fatal, 3 warnings, 0 not looked at, 2 ok.',
  ])
})

test('doctor report - what was not looked at for one reason stands in one line, never among what is ok', () => {
  const lines = findingLines([
    finding('fatal', 'answers', 'nobody there', 'mend it'),
    finding('unknown', 'version', 'not looked at: kafka did not answer', 'mend it'),
    finding('unknown', 'topics', 'not looked at: kafka did not answer', 'mend it'),
  ])
  expect(lines.slice(4)).toEqual([
    '  ?     version, topics: not looked at: kafka did not answer',
    '',
    '1 fatal, 0 warnings, 2 not looked at, 0 ok.',
  ])
})

test('doctor report - the forecast has a row per kind of log and the ceiling to set', () => {
  const kind = { kind: 'customer', keys: 1_000_000, rows: 80.4, tiles: 0, length: 3000 }
  const lines = forecastLines({
    kinds: [{ ...kind, bytesPerKey: 4096, bytes: 4_294_967_296 }],
    bytes: 4_294_967_296,
  })
  expect(lines).toEqual([
    'memory of Redis',
    '  log            keys  rows  tiles    a key   in all',
    '  customer  1,000,000    80      0  4.0 KiB  4.0 GiB',
    '  4.0 GiB; with room to work, maxmemory 5.2 GiB',
    '',
  ])
})
