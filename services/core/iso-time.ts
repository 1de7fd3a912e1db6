// A moment as text: strict ISO 8601, the same on every machine.
//
//   2026-01-31    2026-01-31T08:00    2026-01-31 08:00:59.123456Z    2026-01-31T08:00:59+01:00
//
// In: a date, or a date and a time, with a T or a space between them, with a zone or without one.
// Out: ms since the epoch; digits behind the milliseconds are cut off. Refused (null): everything
// else, days that no calendar has, other orders of day and month. Invariants: no zone means UTC,
// and the zone of the machine has no say.

const PATTERN =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d(?::?\d\d)?)?)?$/

const MINUTE_MS = 60_000

export function readIsoTime(text: string): number | null {
  const match = PATTERN.exec(text)
  if (match === null) return null
  const [year, month, day, hour, minute, second] = match
    .slice(1, 7)
    .map((part) => Number(part ?? 0))
  const ms = Number((match[7] ?? '').slice(0, 3).padEnd(3, '0'))
  const zoneMs = readZone(match[8])
  if (hour! > 23 || minute! > 59 || second! > 59 || zoneMs === null) return null
  // Unlike Date.UTC, this takes years below 100 as they are.
  const date = new Date(0)
  date.setUTCFullYear(year!, month! - 1, day!)
  // A day that the month does not have would have moved on into the next one.
  if (date.getUTCMonth() !== month! - 1 || date.getUTCDate() !== day!) return null
  return date.setUTCHours(hour!, minute!, second!, ms) - zoneMs
}

function readZone(zone: string | undefined): number | null {
  if (zone === undefined || zone === 'Z') return 0
  const hours = Number(zone.slice(1, 3))
  const minutes = Number(zone.slice(3).replace(':', ''))
  if (hours > 14 || minutes > 59) return null
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * MINUTE_MS
}
