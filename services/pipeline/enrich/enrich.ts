// The enrich stage: transactions in, vectors out, with one call of the store per batch.
//
// In: a batch merged by event time, labels among it. Out: float32 vectors in the pipeline's order,
// ordinals and what was visible in each entity's log. Labels are appended to their entities' label
// logs and go no further. May be diverted: events later than `late.allowed` where the pipeline says
// so; otherwise those are scored on the log as it stands, as if appended, but not counted.
// Invariant: a vector depends only on the prefix of each log that ends with the event itself (and
// on the labels visible at its place), so a redelivered event gets the same vector again.

import type { PipelineDefinition } from '../../core/pipeline-definition.ts'
import type { Batch, EnrichedBatch } from '../records.ts'
import { collectRecords } from './collect-records.ts'
import { computeVectors } from './compute-vectors.ts'
import type { FeaturePlan } from './feature-plan.ts'
import type { EntityLogStore } from './log-store.ts'

export type EnrichDeps = {
  readonly plan: FeaturePlan
  readonly store: EntityLogStore
  readonly late: PipelineDefinition['late']
}

export async function enrich(batch: Batch, deps: EnrichDeps): Promise<EnrichedBatch> {
  const collected = collectRecords(batch, deps)
  const reply = await deps.store.advance({ lanes: batch.lanes, records: collected.records })
  return computeVectors(batch, collected, reply, deps.plan)
}
