// What parity reports: counts whose names others script against, and the first offenders.
//
// In: findings and the ledger. Out: the report, and whether it says that all is well. What was not
// verified is no difference, and the report says how much it was and why.

import type { Finding, FindingKind, Findings, UnverifiedReason } from './findings.ts'
import type { OutcomeLedger } from './labels/outcome-ledger.ts'

export type ParityReport = {
  /** Scored events of the range. */
  readonly events: number
  /** Values and verdicts that differ: of vectors, fields, lateness and outcomes. */
  readonly differences: number
  readonly ordinalGaps: number
  readonly ordinalClashes: number
  readonly missing: number
  readonly duplicated: number
  readonly unknown: number
  /** Events whose vectors could not be checked. */
  readonly unverified: number
  readonly unverifiedBecause: Readonly<Record<UnverifiedReason, number>>
  /** Messages of the range, and their other outcomes. */
  readonly received: number
  readonly rejected: number
  readonly late: number
  /** Events that the naive oracle was asked for. */
  readonly sampled: number
  readonly offenders: readonly Finding[]
}

/** Findings that have a count of their own. */
const countedApart: ReadonlySet<FindingKind> = new Set([
  'ordinal_gap',
  'ordinal_clash',
  'missing',
  'duplicated',
  'unknown',
] as const)

type ReportParts = {
  readonly findings: Findings
  readonly ledger: OutcomeLedger
  readonly sampled: number
}

export function composeReport({ findings, ledger, sampled }: ReportParts): ParityReport {
  const { countOf } = findings
  const apart = [...countedApart].reduce((sum, kind) => sum + countOf(kind), 0)
  const unverifiedBecause = findings.unverified()
  const { scored, received, rejected, late } = ledger.counts()
  return {
    events: scored,
    differences: findings.total() - apart,
    ordinalGaps: countOf('ordinal_gap'),
    ordinalClashes: countOf('ordinal_clash'),
    missing: countOf('missing'),
    duplicated: countOf('duplicated'),
    unknown: countOf('unknown'),
    unverified: Object.values(unverifiedBecause).reduce((sum, count) => sum + count, 0),
    unverifiedBecause,
    received,
    rejected,
    late,
    sampled,
    offenders: findings.offenders,
  }
}

/** Whether nothing at all was found. */
export const isEqual = (report: ParityReport): boolean =>
  report.differences + report.ordinalGaps + report.ordinalClashes === 0 &&
  report.missing + report.duplicated + report.unknown === 0
