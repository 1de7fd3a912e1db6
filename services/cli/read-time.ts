// The value of a flag that names a moment.
//
// In: ISO 8601, in UTC unless it says otherwise, or milliseconds since the epoch. Out:
// milliseconds. Refused: anything else, as commander wants it.

import { InvalidArgumentError } from 'commander'
import { readIsoTime } from '../core/iso-time.ts'

/** From 1973 to 5138: fewer digits are seconds, a year or a slip. */
const MILLISECONDS = /^\d{12,14}$/

export function readTime(text: string): number {
  const timeMs = MILLISECONDS.test(text) ? Number(text) : readIsoTime(text)
  if (timeMs !== null) return timeMs
  throw new InvalidArgumentError(
    'Expected a time such as 2026-01-31 or 2026-01-31T08:00Z (ISO 8601, UTC), or milliseconds.',
  )
}
