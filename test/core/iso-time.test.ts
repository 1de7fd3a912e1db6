// Times as text: the same on every machine, and nothing is guessed.

import { execFileSync } from 'node:child_process'
import { assert, date, property } from 'fast-check'
import { expect, it } from 'vitest'
import { readIsoTime } from '../../services/core/iso-time.ts'
import { repositoryFolder } from '../rules/repository-files.ts'

const at = (text: string): number => new Date(text).getTime()

it.each([
  ['2026-01-31', '2026-01-31T00:00:00.000Z'],
  ['2026-01-31 08:00', '2026-01-31T08:00:00.000Z'],
  ['2026-01-31T08:00', '2026-01-31T08:00:00.000Z'],
  ['2026-01-31T08:00Z', '2026-01-31T08:00:00.000Z'],
  ['2026-01-31T08:00:59', '2026-01-31T08:00:59.000Z'],
  ['2026-01-31T08:00:59.1', '2026-01-31T08:00:59.100Z'],
  ['2026-01-31 08:00:59.123999+00:00', '2026-01-31T08:00:59.123Z'],
  ['2026-01-31T08:00:59+0530', '2026-01-31T02:30:59.000Z'],
  ['2026-01-31T08:00-05', '2026-01-31T13:00:00.000Z'],
  ['2024-02-29', '2024-02-29T00:00:00.000Z'],
  ['0050-03-01', '0050-03-01T00:00:00.000Z'],
  ['1969-12-31T23:59:59.999Z', '1969-12-31T23:59:59.999Z'],
])('readIsoTime - takes %s', (text, expected) => {
  expect(readIsoTime(text)).toBe(at(expected))
})

it.each([
  ...['', '7', '2026', '2026-01', '20260131', '01/02/2026', '31.01.2026', '2026/01/31'],
  ...['2026-02-30', '2025-02-29', '2026-13-01', '2026-00-10', '2026-01-00', '2026-1-31'],
  ...['2026-01-31T24:00', '2026-01-31T08:60', '2026-01-31T08:00:60', '2026-01-31T08'],
  ...['2026-01-31T08:00+15:00', '2026-01-31T08:00+01:60', '2026-01-31Z', '2026-01-31T08:00 Z'],
  ...[' 2026-01-31', '2026-01-31 ', 'Jan 31 2026', 'today', '1767225600000', '2026-01-31T08:00EST'],
])('readIsoTime - refuses %j', (text) => {
  expect(readIsoTime(text)).toBeNull()
})

it('readIsoTime - reads back what Date writes', () => {
  const range = { min: new Date('0000-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }
  const same = property(date(range), (moment) => {
    expect(readIsoTime(moment.toISOString())).toBe(moment.getTime())
  })
  assert(same, { numRuns: 2000 })
})

const texts = ['2019-01-01 00:04:00', '2019-03-10T02:30', '2019-07-01', '03/04/2019 10:00', '7']

/** Flags and cells of a file with these texts, read where the machine stands elsewhere. */
function readIn(zone: string): { flags: (number | null)[]; cells: (number | null)[] } {
  const script = `
    const { createRowDecoder } = await import('./services/adapters/event-files/event-block.ts')
    const { transactionRows } = await import('./services/adapters/event-files/row-mappings.ts')
    const { mappedInput } = await import('./test/support/shipped-input.ts')
    const { readTime } = await import('./services/cli/read-time.ts')
    const texts = ${JSON.stringify(texts)}
    const cells = (column) => texts.map((text, i) => (column === 'at' ? text : column + i))
    const fields = { transactionId: 'id', eventTime: { path: 'at', zone: 'UTC' } }
    const decode = createRowDecoder(transactionRows(mappedInput({ transactions: fields })), 0)
    const events = decode({ firstRow: 0, count: texts.length, broken: new Map(), cells })
    const read = (text) => { try { return readTime(text) } catch { return null } }
    process.stdout.write(JSON.stringify({
      flags: texts.map(read),
      cells: events.map(({ value }) => value && value.eventTime),
    }))
  `
  const env = { ...process.env, TZ: zone }
  const words = ['--input-type=module', '-e', script]
  const out = execFileSync(process.execPath, words, { cwd: repositoryFolder, env })
  return JSON.parse(out.toString())
}

it.each(['UTC', 'America/New_York', 'Asia/Kolkata'])(
  'times - of flags and of files are the same where the machine is in %s',
  (zone) => {
    const expected = [
      at('2019-01-01T00:04:00Z'),
      at('2019-03-10T02:30:00Z'),
      at('2019-07-01T00:00:00Z'),
    ]
    const read = [...expected, null, null]
    expect(readIn(zone)).toEqual({ flags: read, cells: read })
  },
)
