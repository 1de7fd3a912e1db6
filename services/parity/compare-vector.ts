// One published event against what the stages compute for it, bit for bit.
//
// In: the event as published, the row that was computed on its logs, the message it was made from.
// Out: a finding for each value that differs. Floats are compared by their bits: the same code on
// the same rows leaves nothing to tolerance.

import {
  type FeatureDefinition,
  looksAtLabels,
  type PipelineDefinition,
} from '../core/pipeline-definition.ts'
import { NO_KEY, planKey } from '../pipeline/entity-key.ts'
import type { EnrichedBatch, Transaction } from '../pipeline/records.ts'
import { type Finding, type Findings, sourceOf } from './findings.ts'
import type { PlacedOutcome } from './placed-outcome.ts'

type CompareOptions = {
  readonly definition: PipelineDefinition
  readonly findings: Findings
}

export function compareVector(
  event: PlacedOutcome,
  { vectors, saturated }: Pick<EnrichedBatch, 'vectors' | 'saturated'>,
  row: number,
  { definition, findings }: CompareOptions,
): void {
  const { record, isUnsure } = event
  const { features } = definition
  const from = row * features.length
  const different = features.filter((_, f) => !Object.is(record.features[f], vectors[from + f]))
  const isSaturated = saturated[row] === 1
  if (different.length === 0 && record.saturated === isSaturated) return
  const blamed = isUnsure
    ? different.filter((feature) => !isOfLabels(feature, features))
    : different
  if (blamed.length < different.length) findings.leaveOut('labels')
  const add = (kind: 'feature' | 'saturated', subject: string, found: unknown, expected: unknown) =>
    findings.add({
      kind,
      source: sourceOf(definition, record),
      transactionId: record.transactionId,
      subject,
      found: String(found),
      expected: String(expected),
      cause: describePlace(event, definition, subject),
    })
  for (const { name } of blamed) {
    const f = features.findIndex((feature) => feature.name === name)
    add('feature', name, record.features[f], vectors[from + f])
  }
  if (record.saturated !== isSaturated) add('saturated', 'saturated', record.saturated, isSaturated)
}

/** A feature of labels, or a ratio of one. */
function isOfLabels(feature: FeatureDefinition, all: readonly FeatureDefinition[]): boolean {
  if (looksAtLabels(feature)) return true
  if (feature.kind !== 'ratio') return false
  const { numerator, denominator } = feature
  return all.some(
    (other) => (other.name === numerator || other.name === denominator) && isOfLabels(other, all),
  )
}

/** Where to look: the log and the place in it that the feature is computed from. */
function describePlace(
  { record, slots }: PlacedOutcome,
  { features, entities, hash }: PipelineDefinition,
  name: string,
): string {
  const feature = features.find((candidate) => candidate.name === name)
  const shown = entities.flatMap((entity, e) => {
    if (feature?.kind === 'window' && feature.entity !== entity.name) return []
    if (feature?.kind === 'field' || feature?.kind === 'calendar') return []
    const ordinal = record.ordinals[e]!
    const place = ordinal < 0 ? `not counted, behind ${record.eventsSeen[e]}` : `ordinal ${ordinal}`
    return [`${entity.name} ${slots[e]!.key} ${place}`]
  })
  const place = shown.length === 0 ? 'from the transaction alone' : shown.join(', ')
  const isOther = !hash.startsWith(record.pipelineHash)
  return isOther ? `${place}; scored by pipeline ${record.pipelineHash}` : place
}

/** What an event copies from its message, and whether it had to be counted. */
export function compareMessage(
  {
    record,
    transaction,
    latenessMs,
  }: {
    readonly record: PlacedOutcome['record']
    readonly transaction: Transaction
    /** By the order of the partition. */
    readonly latenessMs: number
  },
  { definition, findings }: CompareOptions,
): void {
  const add = (rest: Pick<Finding, 'kind' | 'subject' | 'found' | 'expected' | 'cause'>): void =>
    findings.add({
      source: sourceOf(definition, record),
      transactionId: record.transactionId,
      ...rest,
    })
  const copied = [
    ['transactionId', record.transactionId, transaction.transactionId],
    ['eventTime', record.eventTime, transaction.eventTime],
    ...definition.entities.map(({ name, key }) => {
      return [name, record.keys[name] ?? NO_KEY, planKey(key)(transaction)]
    }),
    ...definition.output.carry.map((field) => [
      field,
      record.carried[field],
      transaction[field] ?? null,
    ]),
  ]
  for (const [subject, found, expected] of copied) {
    if (Object.is(found, expected)) continue
    const cause = 'the message says otherwise'
    add({
      kind: 'copied',
      subject: `${subject}`,
      found: `${found}`,
      expected: `${expected}`,
      cause,
    })
  }
  if (record.latenessMs !== latenessMs) {
    const cause = 'events before it in its partition'
    const [found, expected] = [`${record.latenessMs} ms`, `${latenessMs} ms`]
    add({ kind: 'lateness', subject: 'latenessMs', found, expected, cause })
  }
  const mustCount = latenessMs <= definition.late.allowedMs
  // An entity that the event does not name counts nothing.
  const isCounted = (ordinal: number, e: number): boolean =>
    ordinal >= 0 === (mustCount && record.keys[definition.entities[e]!.name] !== undefined)
  if (record.ordinals.every(isCounted)) return
  const expected = mustCount ? 'an ordinal for each entity' : 'none'
  const cause = `${latenessMs} ms late, allowed ${definition.late.allowedMs} ms`
  add({ kind: 'counted', subject: 'ordinals', found: `${record.ordinals}`, expected, cause })
}
