// A time in ISO 8601 as ms since the epoch.
//
// In: text as `core/iso-time.ts` takes it, and the declared zone for times without one. Out: ms;
// finer digits are cut off; a date alone is where that day begins. Refused (undefined): other text,
// and a time without a zone where none is declared. Invariant: the same answers as `readIsoTime`,
// sooner where the text has the usual shape.

import { readIsoTime } from '../../../core/iso-time.ts'
import { clockMs, dayStartMs, offsetMs } from './civil.ts'
import type { ToInstant } from './zone.ts'

export function readIso(text: string, toInstant: ToInstant | null): number | undefined {
  const usual = readUsual(text, toInstant)
  if (!Number.isNaN(usual)) return usual
  const trimmed = text.trim()
  const ms = readIsoTime(trimmed)
  if (ms === null) return undefined
  if (hasZone(trimmed)) return ms
  return toInstant === null ? undefined : toInstant(ms)
}

/** Of a text without a zone of its own, and nothing else. */
export function readLocalIso(text: string, toInstant: ToInstant): number | undefined {
  return hasZone(text) ? undefined : readIso(text, toInstant)
}

/** Behind the minutes, where a time's shortest form ends. */
const zoneForm = /(?:Z|[+-]\d\d(?::?\d\d)?)$/
const hasZone = (text: string): boolean => text.length > 16 && zoneForm.test(text.slice(16))

const [dash, colon, letterT, blank, dot, letterZ] = [45, 58, 84, 32, 46, 90] as const

/** `2026-01-31T08:00:00`, perhaps with a fraction, `Z` or `+01:00`; NaN for all other text. */
function readUsual(text: string, toInstant: ToInstant | null): number {
  const parting = text.charCodeAt(10)
  const isShaped =
    (parting === letterT || parting === blank) &&
    text.charCodeAt(4) === dash &&
    text.charCodeAt(7) === dash &&
    text.charCodeAt(13) === colon &&
    text.charCodeAt(16) === colon
  if (!isShaped) return Number.NaN
  const day = dayStartMs(
    readTwo(text, 0) * 100 + readTwo(text, 2),
    readTwo(text, 5),
    readTwo(text, 8),
  )
  const clock = clockMs(readTwo(text, 11), readTwo(text, 14), readTwo(text, 17))
  const end = endOfFraction(text)
  const localMs = day + clock + readMs(text, end)
  if (end < text.length) return localMs - readZone(text, end)
  return toInstant === null || Number.isNaN(localMs) ? Number.NaN : toInstant(localMs)
}

/** The number of two digits; NaN where there are none. */
function readTwo(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 48
  const ones = text.charCodeAt(at + 1) - 48
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN
}

const isDigit = (code: number): boolean => code >= 48 && code <= 57

function endOfFraction(text: string): number {
  if (text.charCodeAt(19) !== dot) return 19
  let end = 20
  while (isDigit(text.charCodeAt(end))) end++
  return end
}

/** Of a fraction with one to nine digits that ends there. */
function readMs(text: string, end: number): number {
  if (end === 19) return 0
  if (end === 20 || end > 29) return Number.NaN
  let ms = 0
  for (let i = 20; i < 23; i++) ms = ms * 10 + (i < end ? text.charCodeAt(i) - 48 : 0)
  return ms
}

function readZone(text: string, at: number): number {
  const sign = text.charCodeAt(at)
  if (sign === letterZ && text.length === at + 1) return 0
  if (text.length !== at + 6 || text.charCodeAt(at + 3) !== colon) return Number.NaN
  if (sign !== dash && sign !== 43) return Number.NaN
  return offsetMs(sign === dash ? -1 : 1, readTwo(text, at + 1), readTwo(text, at + 4))
}
