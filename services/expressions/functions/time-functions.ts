// Functions over times: the parts of a moment, and the time between two.
//
// In: ms since the epoch, and an IANA zone; UTC where none is said. Out: numbers; absent where the
// moment is none that a calendar has, or the zone is unknown. Refused: an unknown zone that is
// written in the expression itself. Invariants: Monday is weekday 0, January is month 1; the
// machine's zone and clock have no say.

import type { FieldValue } from '../../core/input-mapping.ts'
import type { ExpressionFunction } from './expression-function.ts'
import { isZone, zoneOffsetMs } from './zone-offset.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** The last moment that a Date can hold, on either side of the epoch. */
const MOMENT_MAX = 8.64e15

const remainder = (value: number, by: number): number => value - by * Math.floor(value / by)

/** A part of the moment as a clock on the wall of that zone shows it. */
function wallPart(
  name: string,
  sentence: string,
  read: (wallMs: number) => number,
): ExpressionFunction {
  return {
    name,
    parameters: { time: 'number', zone: 'text?' },
    result: 'number',
    sentence,
    apply: (timeMs: number, zone?: string) => {
      if (!isMoment(timeMs)) return null
      const offsetMs = zone === undefined ? 0 : zoneOffsetMs(zone, timeMs)
      return offsetMs === null ? null : read(timeMs + offsetMs)
    },
    refuse: (parameter, value) =>
      parameter === 'zone' && !isZone(String(value)) ? 'no time zone has this name' : null,
  }
}

const isMoment = (timeMs: number): boolean => Math.abs(timeMs) <= MOMENT_MAX

export const timeFunctions: readonly ExpressionFunction[] = [
  wallPart('hour', 'The hour of the day, 0 to 23.', (wallMs) =>
    Math.floor(remainder(wallMs, DAY_MS) / HOUR_MS),
  ),
  // The epoch began on a Thursday.
  wallPart('weekday', 'The day of the week: Monday is 0, Sunday is 6.', (wallMs) =>
    remainder(Math.floor(wallMs / DAY_MS) + 3, 7),
  ),
  wallPart('dayOfMonth', 'The day of the month, from 1.', (wallMs) =>
    new Date(wallMs).getUTCDate(),
  ),
  wallPart('month', 'The month: January is 1.', (wallMs) => new Date(wallMs).getUTCMonth() + 1),
  wallPart('year', 'The year.', (wallMs) => new Date(wallMs).getUTCFullYear()),
  {
    name: 'ageYears',
    parameters: { time: 'number', birth: 'number' },
    result: 'number',
    sentence: 'Whole years from the day of birth to the day of `time`, by the calendar in UTC.',
    apply: ageYears,
  },
  {
    name: 'daysBetween',
    parameters: { from: 'number', to: 'number' },
    result: 'number',
    sentence: 'Days of 24 hours from one moment to another, with decimals; below 0 backwards.',
    apply: (fromMs: number, toMs: number) => (toMs - fromMs) / DAY_MS,
  },
]

/** Who was born on February 29 is a year older on March 1 where there is no 29th. */
function ageYears(timeMs: number, birthMs: number): FieldValue {
  if (!isMoment(timeMs) || !isMoment(birthMs) || birthMs > timeMs) return null
  const now = new Date(timeMs)
  const birth = new Date(birthMs)
  const years = now.getUTCFullYear() - birth.getUTCFullYear()
  const months = now.getUTCMonth() - birth.getUTCMonth()
  const isBefore = months < 0 || (months === 0 && now.getUTCDate() < birth.getUTCDate())
  return isBefore ? years - 1 : years
}
