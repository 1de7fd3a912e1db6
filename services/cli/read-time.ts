// The value of a flag that names a moment.
//
// In: ISO 8601 or milliseconds since the epoch. Out: milliseconds. Refused: anything else, as commander
// wants it.

import { InvalidArgumentError } from 'commander'

/** ISO 8601, in UTC unless it says otherwise, or milliseconds since the epoch. */
export function readTime(text: string): number {
  const hasZone = /(?:Z|[+-]\d{2}:?\d{2})$/.test(text)
  const timeMs = /^\d{11,}$/.test(text)
    ? Number(text)
    : Date.parse(hasZone || !text.includes('T') ? text : `${text}Z`)
  if (Number.isFinite(timeMs)) return timeMs
  throw new InvalidArgumentError('Expected a time such as 2026-01-31T08:00Z, or milliseconds.')
}
