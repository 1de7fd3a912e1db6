// A time written after a pattern as ms since the epoch.
//
// In: a pattern, compiled once to one expression; text, or a whole number that is written so
// (20260131). Out: ms; digits behind the ms are cut off; two digits of a year are 2000 on; without
// a year it is the one that brings the time nearest to the reference. Refused (undefined): text
// that the pattern does not cover from end to end, days that do not exist, a time without a zone
// where none is declared, no year and no reference. A faulty pattern throws; `checkPattern` comes
// first.

import { clockMs, dayStartMs, offsetMs } from './civil.ts'
import { type PatternLetter, type PatternPart, readPattern } from './pattern-parts.ts'
import type { ToInstant } from './zone.ts'

/** @returns the fault in words; null = the pattern can be used. */
export function checkPattern(pattern: string): string | null {
  const parts = readPattern(pattern)
  return typeof parts === 'string' ? parts : null
}

type ReadPatternTime = (raw: unknown, referenceMs: number | undefined) => number | undefined

export function createPatternReader(pattern: string, toInstant: ToInstant | null): ReadPatternTime {
  const parts = readPattern(pattern)
  if (typeof parts === 'string') throw new RangeError(`The pattern ${pattern}: ${parts}`)
  const expression = new RegExp(`^${parts.map(expressionOf).join('')}$`)
  const read = createGroupReader(parts)
  return (raw, referenceMs) => {
    const match = expression.exec(textOf(raw))
    if (match === null) return undefined
    const clock = read.clock(match)
    const zone = read.zone(match)
    const at = (year: number): number => {
      const localMs = dayStartMs(year, read.month(match), read.day(match)) + clock
      if (Number.isNaN(localMs)) return Number.NaN
      return zone === null ? (toInstant?.(localMs) ?? Number.NaN) : localMs - zone
    }
    const ms = read.year === null ? nearest(at, referenceMs) : at(read.year(match))
    return Number.isNaN(ms) ? undefined : ms
  }
}

function textOf(raw: unknown): string {
  if (typeof raw === 'string') return raw.trim()
  return Number.isSafeInteger(raw) || typeof raw === 'bigint' ? String(raw) : ''
}

/** Of the years around the reference the one whose time is nearest; the earlier one of two. */
function nearest(at: (year: number) => number, referenceMs: number | undefined): number {
  if (referenceMs === undefined) return Number.NaN
  const year = new Date(referenceMs).getUTCFullYear()
  let best = Number.NaN
  for (const ms of [at(year - 1), at(year), at(year + 1)]) {
    const isNearer = Math.abs(ms - referenceMs) < Math.abs(best - referenceMs)
    if (Number.isNaN(best) || isNearer) best = ms
  }
  return best
}

const months =
  'January February March April May June July August September October November December'.split(' ')

const inAnyCase = (name: string): string =>
  [...name].map((letter) => `[${letter.toUpperCase()}${letter.toLowerCase()}]`).join('')

function expressionOf(part: PatternPart): string {
  if (part.kind === 'literal') return part.text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
  const { letter, width } = part
  if (letter === 'a') return '([AaPp])[Mm]'
  if (letter === 'Z') return '([+-]\\d{4})'
  if (letter === 'X')
    return ['(Z|[+-]\\d\\d(?:\\d\\d)?)', '(Z|[+-]\\d{4})', '(Z|[+-]\\d\\d:\\d\\d)'][width - 1]!
  if (letter === 'M' && width > 2)
    return `(${months.map((name) => inAnyCase(shown(name, width))).join('|')})`
  return width === 1 && letter !== 'S' ? '(\\d{1,2})' : `(\\d{${width}})`
}

const shown = (name: string, width: number): string => (width === 3 ? name.slice(0, 3) : name)

type Groups = readonly (string | undefined)[]

type GroupReader = {
  readonly year: ((groups: Groups) => number) | null
  readonly month: (groups: Groups) => number
  readonly day: (groups: Groups) => number
  /** ms since the day began; NaN where no clock shows that. */
  readonly clock: (groups: Groups) => number
  /** ms from UTC; null where the pattern has no zone. */
  readonly zone: (groups: Groups) => number | null
}

function createGroupReader(parts: readonly PatternPart[]): GroupReader {
  const fields = parts.filter((part) => part.kind === 'field')
  const at = (letter: PatternLetter): number =>
    fields.findIndex((field) => field.letter === letter) + 1
  const widthOf = (letter: PatternLetter): number => fields[at(letter) - 1]?.width ?? 0
  const [monthAt, dayAt, yearAt] = [at('M'), at('d'), at('y')]
  const zoneAt = Math.max(at('Z'), at('X'))
  const centuries = widthOf('y') === 2 ? 2000 : 0
  return {
    year: yearAt === 0 ? null : (groups) => centuries + Number(groups[yearAt]),
    month:
      widthOf('M') > 2
        ? (groups) => monthOf(groups[monthAt]!)
        : (groups) => Number(groups[monthAt]),
    day: (groups) => Number(groups[dayAt]),
    clock: createClockReader(at),
    zone: (groups) => (zoneAt === 0 ? null : zoneOfText(groups[zoneAt]!)),
  }
}

const monthOf = (name: string): number => {
  const short = name.slice(0, 3).toLowerCase()
  return months.findIndex((month) => month.slice(0, 3).toLowerCase() === short) + 1
}

function createClockReader(at: (letter: PatternLetter) => number): (groups: Groups) => number {
  const [hourAt, halfHourAt, halfAt] = [at('H'), at('h'), at('a')]
  const [minuteAt, secondAt, fractionAt] = [at('m'), at('s'), at('S')]
  const numberAt = (groups: Groups, index: number): number =>
    index === 0 ? 0 : Number(groups[index])
  return (groups) => {
    const hour =
      halfAt === 0
        ? numberAt(groups, hourAt)
        : hourOfHalf(Number(groups[halfHourAt]), groups[halfAt] as string)
    const ms = fractionAt === 0 ? 0 : Number(groups[fractionAt]!.slice(0, 3).padEnd(3, '0'))
    return clockMs(hour, numberAt(groups, minuteAt), numberAt(groups, secondAt)) + ms
  }
}

/** 12 AM is midnight, 12 PM noon. */
function hourOfHalf(hour: number, half: string): number {
  if (hour < 1 || hour > 12) return Number.NaN
  return (hour % 12) + (half === 'P' || half === 'p' ? 12 : 0)
}

function zoneOfText(text: string): number {
  if (text === 'Z') return 0
  const minutes = Number(text.slice(3).replace(':', ''))
  return offsetMs(text.startsWith('-') ? -1 : 1, Number(text.slice(1, 3)), minutes)
}
