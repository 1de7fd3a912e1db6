// One byte per input offset: what its outcome must be, and what came of it.
//
// In: the messages of the range that is judged, as they are read, and all outcomes that name one of
// them. Out: findings for messages without an outcome, with several, with the wrong one, and for
// outcomes of messages that are not there. Memory is a byte per offset of the range, and it is all
// that grows with the range.

import type { PipelineDefinition } from '../../core/pipeline-definition.ts'
import { type Finding, type Findings, type Source, sourceOf } from '../findings.ts'

/** A message's outcome; a control record or a gap of the topic has none. */
const outcomes = ['scored', 'rejected', 'late'] as const
export type OutcomeKind = (typeof outcomes)[number]

/** Offsets [from, to) of a partition. */
export type Span = { readonly from: number; readonly to: number }

export type OutcomeLedger = {
  readonly isJudged: (place: Source) => boolean
  /** Notes a message of the topic with the outcome that the stages would give it. */
  readonly expect: (place: Source, outcome: OutcomeKind) => void
  /** Notes an outcome; false if the message has had one before. */
  readonly meet: (place: Source, outcome: OutcomeKind) => boolean
  /** Offset behind the last outcome of the partition; 0 for none. */
  readonly frontierOf: (partition: number) => number
  /** Messages that were noted and have no outcome yet. */
  readonly open: () => number
  /** Finds what is wrong with all messages before their partition's `end`. */
  readonly close: (endOf: (partition: number) => number) => void
  readonly report: (kind: LedgerFinding, place: Source, values: FoundExpected) => void
  readonly counts: () => Readonly<Record<OutcomeKind | 'received', number>>
}

type LedgerFinding = 'missing' | 'duplicated' | 'unknown' | 'outcome'
type FoundExpected = Pick<Finding, 'found' | 'expected'>

/**
 * Bits of an offset's byte: what is expected and what was met first, each as 1 + index, 0 = none.
 */
const EXPECTED = 0b0000_0011
const MET = 0b0000_1100
const MET_SHIFT = 2

type Page = Span & { readonly bytes: Uint8Array }

export function createOutcomeLedger(
  definition: PipelineDefinition,
  judged: ReadonlyMap<number, Span>,
  findings: Findings,
): OutcomeLedger {
  const pages = new Map<number, Page>()
  for (const [partition, { from, to }] of judged) {
    pages.set(partition, { from, to, bytes: new Uint8Array(Math.max(0, to - from)) })
  }
  const frontiers = new Map<number, number>()
  const counts = { scored: 0, rejected: 0, late: 0, received: 0 }
  let open = 0

  const pageOf = ({ sourcePartition, sourceOffset }: Source): Page | null => {
    const page = pages.get(sourcePartition)
    return page !== undefined && sourceOffset >= page.from && sourceOffset < page.to ? page : null
  }
  const report: OutcomeLedger['report'] = (kind, place, { found, expected }) => {
    const source = sourceOf(definition, place)
    const cause = causes[kind]
    findings.add({ kind, source, transactionId: null, subject: 'outcome', found, expected, cause })
  }

  return {
    isJudged: (place) => pageOf(place) !== null,
    expect: (place, outcome) => {
      const page = pageOf(place)
      if (page === null) return
      const at = place.sourceOffset - page.from
      page.bytes[at] = page.bytes[at]! | (outcomes.indexOf(outcome) + 1)
      counts.received++
      if ((page.bytes[at]! & MET) === 0) open++
    },
    meet: (place, outcome) => {
      const { sourcePartition, sourceOffset } = place
      frontiers.set(
        sourcePartition,
        Math.max(frontiers.get(sourcePartition) ?? 0, sourceOffset + 1),
      )
      const page = pageOf(place)
      if (page === null) return true
      const at = sourceOffset - page.from
      const byte = page.bytes[at]!
      if ((byte & MET) !== 0) {
        const expected = 'one outcome'
        report('duplicated', place, { found: `${outcome} once more`, expected })
        return false
      }
      page.bytes[at] = byte | ((outcomes.indexOf(outcome) + 1) << MET_SHIFT)
      counts[outcome]++
      if ((byte & EXPECTED) !== 0) open--
      return true
    },
    frontierOf: (partition) => frontiers.get(partition) ?? 0,
    open: () => open,
    close: (endOf) => {
      for (const [partition, { from, bytes }] of pages) {
        const end = Math.min(bytes.length, endOf(partition) - from)
        for (let at = 0; at < bytes.length; at++) {
          const expected = outcomes[(bytes[at]! & EXPECTED) - 1] ?? 'none'
          const found = outcomes[((bytes[at]! & MET) >> MET_SHIFT) - 1] ?? 'none'
          if (found === expected || (found === 'none' && at >= end)) continue
          const kind = found === 'none' ? 'missing' : expected === 'none' ? 'unknown' : 'outcome'
          const place = { sourcePartition: partition, sourceOffset: from + at }
          report(kind, place, { found, expected })
        }
      }
    },
    report,
    counts: () => counts,
  }
}

const causes = {
  missing: 'no output topic has a record of the message',
  duplicated: 'the outputs name the message more than once',
  unknown: 'the input topic has no message at this offset',
  outcome: 'the stages decide otherwise on the same bytes',
} as const
