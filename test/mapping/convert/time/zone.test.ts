// Local times of zones: the answers of java.time at gaps and overlaps, and Intl as the judge.

import { describe, expect, it } from 'vitest'
import { dayStartMs } from '../../../../services/mapping/convert/time/civil.ts'
import { zoneOf } from '../../../../services/mapping/convert/time/zone.ts'
import { createRandom } from '../../../support/random.ts'

/** Of the clock's parts as if they were UTC, with milliseconds or without. */
const local = (text: string): number => Date.parse(`${text}Z`)
const instantOf = (zone: string, text: string): string =>
  new Date(zoneOf(zone)(local(text))).toISOString()

describe('zones', () => {
  it.each([
    ['America/New_York', '2026-01-31T08:00:00', '2026-01-31T13:00:00.000Z'],
    ['America/New_York', '2026-07-01T08:00:00.250', '2026-07-01T12:00:00.250Z'],
    ['Europe/Berlin', '2026-01-31T08:00:00', '2026-01-31T07:00:00.000Z'],
    ['Asia/Kathmandu', '2026-01-31T08:00:00', '2026-01-31T02:15:00.000Z'],
    ['UTC', '2026-01-31T08:00:00', '2026-01-31T08:00:00.000Z'],
    ['+05:30', '2026-01-31T08:00:00', '2026-01-31T02:30:00.000Z'],
    ['America/New_York', '1880-01-01T00:00:00', '1880-01-01T04:56:02.000Z'],
    ['Europe/Berlin', '1969-12-31T23:59:59.999', '1969-12-31T22:59:59.999Z'],
  ])('%s %s is %s', (zone, text, expected) => {
    expect(instantOf(zone, text)).toBe(expected)
  })

  // LocalDateTime.atZone: what the clock skips moves on by the length of the gap.
  it.each([
    ['America/New_York', '2026-03-08T01:59:59.999', '2026-03-08T06:59:59.999Z'],
    ['America/New_York', '2026-03-08T02:00:00', '2026-03-08T07:00:00.000Z'],
    ['America/New_York', '2026-03-08T02:30:00', '2026-03-08T07:30:00.000Z'],
    ['America/New_York', '2026-03-08T02:59:59.999', '2026-03-08T07:59:59.999Z'],
    ['America/New_York', '2026-03-08T03:00:00', '2026-03-08T07:00:00.000Z'],
    ['Australia/Lord_Howe', '2025-10-05T02:15:00', '2025-10-04T15:45:00.000Z'],
    ['America/Sao_Paulo', '2018-11-04T00:00:00', '2018-11-04T03:00:00.000Z'],
    ['Pacific/Apia', '2011-12-30T12:00:00', '2011-12-30T22:00:00.000Z'],
  ])('gap: %s %s is %s', (zone, text, expected) => {
    expect(instantOf(zone, text)).toBe(expected)
  })

  // Of two instants the earlier one, with the offset of before.
  it.each([
    ['America/New_York', '2026-11-01T00:59:59.999', '2026-11-01T04:59:59.999Z'],
    ['America/New_York', '2026-11-01T01:00:00', '2026-11-01T05:00:00.000Z'],
    ['America/New_York', '2026-11-01T01:59:59.999', '2026-11-01T05:59:59.999Z'],
    ['America/New_York', '2026-11-01T02:00:00', '2026-11-01T07:00:00.000Z'],
    ['Europe/Berlin', '2025-10-26T02:30:00', '2025-10-26T00:30:00.000Z'],
    ['Australia/Lord_Howe', '2026-04-05T01:45:00', '2026-04-04T14:45:00.000Z'],
    ['Africa/Casablanca', '2025-02-23T02:30:00', '2025-02-23T01:30:00.000Z'],
  ])('overlap: %s %s is %s', (zone, text, expected) => {
    expect(instantOf(zone, text)).toBe(expected)
  })

  it('refuses a name that is none', () => {
    expect(() => zoneOf('Mars/Olympus')).toThrow(RangeError)
  })
})

const zones = [
  ...['America/New_York', 'Europe/Berlin', 'Australia/Lord_Howe', 'Asia/Kathmandu'],
  ...['America/Sao_Paulo', 'Africa/Casablanca', 'Pacific/Apia', 'America/St_Johns', 'Asia/Tehran'],
  ...['Europe/Dublin', 'Africa/Cairo', 'Asia/Gaza', 'America/Caracas', 'Antarctica/Troll'],
]

/** The clock in a zone, as Intl writes its parts: another way than the offsets that are used. */
function createClockOf(zone: string): (instantMs: number) => number {
  const format = new Intl.DateTimeFormat('en-US-u-ca-iso8601-nu-latn', {
    timeZone: zone,
    hourCycle: 'h23',
    ...{ year: 'numeric', month: 'numeric', day: 'numeric' },
    ...{ hour: 'numeric', minute: 'numeric', second: 'numeric' },
  })
  return (instantMs) => {
    const parts = Object.fromEntries(
      format.formatToParts(instantMs).map(({ type, value }) => [type, Number(value)]),
    ) as Record<string, number>
    const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = parts
    const ms = ((instantMs % 1000) + 1000) % 1000
    return dayStartMs(year, month, day) + ((hour * 60 + minute) * 60 + second) * 1000 + ms
  }
}

/** The changes of the clock from one hour to the next in some years. */
function findChanges(clockOf: (instantMs: number) => number): number[] {
  const changes: number[] = []
  for (let hour = local('2010-01-01T00:00:00'); hour < local('2013-01-01T00:00:00'); ) {
    const next = hour + 3_600_000
    if (clockOf(next) - clockOf(hour) !== 3_600_000) changes.push(next)
    hour = next
  }
  return changes
}

/**
 * What java.time would say, by trying: the instants around whose clock shows the local time. None
 * shows it in a gap: then the offset of before holds, which a day earlier still does.
 */
function judge(localMs: number, clockOf: (instantMs: number) => number): number {
  const before = localMs - 36 * 3_600_000
  const after = localMs + 36 * 3_600_000
  const offsets = [before, after].map((instantMs) => clockOf(instantMs) - instantMs)
  const showing = offsets
    .map((offset) => localMs - offset)
    .filter((instantMs) => clockOf(instantMs) === localMs)
  return showing.length === 0 ? localMs - offsets[0]! : Math.min(...showing)
}

it.each(zones)('zones - Intl gives the local times of %s back (seed 1884)', (zone) => {
  const random = createRandom(1884)
  const clockOf = createClockOf(zone)
  const toInstant = zoneOf(zone)
  const anywhere = () =>
    local('1970-01-01T00:00:00') +
    random.integer(0, 67 * 365) * 86_400_000 +
    random.integer(0, 86_399_999)
  const changes = findChanges(clockOf)
  const nearChange = () => {
    const change = random.pick(changes)
    return change + (clockOf(change) - change) + random.integer(-8_000_000, 8_000_000)
  }
  for (let run = 0; run < 1500; run++) {
    const localMs = changes.length > 0 && run % 2 === 0 ? nearChange() : anywhere()
    const instantMs = toInstant(localMs)
    const expected = judge(localMs, clockOf)
    if (instantMs !== expected) {
      const text = new Date(localMs).toISOString()
      expect.fail(`${zone} ${text}: ${new Date(instantMs).toISOString()}`)
    }
  }
})
