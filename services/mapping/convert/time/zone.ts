// Local times of an IANA zone as instants.
//
//   instants   ───────── T ─────────►      At T the offset goes from a to b. Local times before
//   offset         a     │     b           T + max(a, b) have a, the others b: times that a gap
//                                          skips move on by its length, of times that come twice
//                                          the earlier one is meant, as in java.time.
//
// In: a zone's name, once; local ms (the clock's parts as if they were UTC). Out: ms since the
// epoch. Refused: a name that Intl does not know (thrown, RangeError). Invariants: the zone of the
// machine has no say; a year's offsets are looked up once, one call of Intl per day of it.

const dayMs = 86_400_000
const yearDays = 366

export type ToInstant = (localMs: number) => number

/** Offsets of local times, from one year's first on: each holds until its end. */
type YearOffsets = {
  readonly untilMs: readonly number[]
  readonly offsetsMs: readonly number[]
}

const zones = new Map<string, ToInstant>()

/** Whether Intl knows a zone of that name. */
export function isTimeZone(name: string): boolean {
  try {
    zoneOf(name)
    return true
  } catch {
    return false
  }
}

export function zoneOf(name: string): ToInstant {
  const known = zones.get(name)
  if (known !== undefined) return known
  const zone = createZone(readOffsetsOf(name))
  zones.set(name, zone)
  return zone
}

function createZone(offsetAt: (instantMs: number) => number): ToInstant {
  const years = new Map<number, YearOffsets>()
  // The stretch of local time that the last answer lay in: most of the next ones do too.
  let fromMs = 0
  let untilMs = 0
  let offsetMs = 0
  return (localMs) => {
    if (localMs >= fromMs && localMs < untilMs) return localMs - offsetMs
    const year = Math.floor(localMs / (yearDays * dayMs))
    let offsets = years.get(year)
    if (offsets === undefined) {
      offsets = findOffsets(year * yearDays * dayMs, offsetAt)
      years.set(year, offsets)
    }
    const index = offsets.untilMs.findIndex((end) => localMs < end)
    fromMs = Math.max(year * yearDays * dayMs, offsets.untilMs[index - 1] ?? -Infinity)
    untilMs = offsets.untilMs[index]!
    offsetMs = offsets.offsetsMs[index]!
    return localMs - offsetMs
  }
}

/** @param startMs local; a year is 366 days here, from the epoch on, whatever the calendar says. */
function findOffsets(startMs: number, offsetAt: (instantMs: number) => number): YearOffsets {
  const endMs = startMs + yearDays * dayMs
  const untilMs: number[] = []
  const offsetsMs: number[] = []
  // No place is two days from UTC.
  let dayAt = startMs - 2 * dayMs
  let before = offsetAt(dayAt)
  for (; dayAt < endMs + 2 * dayMs; dayAt += dayMs) {
    const after = offsetAt(dayAt + dayMs)
    if (after === before) continue
    const changeMs = findChange(dayAt, dayAt + dayMs, offsetAt)
    untilMs.push(changeMs + Math.max(before, after))
    offsetsMs.push(before)
    before = after
  }
  untilMs.push(Infinity)
  offsetsMs.push(before)
  return { untilMs: untilMs.map((until) => Math.min(until, endMs)), offsetsMs }
}

/** The first ms of the offset that holds at `after`; at `before` another one does. */
function findChange(before: number, after: number, offsetAt: (ms: number) => number): number {
  const earlier = offsetAt(before)
  let low = before
  let high = after
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (offsetAt(middle) === earlier) low = middle
    else high = middle
  }
  return high
}

/** `GMT`, `GMT+05:45`, `GMT-04:56:02` at the end of what Intl writes. */
const writtenOffset = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/

function readOffsetsOf(zone: string): (instantMs: number) => number {
  const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' })
  return (instantMs) => {
    const [, sign, hours = 0, minutes = 0, seconds = 0] = writtenOffset.exec(
      format.format(instantMs),
    )!
    const ms = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000
    return sign === '-' ? -ms : ms
  }
}
