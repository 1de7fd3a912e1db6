// Whom do the false alarms hit? Alerts and false-positive rates by some fields, and by whether the
// customer (whom a transaction is of) is new.
//
// In: transactions in the order of time with score and verdict. Out: per segment events, frauds,
// alerts and rates at the review threshold, largest first. A customer is new in the 7 days after
// the first transaction of the run; those of the run's own first 7 days are `too_early`, because
// anybody would be new then. Nothing is refused. Memory: one number per customer, and at most 1,000
// segments of a kind; what comes beyond them is counted together as `(others)`.

import type { EventRoles } from '../pipeline/event-roles.ts'
import type { Transaction } from '../pipeline/records.ts'
import { shareOf } from '../statistics/shares.ts'
import { dayMs } from './day-tally.ts'

/** Who has been seen before, beside the groups by field. */
export const SUBJECT_KIND = 'customer'

export type SegmentMeasures = {
  readonly segment: string
  readonly events: number
  readonly frauds: number
  readonly genuine: number
  readonly alerts: number
  readonly falseAlerts: number
  readonly falsePositiveRate: number | null
  readonly recall: number | null
}

type Segment = {
  events: number
  frauds: number
  genuine: number
  alerts: number
  falseAlerts: number
  caught: number
}

type SegmentRoles = Pick<EventRoles, 'segments' | 'subjectOf'>

const segmentsMax = 1000
const newForDays = 7

export function createSegmentTally(reviewFrom: number, { segments, subjectOf }: SegmentRoles) {
  const names = [...segments, SUBJECT_KIND]
  const kinds = names.map(() => new Map<string, Segment>())
  const firstSeenMs = new Map<string, number>()
  let beginMs: number | null = null
  const ageOf = (transaction: Transaction): string => {
    const { eventTime } = transaction
    const seenMs = firstSeenMs.get(subjectOf(transaction))
    if (eventTime - beginMs! < newForDays * dayMs) return 'too_early'
    return seenMs !== undefined && eventTime - seenMs >= newForDays * dayMs ? 'known' : 'new'
  }
  return {
    /** Every transaction, measured or not: it makes its customer known. */
    see: (transaction: Transaction): void => {
      const { eventTime } = transaction
      const subject = subjectOf(transaction)
      beginMs ??= eventTime
      if (!firstSeenMs.has(subject)) firstSeenMs.set(subject, eventTime)
    },
    add: (transaction: Transaction, score: number, isFraud: boolean | null): void => {
      const isAlert = score >= reviewFrom
      for (let kind = 0; kind < segments.length; kind++) {
        const value = transaction[segments[kind]!] ?? '(none)'
        count(segmentOf(kinds[kind]!, String(value)), isAlert, isFraud)
      }
      count(segmentOf(kinds[segments.length]!, ageOf(transaction)), isAlert, isFraud)
    },
    measure: (): Record<string, SegmentMeasures[]> =>
      Object.fromEntries(names.map((name, kind) => [name, describeSegments(kinds[kind]!)])),
  }
}

function segmentOf(segments: Map<string, Segment>, name: string): Segment {
  const known = segments.get(name)
  if (known !== undefined) return known
  if (segments.size >= segmentsMax && name !== '(others)') return segmentOf(segments, '(others)')
  const fresh = { events: 0, frauds: 0, genuine: 0, alerts: 0, falseAlerts: 0, caught: 0 }
  segments.set(name, fresh)
  return fresh
}

function count(segment: Segment, isAlert: boolean, isFraud: boolean | null): void {
  segment.events++
  if (isFraud === true) segment.frauds++
  else if (isFraud === false) segment.genuine++
  if (!isAlert) return
  segment.alerts++
  if (isFraud === true) segment.caught++
  else if (isFraud === false) segment.falseAlerts++
}

const describeSegments = (segments: ReadonlyMap<string, Segment>): SegmentMeasures[] =>
  [...segments]
    .sort(([a, { events: most }], [b, { events }]) => events - most || (a < b ? -1 : 1))
    .map(([segment, { caught, ...counts }]) => ({
      segment,
      ...counts,
      falsePositiveRate: shareOf(counts.falseAlerts, counts.genuine),
      recall: shareOf(caught, counts.frauds),
    }))
