// What a scorer does when its store has lost something: put it back from the topics, then go on.
//
// In: the place. Out: a function that the lanes call when they find the store lost; it resolves
// when something was done about it, here or elsewhere. Thrown: WEIR_ENRICH_STATE_LOST where the
// topics do not hold what is needed. Invariants: once at a time in this process, and by the store's
// lease once among all; the lanes have fenced every commit before they call.

import type { Kafka } from '../adapters/kafka/client/kafka-client.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import type { LaneBounds } from '../lanes/lane-input.ts'
import type { FeaturePlan } from '../pipeline/enrich/feature-plan.ts'
import type { Observe } from '../pipeline/observe/signals.ts'
import { readCommittedLanes } from '../restore/committed-lanes.ts'
import type { RestoreHistory } from '../restore/plan/history.ts'
import type { AdmittingStages } from '../restore/read/admit-messages.ts'
import type { RestorableStore } from '../restore/restorable-store.ts'
import { runRestore } from '../restore/run-restore.ts'

type RestoreEnvironment = {
  readonly kafka: Kafka
  readonly groupId: string
  readonly definition: PipelineDefinition
  readonly plan: FeaturePlan
  readonly store: RestorableStore
  readonly history: RestoreHistory
  readonly stages: AdmittingStages
  readonly observe: Observe
  readonly bounds?: LaneBounds
}

export function createStoreRestore(place: RestoreEnvironment): () => Promise<void> {
  let running: Promise<void> | null = null
  return () => {
    running ??= restoreStore(place).finally(() => {
      running = null
    })
    return running
  }
}

async function restoreStore(place: RestoreEnvironment): Promise<void> {
  const { kafka, groupId, definition, observe } = place
  const startedMs = performance.now()
  const session = await place.store.begin()
  if (session === null) return
  try {
    const lanes = await readCommittedLanes(kafka, groupId, definition, place.bounds)
    const report = await runRestore({
      ...place,
      session,
      lanes,
      onProgress: (progress) => observe({ kind: 'restoring', ...progress }),
    })
    observe({ kind: 'restored', ...report, durationMs: performance.now() - startedMs })
  } finally {
    await session.end()
  }
}
