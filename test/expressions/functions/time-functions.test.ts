// Functions over times: parts of a moment in UTC and in zones with their changes of clocks.

import { expect, test } from 'vitest'
import { zoneOffsetMs } from '../../../services/expressions/functions/zone-offset.ts'
import { createDice, evaluate, faultOf, tell } from '../compile-for-tests.ts'

const at = (iso: string): number => Date.parse(iso)

test.each([
  // 2024-02-29T23:30Z, a Thursday.
  ['hour(eventTime)', 23],
  ['hour(eventTime, "UTC")', 23],
  ['hour(eventTime, "Europe/Berlin")', 0],
  ['hour(eventTime, "America/New_York")', 18],
  ['hour(eventTime, "Asia/Kolkata")', 5],
  ['weekday(eventTime)', 3],
  ['weekday(eventTime, "Europe/Berlin")', 4],
  ['dayOfMonth(eventTime)', 29],
  ['dayOfMonth(eventTime, "Europe/Berlin")', 1],
  ['month(eventTime)', 2],
  ['month(eventTime, "Europe/Berlin")', 3],
  ['year(eventTime)', 2024],
  ['weekday(0)', 3],
  ['hour(-1)', 23],
  ['weekday(-1)', 2],
  ['year(-1)', 1969],
  ['weekday(4 * 86400000)', 0],
  ['hour(8.64e15)', 0],
  ['hour(8.65e15)', null],
  ['year(8.64e15, "Europe/Berlin")', null],
  ['year(-8.64e15, "UTC")', -271821],
  ['hour(eventTime, country)', null],
  ['hour(eventTime, coalesce(email, "UTC"))', null],
  ['daysBetween(0, 86400000)', 1],
  ['daysBetween(86400000, 43200000)', -0.5],
  ['floor(daysBetween(0, eventTime))', 19782],
])('time functions - %s is %j', (text, expected) => {
  expect(evaluate(text)).toBe(expected)
})

test.each([
  ['2024-02-29T23:30:00Z', '2000-02-29T00:00:00Z', 24],
  ['2023-02-28T23:59:59Z', '2000-02-29T00:00:00Z', 22],
  ['2023-03-01T00:00:00Z', '2000-02-29T00:00:00Z', 23],
  // The day counts, not the hour.
  ['2023-05-17T00:00:00Z', '1990-05-17T12:00:00Z', 33],
  ['2024-05-16T00:00:00Z', '1990-05-17T12:00:00Z', 33],
  ['2024-05-17T00:00:00Z', '1990-05-17T12:00:00Z', 34],
  ['2024-05-17T00:00:00Z', '1924-05-17T00:00:00Z', 100],
  ['2024-05-17T00:00:00Z', '2024-05-17T00:00:00Z', 0],
  ['2024-05-17T00:00:00Z', '2024-05-18T00:00:00Z', null],
])('time functions - at %s, who was born %s is %j', (now, birth, expected) => {
  expect(evaluate(`ageYears(${at(now)}, ${at(birth)})`)).toBe(expected)
})

test.each([
  // The clocks of Berlin go forward at 01:00Z and back at 01:00Z.
  ['2024-03-31T00:59:59Z', 'Europe/Berlin', 1],
  ['2024-03-31T01:00:00Z', 'Europe/Berlin', 3],
  ['2024-10-27T00:59:59Z', 'Europe/Berlin', 2],
  ['2024-10-27T01:00:00Z', 'Europe/Berlin', 2],
  // Those of Newfoundland went at one minute past midnight.
  ['2010-03-14T03:30:59Z', 'America/St_Johns', 0],
  ['2010-03-14T03:31:00Z', 'America/St_Johns', 1],
  ['2024-06-01T00:00:00Z', 'Australia/Lord_Howe', 10],
  ['1850-01-01T00:00:00Z', 'Europe/Berlin', 0],
])('time functions - at %s the hour in %s is %i', (iso, zone, expected) => {
  const text = `hour(${at(iso)}, "${zone}")`
  // Asked again, from what is remembered.
  expect([evaluate(text), evaluate(text)]).toEqual([expected, expected])
})

test('time functions - offsets that are remembered are those that are read', () => {
  const zones = ['Europe/Berlin', 'America/Sao_Paulo', 'Asia/Kathmandu', 'Africa/Monrovia']
  const dice = createDice(7)
  for (let round = 0; round < 3000; round++) {
    const zone = zones[round % zones.length]!
    const timeMs = Math.floor(dice() * at('2030-01-01T00:00:00Z'))
    const wall = new Date(timeMs).toLocaleString('sv-SE', { timeZone: zone })
    const offsetMs = zoneOffsetMs(zone, timeMs)!
    const shown = new Date(timeMs + offsetMs).toISOString().slice(0, 19).replace('T', ' ')
    expect(shown, `${zone} ${timeMs}`).toBe(wall)
  }
})

test('time functions - zones that events bring are forgotten again', () => {
  for (let i = 0; i < 2500; i++) expect(zoneOffsetMs(`No/Where${i}`, 0)).toBeNull()
  for (let i = 0; i < 5000; i++) zoneOffsetMs('Asia/Tokyo', at('2024-01-01T00:00Z') + i * 60_000)
  expect(zoneOffsetMs('Asia/Tokyo', 0)).toBe(9 * 3_600_000)
})

test('time functions - refuse a zone that is written wrong', () => {
  expect(tell(faultOf('hour(eventTime, "Europe/Berln") > 3'))).toBe(
    '1:17 no time zone has this name',
  )
})
