// How far a zone's clocks are ahead of UTC at a moment, from Node's own zone data.
//
// In: an IANA name and a moment. Out: ms, negative in the west; null for a zone that is unknown.
// Invariants: depends on name and moment alone; what is remembered is bounded. An answer of Intl
// takes microseconds, so each zone remembers those of the minutes it was asked for last: clocks are
// changed at whole minutes, and events come nearly in order. Before 1973 some were not, so nothing
// is remembered there.

type Zone = {
  readonly format: Intl.DateTimeFormat
  readonly offsets: Map<number, number>
}

const MINUTE_MS = 60_000
const REMEMBERED_FROM = Date.UTC(1973, 0, 1)
const zonesMax = 1000
const minutesMax = 2048

/** null: asked for and unknown. */
const zones = new Map<string, Zone | null>()

export const isZone = (name: string): boolean => findZone(name) !== null

export function zoneOffsetMs(name: string, timeMs: number): number | null {
  const zone = findZone(name)
  if (zone === null) return null
  if (timeMs < REMEMBERED_FROM) return readOffset(zone, timeMs)
  const minute = Math.floor(timeMs / MINUTE_MS)
  let offset = zone.offsets.get(minute)
  if (offset === undefined) {
    offset = readOffset(zone, minute * MINUTE_MS)
    if (zone.offsets.size >= minutesMax) zone.offsets.clear()
    zone.offsets.set(minute, offset)
  }
  return offset
}

function findZone(name: string): Zone | null {
  let zone = zones.get(name)
  if (zone === undefined) {
    zone = openZone(name)
    if (zones.size >= zonesMax) zones.clear()
    zones.set(name, zone)
  }
  return zone
}

function openZone(name: string): Zone | null {
  try {
    const format = new Intl.DateTimeFormat('en-US-u-ca-gregory-nu-latn', {
      timeZone: name,
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    return { format, offsets: new Map() }
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

function readOffset({ format }: Zone, timeMs: number): number {
  const second = Math.floor(timeMs / 1000) * 1000
  const parts: Record<string, string> = {}
  for (const { type, value } of format.formatToParts(second)) parts[type] = value
  const read = (name: string): number => Number(parts[name])
  const year = parts.era === 'BC' ? 1 - read('year') : read('year')
  const wall = new Date(0)
  // Unlike Date.UTC, this takes years below 100 as they are.
  wall.setUTCFullYear(year, read('month') - 1, read('day'))
  return wall.setUTCHours(read('hour'), read('minute'), read('second')) - second
}
