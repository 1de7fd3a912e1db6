// The house for a replay: the rooms of the live path, with the memory store and files at the ends.
//
// In: batches in their order. Out: rows, in the same order, to `write`. Thrown: what a port throws.
// While a batch is being scored in the worker, the next one is enriched here. Invariants: the rooms
// are those of services/pipeline, called in the hallway's order; there is no publisher, no topic
// and no shared store, so a replay cannot touch live state.

import { createMemoryLogStore } from '../adapters/memory/memory-log-store.ts'
import { createOnnxClassifier, type OnnxClassifier } from '../adapters/onnx/onnx-classifier.ts'
import { assertInvariant } from '../core/errors.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import { classify } from '../pipeline/classify/classify.ts'
import { createBrake, decide, planLists } from '../pipeline/decide/decide.ts'
import { enrich } from '../pipeline/enrich/enrich.ts'
import { planFeatures } from '../pipeline/enrich/feature-plan.ts'
import type { Batch, DecidedBatch, EnrichedBatch, ScoredBatch } from '../pipeline/records.ts'
import { LABEL_LANE, TRANSACTION_LANE } from './replay-batches.ts'

export type ReplayRooms = {
  readonly epochs: readonly [number, number]
  readonly brakes: readonly [ReturnType<typeof createBrake>, ReturnType<typeof createBrake>]
  /** Null where only features are computed. */
  readonly classifier: OnnxClassifier | null
  /** Ends with what `signal` says, between two batches, and leaves nothing running. */
  readonly run: (
    batches: AsyncIterable<Batch>,
    write: RowSink,
    signal?: AbortSignal,
  ) => Promise<void>
  readonly close: () => Promise<void>
}

/** Gets each batch once, in order; `decided` is null where only features are computed. */
export type RowSink = (enriched: EnrichedBatch, decided: DecidedBatch | null) => void

/** Above every score: reasons are for those who act on a single event. */
const noReasons = 2

export async function openReplayRooms(
  definition: PipelineDefinition,
  isScoring: boolean,
): Promise<ReplayRooms> {
  const plan = planFeatures(definition)
  const store = createMemoryLogStore(plan.kinds)
  const claims = [await store.claim(TRANSACTION_LANE), await store.claim(LABEL_LANE)] as const
  const classifier = isScoring ? await openClassifier(definition) : null
  const enrichDeps = { plan, store, late: definition.late }
  const readKeyOf = (name: string) => plan.entities.find((entity) => entity.name === name)!.readKey
  const decideDeps = {
    policy: definition.policy,
    deny: planLists(definition.policy.deny, readKeyOf),
    allow: planLists(definition.policy.allow, readKeyOf),
  }

  const enrichAll = async (batch: Batch): Promise<EnrichedBatch> => {
    const enriched = await enrich(batch, enrichDeps)
    const transactions = batch.arrivals.reduce((n, arrival) => n + (arrival.transaction ? 1 : 0), 0)
    assertInvariant(
      enriched.count === transactions,
      `enrich passed ${enriched.count} of ${transactions} transactions of a replay`,
    )
    return enriched
  }
  const finish = async (scoring: Promise<ScoredBatch>, write: RowSink): Promise<void> => {
    const scored = await scoring
    write(scored.enriched, decide(scored, decideDeps))
  }

  return {
    epochs: [claims[0].epoch, claims[1].epoch],
    brakes: [createBrake(), createBrake()],
    classifier,
    run: async (batches, write, signal) => {
      let pending: Promise<ScoredBatch> | null = null
      try {
        for await (const batch of batches) {
          signal?.throwIfAborted()
          const enriched = await enrichAll(batch)
          if (classifier === null) {
            write(enriched, null)
            continue
          }
          const scoring = classify(enriched, { classifier, reasonsFrom: noReasons })
          // Its failure is met when it is awaited; until then it must not count as unhandled.
          scoring.catch(() => undefined)
          if (pending !== null) await finish(pending, write)
          pending = scoring
        }
        if (pending !== null) await finish(pending, write)
      } finally {
        // ONNX Runtime does not survive a worker that ends during a run.
        await pending?.catch(() => undefined)
      }
    },
    close: async () => {
      await classifier?.close()
      await store.close()
    },
  }
}

const openClassifier = (definition: PipelineDefinition): Promise<OnnxClassifier> =>
  createOnnxClassifier({
    models: { champion: definition.model.champion, challengers: [] },
    policy: definition.execution,
    features: definition.features.map(({ name }) => name),
    observe: () => undefined,
  })
