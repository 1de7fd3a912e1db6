// Every published vector computed again, from what a test holds in memory.
//
// In: the pipeline, the scored events, the transactions and labels that came in. Out: what differs,
// as sentences. The proof itself is that of `weir parity` (services/parity/recomputation.ts);
// labels are taken in the order given, so that a test that knows the order of a log has it checked
// as well.

import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'
import { compareMessage } from '../../services/parity/compare-vector.ts'
import { createFindings, describeFinding } from '../../services/parity/findings.ts'
import { type LabelShelf, shelveLabels } from '../../services/parity/labels/label-orders.ts'
import { createRecomputation } from '../../services/parity/recomputation.ts'
import { planFeatures } from '../../services/pipeline/enrich/feature-plan.ts'
import type { Ceilings } from '../../services/pipeline/enrich/fold-log.ts'
import type { ScoredTransactionRecord } from '../../services/pipeline/publish/output-records.ts'
import type { Label, Transaction } from '../../services/pipeline/records.ts'

export type ScoringHistory = {
  readonly scored: readonly ScoredTransactionRecord[]
  readonly transactionOf: (event: ScoredTransactionRecord) => Transaction
  /** Labels in the order in which an entity's logs got them; only the order within a log counts. */
  readonly labelsOf: (entity: string) => readonly Label[]
}

export type Recomputation = {
  readonly vectors: number
  /** Human words, one per difference. */
  readonly differences: readonly string[]
}

export async function recomputeVectors(
  definition: PipelineDefinition,
  { scored, transactionOf, labelsOf }: ScoringHistory,
  ceilings?: Ceilings,
): Promise<Recomputation> {
  const findings = createFindings()
  const recomputation = createRecomputation({
    definition,
    labels: shelve(definition, labelsOf),
    findings,
    ...(ceilings === undefined ? {} : { ceilings }),
  })
  const outcomes = scored.map((record) => ({
    record,
    transaction: transactionOf(record),
    isJudged: true,
  }))
  for (const { record, transaction } of outcomes) {
    // The order of a partition, and so the lateness, is not known here.
    const { latenessMs } = record
    compareMessage({ record, transaction, latenessMs }, { definition, findings })
  }
  recomputation.take(outcomes)
  recomputation.finish()
  const unverified = Object.entries(findings.unverified()).filter(([, count]) => count > 0)
  return {
    vectors: scored.length,
    differences: [
      ...findings.offenders.map(describeFinding),
      ...unverified.map(([reason, count]) => `${count} events are unverified: ${reason}`),
    ],
  }
}

/** As if all labels of an entity had come through one partition. */
function shelve(definition: PipelineDefinition, labelsOf: ScoringHistory['labelsOf']): LabelShelf {
  const plan = planFeatures(definition)
  const shelves = definition.entities.map(({ name }): [string, LabelShelf] => {
    const placed = labelsOf(name).map((label, offset) => ({ partition: 0, offset, label }))
    return [`${name}.labels`, shelveLabels(placed, plan)]
  })
  return new Map(
    shelves.flatMap(([kind, shelf]) => {
      const books = shelf.get(kind)
      return books === undefined ? [] : [[kind, books] as const]
    }),
  )
}
