// Parts of a calendar date and a clock as ms, as if the place were UTC.
//
// In: whole numbers. Out: ms since the epoch in the proleptic Gregorian calendar, year 0 on.
// Refused (NaN): days that the month does not have, hours from 24, minutes and seconds from 60.
// Invariant: years below 100 are taken as they are.

const dayMs = 86_400_000
const monthDays = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

const isLeap = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)

const dayCountOf = (year: number, month: number): number =>
  month === 2 && isLeap(year) ? 29 : (monthDays[month] ?? 0)

/** ms at which the day begins. @param month from 1. */
export function dayStartMs(year: number, month: number, day: number): number {
  if (day < 1 || day > dayCountOf(year, month)) return Number.NaN
  // Years that begin in March, so that the leap day is their last: days before the month follow.
  const marchYear = month > 2 ? year : year - 1
  const marchMonth = (month + 9) % 12
  const days =
    365 * marchYear +
    Math.floor(marchYear / 4) -
    Math.floor(marchYear / 100) +
    Math.floor(marchYear / 400) +
    Math.floor((153 * marchMonth + 2) / 5) +
    day
  return (days - 719_469) * dayMs
}

/** ms since the day began. */
export function clockMs(hour: number, minute: number, second: number): number {
  if (hour > 23 || minute > 59 || second > 59) return Number.NaN
  return ((hour * 60 + minute) * 60 + second) * 1000
}

/** As far from UTC as any place is, and as `core/iso-time.ts` reads zones. */
export function offsetMs(sign: -1 | 1, hours: number, minutes: number): number {
  if (hours > 14 || minutes > 59) return Number.NaN
  return sign * (hours * 60 + minutes) * 60_000
}
