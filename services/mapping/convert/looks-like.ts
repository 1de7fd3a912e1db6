// What a raw value seems to be, in words, for messages about values of the wrong kind.
//
// In: a raw value. Out: words such as 'epoch seconds' or 'day/month/year'; null where its kind says
// all that can be said. Refuses nothing. Invariant: never the value itself, and no part of it.

import { ExactDecimal, Instant, LocalTime } from '../../core/raw-values.ts'
import { readDecimal, toDouble } from './exact-decimal.ts'

/** 1990 and 2100, s: what lies between them is taken for a time. */
const plausibleFrom = 631_152_000
const plausibleUntil = 4_102_444_800

const epochs: readonly (readonly [name: string, perSecond: number])[] = [
  ['epoch seconds', 1],
  ['epoch milliseconds', 1e3],
  ['epoch microseconds', 1e6],
  ['epoch nanoseconds', 1e9],
]

const shapes: readonly (readonly [form: RegExp, name: string])[] = [
  [/^\s*$/, 'blank text'],
  [/^[A-Za-z]{3}$/, 'a code of three letters'],
  [/^(true|false)$/i, 'true or false as text'],
  [/^\d{4}-\d\d-\d\d$/, 'a date without a time'],
  [/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?$/, 'ISO 8601 without a zone'],
  [
    /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?\s?(Z|[+-]\d\d(:?\d\d)?)$/i,
    'ISO 8601 with a zone',
  ],
  [/^\d{8}T\d{6}/, 'ISO 8601 without separators'],
  [/^\d{4}\/\d{1,2}\/\d{1,2}\b/, 'year/month/day'],
  [/^\d{1,2}\.\d{1,2}\.\d{2,4}\b/, 'day.month.year'],
  [/^[A-Za-z]{3},? \d{1,2} [A-Za-z]{3} \d{4}/, 'a date of RFC 1123'],
  [/^\d{1,2}[- ][A-Za-z]{3}[- ]\d{2,4}\b/, 'day month year with a name of the month'],
  [/^\d{1,2}:\d\d(:\d\d)?/, 'a time of day without a date'],
  [/^0x[\da-f]+$/i, 'a hexadecimal number'],
  [/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i, 'a UUID'],
  [/^[\s$€£¥-]*\d{1,3}([.,' \u00a0]\d{3})+([.,]\d+)?\D*$/, 'a number with thousands separators'],
  [/^[\s$€£¥-]*\d+,\d+\D*$/, 'a number with a decimal comma'],
  [/^[[{].*[\]}]$/s, 'JSON text'],
]

/** Longer texts are neither numbers nor times. */
const textLengthMax = 100

export function looksLike(raw: unknown): string | null {
  if (typeof raw === 'string') return textLooksLike(raw)
  if (typeof raw === 'number' || typeof raw === 'bigint') return numberLooksLike(Number(raw))
  if (typeof raw === 'boolean') return 'true or false'
  if (typeof raw !== 'object' || raw === null) return null
  if (Array.isArray(raw)) return 'a list'
  if (raw instanceof Uint8Array) return 'bytes'
  if (raw instanceof Date || raw instanceof Instant) return 'an instant'
  if (raw instanceof LocalTime) return 'a time without a zone'
  return raw instanceof ExactDecimal ? numberLooksLike(toDouble(raw)) : 'an object'
}

function textLooksLike(text: string): string | null {
  const start = text.slice(0, textLengthMax)
  const shape = shapes.find(([form]) => form.test(start))
  if (shape !== undefined) return shape[1]
  const slashes = slashesLookLike(start)
  if (slashes !== null) return slashes
  const decimal = readDecimal(text.trim())
  return decimal === null ? null : `${numberLooksLike(toDouble(decimal))} as text`
}

function numberLooksLike(value: number): string {
  if (!Number.isFinite(value)) return 'no finite number'
  const epoch = epochs.find(
    ([, perSecond]) => value >= plausibleFrom * perSecond && value < plausibleUntil * perSecond,
  )
  if (epoch !== undefined) return epoch[0]
  if (isCompactDate(value)) return 'a date as yyyyMMdd'
  if (!Number.isInteger(value)) return 'a number with a fraction'
  return Number.isSafeInteger(value) ? 'a whole number' : 'a whole number beyond 2^53'
}

function isCompactDate(value: number): boolean {
  const [year, month, day] = [
    Math.floor(value / 10_000),
    Math.floor(value / 100) % 100,
    value % 100,
  ] as const
  if (!Number.isInteger(value) || year < 1990 || year >= 2100) return false
  return month >= 1 && month <= 12 && day >= 1 && day <= 31
}

/** Only a number above 12 tells days from months. */
function slashesLookLike(text: string): string | null {
  const match = /^(\d{1,2})([/-])(\d{1,2})\2(\d{4}|\d\d)\b/.exec(text)
  if (match === null) return null
  const [, first, sign, second] = match
  const dayFirst = `day${sign}month${sign}year`
  const monthFirst = `month${sign}day${sign}year`
  if (Number(first) > 12) return dayFirst
  return Number(second) > 12 ? monthFirst : `${dayFirst} or ${monthFirst}`
}
