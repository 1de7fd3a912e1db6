// Whom do the false alarms hit? Alerts and false-positive rates by country, mcc, channel and
// customer.
//
// In: transactions in the order of time with score and verdict. Out: per segment events, frauds,
// alerts and rates at the review threshold, largest first. A customer is new in the 7 days after
// the first transaction of the run; those of the run's own first 7 days are `too_early`, because
// anybody would be new then. Nothing is refused. Memory: one number per customer, and at most 1,000
// segments of a kind; what comes beyond them is counted together as `(others)`.

import type { Transaction } from '../pipeline/records.ts'
import { shareOf } from '../statistics/shares.ts'
import { dayMs } from './day-tally.ts'

const segmentKinds = ['country', 'mcc', 'channel', 'customer'] as const
export type SegmentKind = (typeof segmentKinds)[number]

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

const segmentsMax = 1000
const newForDays = 7

export function createSegmentTally(reviewFrom: number) {
  const kinds = segmentKinds.map(() => new Map<string, Segment>())
  const firstSeenMs = new Map<string, number>()
  let beginMs: number | null = null
  const ageOf = ({ customerId, eventTime }: Transaction): string => {
    const seenMs = firstSeenMs.get(customerId)
    if (eventTime - beginMs! < newForDays * dayMs) return 'too_early'
    return seenMs !== undefined && eventTime - seenMs >= newForDays * dayMs ? 'known' : 'new'
  }
  return {
    /** Every transaction, measured or not: it makes its customer known. */
    see: ({ customerId, eventTime }: Transaction): void => {
      beginMs ??= eventTime
      if (!firstSeenMs.has(customerId)) firstSeenMs.set(customerId, eventTime)
    },
    add: (transaction: Transaction, score: number, isFraud: boolean | null): void => {
      const { country, mcc, channel } = transaction
      const names = [country, mcc, channel, ageOf(transaction)]
      for (let kind = 0; kind < names.length; kind++) {
        count(segmentOf(kinds[kind]!, names[kind] ?? '(none)'), score >= reviewFrom, isFraud)
      }
    },
    measure: (): Record<SegmentKind, SegmentMeasures[]> =>
      Object.fromEntries(
        segmentKinds.map((name, kind) => [name, describeSegments(kinds[kind]!)]),
      ) as Record<SegmentKind, SegmentMeasures[]>,
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
