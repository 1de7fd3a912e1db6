// Some of the events a second time, by the naive oracle: loops over all history, nothing clever.
//
// In: events that were compared, of which a share is kept by the hash of their id; then all events
// once more, for the histories of the entities concerned. Out: findings where the oracle disagrees
// with the stages. Both read the same rows in the same order; they share no arithmetic. Bounded: at
// most as many events as asked for, and events with more than `historyMax` rows before them are
// passed over.

import { hashToShare } from '../../core/hash.ts'
import type { PipelineDefinition } from '../../core/pipeline-definition.ts'
import { SOURCE } from '../../pipeline/enrich/entity-log.ts'
import { planFeatures } from '../../pipeline/enrich/feature-plan.ts'
import type { Label, Transaction } from '../../pipeline/records.ts'
import { type Findings, sourceOf } from '../findings.ts'
import type { JoinedOutcome } from '../labels/joined-outcome.ts'
import type { Computed, PlacedOutcome } from '../placed-outcome.ts'
import { computeNaiveFeatures } from './naive-features.ts'
import type { Place } from './placed-vectors.ts'

const HISTORY_MAX = 20_000
/** Another one than that of drift samples. */
const SAMPLE_SEED = 7

type SecondOpinion = {
  /** Keeps the event if its turn has come. */
  readonly consider: (event: PlacedOutcome, computed: Computed) => void
  readonly sampled: () => number
  /** The second pass: collects histories. */
  readonly recall: (outcomes: readonly JoinedOutcome[]) => void
  /** Asks the oracle for all that was kept. */
  readonly ask: (findings: Findings) => void
}

type SecondOpinionOptions = {
  readonly definition: PipelineDefinition
  /** How many events are wanted, and of about how many. */
  readonly wanted: number
  readonly expected: number
  /** The label of a row of a label log, by the row's source. */
  readonly labelOf: (source: number) => Label
}

type Sample = {
  readonly event: PlacedOutcome
  readonly computed: Computed
  /** Per entity, rows of its log before the event, and the labels it saw. */
  readonly before: readonly number[]
  readonly labels: readonly (readonly Label[])[]
}

export function createSecondOpinion(options: SecondOpinionOptions): SecondOpinion {
  const { definition, wanted, expected } = options
  const { entities } = planFeatures(definition)
  const share = wanted / Math.max(1, expected)
  const samples: Sample[] = []
  /** Per entity, by key: the rows by ordinal, of which those below `needed` are collected. */
  const histories = entities.map(
    () => new Map<string, { needed: number; readonly rows: Transaction[] }>(),
  )

  const consider = (event: PlacedOutcome, { vector, isSaturated }: Computed): void => {
    const { record, slots, places } = event
    if (samples.length >= wanted || hashToShare(record.transactionId, SAMPLE_SEED) >= share) return
    const before = slots.map(({ log }, e) => log.base + places[e]!.visible)
    if (before.some((rows, e) => slots[e]!.start > 0 || rows > HISTORY_MAX)) return
    for (const [e, { key }] of slots.entries()) {
      const known = histories[e]!.get(key) ?? { needed: 0, rows: [] }
      histories[e]!.set(key, { ...known, needed: Math.max(known.needed, before[e]!) })
    }
    const labels = entities.map(({ labelColumn }) =>
      labelColumn < 0 ? [] : labelsAt(places[slots.length + labelColumn]!, options),
    )
    samples.push({ event, computed: { vector: vector.slice(), isSaturated }, before, labels })
  }

  const recall = (outcomes: readonly JoinedOutcome[]): void => {
    for (const { record, transaction } of outcomes) {
      for (const [e, { readKey }] of entities.entries()) {
        const ordinal = record.ordinals[e]!
        const history = histories[e]!.get(readKey(transaction))
        if (history === undefined || ordinal < 0 || ordinal >= history.needed) continue
        history.rows[ordinal] = transaction
      }
    }
  }

  const ask = (findings: Findings): void => {
    for (const { event, computed, before, labels } of samples) {
      const naive = computeNaiveFeatures(definition, {
        transaction: event.transaction,
        histories: entities.map(({ name }, e) => ({
          entity: name,
          before: histories[e]!.get(event.slots[e]!.key)!.rows.slice(0, before[e]),
          labels: labels[e]!,
        })),
      })
      const add = (subject: string, found: unknown, expected: unknown): void =>
        findings.add({
          kind: 'opinion',
          source: sourceOf(definition, event.record),
          transactionId: event.record.transactionId,
          subject,
          found: String(found),
          expected: String(expected),
          cause: 'the stages compute the one, the naive oracle the other: a defect of Weir',
        })
      for (const [f, { name }] of definition.features.entries()) {
        if (Object.is(computed.vector[f], naive.vector[f])) continue
        add(name, computed.vector[f], naive.vector[f])
      }
      if (computed.isSaturated === naive.isSaturated) continue
      add('saturated', computed.isSaturated, naive.isSaturated)
    }
  }

  return { consider, recall, ask, sampled: () => samples.length }
}

function labelsAt({ log, visible }: Place, { labelOf }: SecondOpinionOptions): Label[] {
  return Array.from({ length: visible }, (_, row) => labelOf(log.rows[row * log.stride + SOURCE]!))
}
