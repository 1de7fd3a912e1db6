// Patterns: what Java's DateTimeFormatter would read, and faults in words.

import { describe, expect, it } from 'vitest'
import { dayStartMs } from '../../../../services/mapping/convert/time/civil.ts'
import {
  checkPattern,
  createPatternReader,
} from '../../../../services/mapping/convert/time/pattern.ts'
import { zoneOf } from '../../../../services/mapping/convert/time/zone.ts'
import { createRandom } from '../../../support/random.ts'

const utc = zoneOf('UTC')
const read = (pattern: string, raw: unknown, zone: string | null = 'UTC', referenceMs?: number) =>
  createPatternReader(pattern, zone === null ? null : zoneOf(zone))(raw, referenceMs)

describe('patterns', () => {
  it.each([
    ['yyyy-MM-dd HH:mm:ss', '2026-01-31 08:09:10', '2026-01-31T08:09:10.000Z'],
    ["yyyy-MM-dd'T'HH:mm:ss.SSS", '2026-01-31T08:09:10.123', '2026-01-31T08:09:10.123Z'],
    ['yyyy-MM-dd HH:mm:ss.SSSSSS', '2026-01-31 08:09:10.123999', '2026-01-31T08:09:10.123Z'],
    ['yyyy-MM-dd HH:mm:ss.S', '2026-01-31 08:09:10.4', '2026-01-31T08:09:10.400Z'],
    ['dd/MM/yyyy', '31/01/2026', '2026-01-31T00:00:00.000Z'],
    ['MM/dd/yyyy', '01/31/2026', '2026-01-31T00:00:00.000Z'],
    ['d.M.yy H:m', '3.1.26 8:05', '2026-01-03T08:05:00.000Z'],
    ['d.M.yy H:m', '31.12.99 18:5', '2099-12-31T18:05:00.000Z'],
    ['dd-MMM-yyyy', '31-JAN-2026', '2026-01-31T00:00:00.000Z'],
    ['dd MMM yyyy', '01 sep 2026', '2026-09-01T00:00:00.000Z'],
    ['MMMM d, yyyy', 'May 7, 2026', '2026-05-07T00:00:00.000Z'],
    ['MMMM d, yyyy', 'september 17, 2026', '2026-09-17T00:00:00.000Z'],
    ['MM/dd/yyyy hh:mm:ss a', '01/31/2026 12:00:00 AM', '2026-01-31T00:00:00.000Z'],
    ['MM/dd/yyyy hh:mm:ss a', '01/31/2026 12:00:00 PM', '2026-01-31T12:00:00.000Z'],
    ['MM/dd/yyyy h:mm a', '01/31/2026 1:30 pm', '2026-01-31T13:30:00.000Z'],
    ['yyyyMMddHHmmss', '20260131080910', '2026-01-31T08:09:10.000Z'],
    ['yyyyMMddHHmmssSSS', '20260131080910123', '2026-01-31T08:09:10.123Z'],
    ['yyyyMMdd', 20_260_131, '2026-01-31T00:00:00.000Z'],
    ['yyyyMMdd', 20_260_131n, '2026-01-31T00:00:00.000Z'],
    ['yyyy-MM-dd', ' 2026-01-31 ', '2026-01-31T00:00:00.000Z'],
    ['yyyy-MM-dd HH', '0050-03-01 05', '0050-03-01T05:00:00.000Z'],
    ["dd'.'MM'.'yyyy 'o''clock' HH", "31.01.2026 o'clock 08", '2026-01-31T08:00:00.000Z'],
    ["dd''MM''yyyy", "31'01'2026", '2026-01-31T00:00:00.000Z'],
    ['(yyyy.MM.dd)*', '(2026.01.31)*', '2026-01-31T00:00:00.000Z'],
  ])('%s reads %o', (pattern, raw, expected) => {
    expect(checkPattern(pattern)).toBeNull()
    expect(read(pattern, raw)).toBe(Date.parse(expected))
  })

  it.each([
    ["yyyy-MM-dd'T'HH:mm:ssXXX", '2026-01-31T08:00:00+01:00', '2026-01-31T07:00:00.000Z'],
    ["yyyy-MM-dd'T'HH:mm:ssXXX", '2026-01-31T08:00:00Z', '2026-01-31T08:00:00.000Z'],
    ["yyyy-MM-dd'T'HH:mm:ssXX", '2026-01-31T08:00:00-0530', '2026-01-31T13:30:00.000Z'],
    ["yyyy-MM-dd'T'HH:mm:ssX", '2026-01-31T08:00:00+01', '2026-01-31T07:00:00.000Z'],
    ["yyyy-MM-dd'T'HH:mm:ssX", '2026-01-31T08:00:00+0130', '2026-01-31T06:30:00.000Z'],
    ['dd/MMM/yyyy:HH:mm:ss Z', '31/Jan/2026:08:00:00 +0100', '2026-01-31T07:00:00.000Z'],
  ])('%s reads %s whatever zone is declared', (pattern, text, expected) => {
    expect(read(pattern, text, null)).toBe(Date.parse(expected))
    expect(read(pattern, text, 'Asia/Kathmandu')).toBe(Date.parse(expected))
  })

  it('takes the declared zone where the pattern has none, and refuses without', () => {
    const text = '31.07.2026 08:00'
    expect(read('dd.MM.yyyy HH:mm', text, 'Europe/Berlin')).toBe(Date.parse('2026-07-31T06:00Z'))
    expect(read('dd.MM.yyyy HH:mm', text, null)).toBeUndefined()
  })

  it.each<[string, unknown]>([
    ['yyyy-MM-dd', '2026-02-30'],
    ['yyyy-MM-dd', '2025-02-29'],
    ['yyyy-MM-dd', '2026-13-01'],
    ['yyyy-MM-dd', '2026-00-01'],
    ['yyyy-MM-dd', '2026-01-00'],
    ['yyyy-MM-dd', '2026-1-31'],
    ['yyyy-MM-dd', '2026-01-31 08:00'],
    ['yyyy-MM-dd', 'x2026-01-31'],
    ['yyyy.MM.dd', '2026-01-31'],
    ['yyyy-MM-dd', ''],
    ['yyyy-MM-dd', true],
    ['yyyy-MM-dd', {}],
    ['yyyyMMdd', 20_260_131.5],
    ['yyyyMMdd', -20_260_131],
    ['yyyyMMdd', 2_026_013],
    ['yyyy-MM-dd HH:mm', '2026-01-31 24:00'],
    ['yyyy-MM-dd HH:mm', '2026-01-31 08:60'],
    ['yyyy-MM-dd HH:mm:ss', '2026-01-31 08:00:60'],
    ['yyyy-MM-dd hh:mm a', '2026-01-31 13:00 PM'],
    ['yyyy-MM-dd hh:mm a', '2026-01-31 00:00 AM'],
    ['yyyy-MM-dd hh:mm a', '2026-01-31 08:00 XM'],
    ['dd MMM yyyy', '31 Foo 2026'],
    ["yyyy-MM-dd'T'HH", '2026-01-31t08'],
    ["yyyy-MM-dd'T'HH:mmXXX", '2026-01-31T08:00+0100'],
    ["yyyy-MM-dd'T'HH:mmXXX", '2026-01-31T08:00'],
    ["yyyy-MM-dd'T'HH:mmXXX", '2026-01-31T08:00+15:00'],
    ['yyyy-MM-dd HH:mm Z', '2026-01-31 08:00 Z'],
    ['MMdd', '0131'],
  ])('%s refuses %o', (pattern, raw) => {
    expect(read(pattern, raw)).toBeUndefined()
  })

  it.each([
    ['MMddHHmmss', '0131080000', '2026-02-01T00:00:00Z', '2026-01-31T08:00:00Z'],
    ['MMddHHmmss', '1231235959', '2026-01-01T00:00:05Z', '2025-12-31T23:59:59Z'],
    ['MMddHHmmss', '0101000001', '2025-12-31T23:59:59Z', '2026-01-01T00:00:01Z'],
    ['MMddHHmmss', '0229120000', '2025-01-01T00:00:00Z', '2024-02-29T12:00:00Z'],
    ['dd MMM HH:mm', '02 Jul 10:00', '2026-07-02T10:00:01Z', '2026-07-02T10:00:00Z'],
  ])('%s: %s near %s is %s', (pattern, text, reference, expected) => {
    expect(read(pattern, text, 'UTC', Date.parse(reference))).toBe(Date.parse(expected))
  })

  it('has no 29 February near a year without one', () => {
    expect(read('MMdd', '0229', 'UTC', Date.parse('2026-03-01T00:00:00Z'))).toBeUndefined()
  })

  it('reads back what is written, in all letters (seed 310)', () => {
    const random = createRandom(310)
    const pattern = "yyyy/M/dd'T'hh:m:ss.SSS a XXX"
    const reader = createPatternReader(pattern, null)
    const two = (value: number): string => String(value).padStart(2, '0')
    for (let run = 0; run < 3000; run++) {
      const [day, ms] = [random.integer(-700_000, 2_900_000), random.integer(0, 86_399_999)]
      const date = new Date(day * 86_400_000 + ms)
      const hour = date.getUTCHours()
      const text =
        `${String(date.getUTCFullYear()).padStart(4, '0')}/${date.getUTCMonth() + 1}/` +
        `${two(date.getUTCDate())}T${two(hour % 12 || 12)}:${date.getUTCMinutes()}:` +
        `${two(date.getUTCSeconds())}.${String(date.getUTCMilliseconds()).padStart(3, '0')} ` +
        `${hour < 12 ? 'AM' : 'PM'} +02:30`
      expect(reader(text, undefined)).toBe(date.getTime() - 9_000_000)
    }
  })
})

describe('checkPattern', () => {
  it.each([
    ['YYYY-MM-dd', /Y is the year of a week/],
    ['uuuu-MM-dd', /write y/],
    ['yyyy-DDD', /D is the day of the year/],
    ['yyyy-mm-dd', /month is missing: M \(m is minutes\)/],
    ['HH:mm', /month is missing/],
    ['yyyy-MM', /day is missing/],
    ['yyyyy-MM-dd', /yyyyy has no meaning/],
    ['y-MM-dd', /y stands 2, 4 times/],
    ['yyyy-MM-ddTHH', /T has no meaning; text stands in quotes: 'T'/],
    ["yyyy-MM-dd'T", /quote is not closed/],
    ['yyyy-MM-dd hh:mm', /need each other/],
    ['yyyy-MM-dd HH:mm a', /need each other/],
    ['yyyy-MM-dd HH:hh a', /both the hour/],
    ['yyyy-MM-dd HH:mm HH', /H stands there twice/],
    ['yyyy-MM-dd mm', /minutes \(m\) need the hour/],
    ['yyyy-MM-dd HH:ss', /seconds \(s\) need minutes/],
    ['yyyy-MM-dd HH:mm.SSS', /need seconds/],
    ['yyyy-MM-dd HH:mm Z X', /both the zone/],
    ['yyyy-MM-dd HH:mm z', /declare `zone`/],
    ['yyyy-MM-dd[ HH:mm]', /optional parts/],
    ['EEE, dd MMM yyyy', /week days/],
    ['yyyy-MM-dd {HH}', /\{ has no meaning/],
    ['dMyyyy', /need a sign between/],
    ['yyyyMd', /need a sign between/],
    ['', /month is missing/],
  ])('%s: %s', (pattern, fault) => {
    expect(checkPattern(pattern)).toMatch(fault)
    expect(() => createPatternReader(pattern, utc)).toThrow(RangeError)
  })
})

it('dayStartMs - is Date.UTC, and knows the days of every month', () => {
  for (let year = 1; year < 2500; year += 1) {
    for (let month = 1; month <= 12; month++) {
      const first = new Date(0)
      first.setUTCFullYear(year, month - 1, 1)
      expect(dayStartMs(year, month, 1)).toBe(first.getTime())
      const dayCount = new Date(first.setUTCMonth(month) - 1).getUTCDate()
      const last = [dayStartMs(year, month, dayCount), dayStartMs(year, month, dayCount + 1)]
      expect(last).toEqual([first.getTime() - 86_400_000, Number.NaN])
    }
  }
})
