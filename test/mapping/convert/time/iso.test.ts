// ISO 8601: the same as `readIsoTime`, and no zone is made up.

import { expect, it } from 'vitest'
import { readIsoTime } from '../../../../services/core/iso-time.ts'
import { readIso, readLocalIso } from '../../../../services/mapping/convert/time/iso.ts'
import { zoneOf } from '../../../../services/mapping/convert/time/zone.ts'
import { createRandom } from '../../../support/random.ts'

const utc = zoneOf('UTC')

it.each([
  ['2026-01-31T08:00:00Z', '2026-01-31T08:00:00.000Z'],
  ['2026-01-31T08:00Z', '2026-01-31T08:00:00.000Z'],
  ['2026-01-31 08:00:00.5Z', '2026-01-31T08:00:00.500Z'],
  ['2026-01-31T08:00:00.123456789+01:00', '2026-01-31T07:00:00.123Z'],
  ['2026-01-31T08:00:00-0530', '2026-01-31T13:30:00.000Z'],
  ['2026-01-31T08:00:00-05', '2026-01-31T13:00:00.000Z'],
  ['1969-12-31T23:59:59.9999Z', '1969-12-31T23:59:59.999Z'],
  [' 2026-01-31T08:00:00Z\n', '2026-01-31T08:00:00.000Z'],
  ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
])('readIso - takes %j, in every declared zone', (text, expected) => {
  expect(readIso(text, null)).toBe(Date.parse(expected))
  expect(readIso(text, zoneOf('Asia/Kathmandu'))).toBe(Date.parse(expected))
  expect(readLocalIso(text.trim(), utc)).toBeUndefined()
})

it.each([
  ['2026-01-31T08:00:00', '2026-01-31T07:00:00.000Z'],
  ['2026-01-31 08:00', '2026-01-31T07:00:00.000Z'],
  ['2026-07-31T08:00:00.25', '2026-07-31T06:00:00.250Z'],
  ['2026-07-31', '2026-07-30T22:00:00.000Z'],
])('readIso - takes %j only with a declared zone', (text, expected) => {
  expect(readIso(text, null)).toBeUndefined()
  expect(readIso(text, zoneOf('Europe/Berlin'))).toBe(Date.parse(expected))
  expect(readLocalIso(text, zoneOf('Europe/Berlin'))).toBe(Date.parse(expected))
})

it('readIso - a day begins where its midnight is skipped', () => {
  const ms = Date.parse('2018-11-04T03:00:00Z')
  expect(readIso('2018-11-04', zoneOf('America/Sao_Paulo'))).toBe(ms)
})

it.each([
  ...['', '2026', '31.01.2026', '2026-02-30T00:00:00Z', '2025-02-29T00:00:00Z', '1767225600000'],
  ...['2026-01-31T24:00:00Z', '2026-01-31T08:60:00Z', '2026-01-31T08:00:60Z', '2026-13-01'],
  ...['2026-01-31T08:00:00.Z', '2026-01-31T08:00:00.1234567890Z', '2026-01-31T08:00:00 Z'],
  ...['2026-01-31T08:00:00+15:00', '2026-01-31T08:00:00+01:60', '2026-01-31T08:00:00z'],
  ...['2026-01-31t08:00:00Z', '2026-01-31T08:00:00,5Z', '2026-01-31T08:00:00ZZ', '2026-01-31Z'],
  ...['2026-01-3aT08:00:00Z', '-026-01-31T08:00:00Z', '2026-01-31T08:00:00UTC', '2026-00-10'],
])('readIso - refuses %j', (text) => {
  expect(readIso(text, null)).toBeUndefined()
  expect(readIso(text, utc)).toBeUndefined()
})

const seeds = [
  ...['2026-01-31T08:00:59.123456Z', '2024-02-29 23:59:59+05:45', '0001-12-31T00:00:00.1'],
  ...['2000-03-01T12:30:00-11:00', '1900-02-28T08:00', '2026-06-30', '9999-12-31T23:59:59Z'],
]

it('readIso - in UTC it is readIsoTime, whatever becomes of the text (seed 8601)', () => {
  const random = createRandom(8601)
  const signs = [...'0123456789-:.TZ+ ']
  for (let run = 0; run < 50_000; run++) {
    const letters = [...random.pick(seeds)]
    for (let change = random.integer(0, 3); change > 0; change--) {
      const replaced = random.chance(0.8) ? 1 : random.integer(0, 1)
      letters.splice(random.integer(0, letters.length), replaced, random.pick(signs))
    }
    const text = letters.join('')
    const expected = readIsoTime(text.trim()) ?? undefined
    if (readIso(text, utc) !== expected) expect.fail(text)
  }
})
