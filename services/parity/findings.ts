// What parity finds: counted by kind, the first of them kept in full.
//
// In: findings, one by one. Out: counts, and the first offenders with their ids, both values and
// the cause. Memory is bounded: beyond `offendersMax` a finding is only counted. Something that
// could not be checked is no finding: it is counted apart, by the reason, and never passes for
// equal.

import type { PipelineDefinition } from '../core/pipeline-definition.ts'

/** What may be wrong, and what it means. */
const findingKinds = {
  feature: 'a value of the vector is not what the logs of its entities give',
  saturated: 'the event says of itself that its windows were whole, or were not, and is wrong',
  lateness: 'the lateness is not that of the order of its partition',
  counted: 'an event was not counted though it was in time, or counted though it was too late',
  copied: 'a field of the event is not that of the message it was made from',
  labels: 'the event says it saw more labels than there are',
  outcome: 'a message was scored that the stages refuse, or refused that they accept',
  unreadable: 'a record of an output topic cannot be decoded',
  opinion: 'the naive oracle computes another value than the stages',
  ordinal_gap: 'no event has this ordinal of an entity',
  ordinal_clash: 'two events have the same ordinal of an entity',
  missing: 'a message has no outcome',
  duplicated: 'a message has more than one outcome',
  unknown: 'an outcome names a message that is not there',
} as const

export type FindingKind = keyof typeof findingKinds

export type Finding = {
  readonly kind: FindingKind
  /** Where the message stands: topic/partition/offset; null where it is a matter of a log. */
  readonly source: string | null
  readonly transactionId: string | null
  /** The feature, field or entity in question. */
  readonly subject: string
  readonly found: string
  readonly expected: string
  readonly cause: string
}

/** Why an event could not be checked. */
export const unverifiedReasons = {
  history: 'its windows reach further back than what was read',
  gap: 'an ordinal before it is missing from one of its logs',
  pending: 'an event before it in one of its logs is not committed yet',
  labels: 'the order of labels from several partitions could not be told',
  featureSet: 'it was scored with another list of features',
} as const

export type UnverifiedReason = keyof typeof unverifiedReasons

export type Findings = {
  /** @param count where one finding stands for several of its kind. */
  readonly add: (finding: Finding, count?: number) => void
  readonly leaveOut: (reason: UnverifiedReason) => void
  readonly countOf: (kind: FindingKind) => number
  readonly total: () => number
  readonly unverified: () => Readonly<Record<UnverifiedReason, number>>
  readonly offenders: readonly Finding[]
}

const OFFENDERS_MAX = 100

export function createFindings(offendersMax = OFFENDERS_MAX): Findings {
  const counts = zeros(findingKinds)
  const unverified = zeros(unverifiedReasons)
  const offenders: Finding[] = []
  return {
    add: (finding, count = 1) => {
      counts[finding.kind] += count
      if (offenders.length < offendersMax) offenders.push(finding)
    },
    leaveOut: (reason) => {
      unverified[reason]++
    },
    countOf: (kind) => counts[kind],
    total: () => Object.values(counts).reduce((sum, count) => sum + count, 0),
    unverified: () => ({ ...unverified }),
    offenders,
  }
}

const zeros = <Key extends string>(table: Readonly<Record<Key, string>>): Record<Key, number> =>
  Object.fromEntries(Object.keys(table).map((key) => [key, 0])) as Record<Key, number>

/** One line for people. */
export function describeFinding(finding: Finding): string {
  const { kind, source, transactionId, subject, found, expected, cause } = finding
  const who = [transactionId, source].filter((part) => part !== null).join(' at ')
  return `${kind}  ${who === '' ? '-' : who}  ${subject}: found ${found}, expected ${expected} (${cause})`
}

export type Source = { readonly sourcePartition: number; readonly sourceOffset: number }

/** Where the message of an event stands. */
export const sourceOf = (
  { topics }: PipelineDefinition,
  { sourcePartition, sourceOffset }: Source,
): string => `${topics.transactions}/${sourcePartition}/${sourceOffset}`
