// The pipeline for a replay: the stages of the live path, with a store of its own and files at the
// ends.
//
// In: batches in their order. Out: rows, in the same order, to `write`. Thrown: what a port throws.
// Invariants: the pipeline of services/pipeline is walked as the live path walks it, up to decide;
// there is no publisher, no topic and no store that live scorers know, so a replay cannot touch
// live state.

import { setImmediate as turnOfTheLoop } from 'node:timers/promises'
import { createOnnxClassifier } from '../adapters/onnx/onnx-classifier.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import { noSignatures, type SignaturePolicy } from '../models/manifest-signature.ts'
import type { Classifier, FixedClassifier } from '../pipeline/classify/classifier.ts'
import { planDecide } from '../pipeline/decide/decide.ts'
import { planFeatures } from '../pipeline/enrich/feature-plan.ts'
import { observeNothing } from '../pipeline/observe/signals.ts'
import { createJudge } from '../pipeline/pipeline.ts'
import type { Batch, DecidedBatch, EnrichedBatch, ScoringModel } from '../pipeline/records.ts'
import { openReplayStore } from './replay-store.ts'

export type ReplayStages = {
  /** Takes a lane of the run's own store and gives its epoch. */
  readonly claim: (laneId: number) => Promise<number>
  /** The champion, then the challengers; none where only features are computed. */
  readonly models: readonly ScoringModel[]
  /** Ends with what `signal` says, between two batches, and leaves nothing running. */
  readonly run: (
    batches: AsyncIterable<Batch>,
    write: RowSink,
    signal?: AbortSignal,
  ) => Promise<void>
  readonly close: () => Promise<void>
}

/**
 * Gets each batch once, in order, whether or not the one before it is done; resolves when there is
 * room for more. `decided` is null where only features are computed.
 */
type RowSink = (enriched: EnrichedBatch, decided: DecidedBatch | null) => Promise<void>

type StageOptions = {
  readonly isScoring: boolean
  /** Where the entities' logs are kept; null = in this process' memory. */
  readonly redisUrl: string | null
  /** Whose signatures a model must have; nobody's unless given. */
  readonly signatures?: SignaturePolicy
}

/** Above every score: reasons are for those who act on a single event. */
const noReasons = 2

export async function openReplayStages(
  definition: PipelineDefinition,
  { isScoring, redisUrl, signatures = noSignatures }: StageOptions,
): Promise<ReplayStages> {
  const plan = planFeatures(definition)
  const classifier = isScoring ? await openClassifier(definition, signatures) : null
  const { store, claim, close } = await openReplayStore(definition, plan, redisUrl).catch(
    async (error) => {
      await classifier?.close()
      throw error
    },
  )
  const judge = createJudge({
    enrich: { plan, store, late: definition.late },
    classify: { classifier: classifier ?? featuresAlone, reasonsFrom: noReasons },
    decide: planDecide(definition.policy, plan.entities),
    observe: observeNothing,
  })
  return {
    claim,
    models: classifier?.models ?? [],
    run: (batches, write, signal) =>
      runBatches(batches, signal, (batch) =>
        judge(batch, {
          isWanted: isAlwaysWanted,
          leave: (decided) => write(decided.scored.enriched, isScoring ? decided : null),
        }),
      ),
    close: async () => {
      await classifier?.close()
      await close()
    },
  }
}

const isAlwaysWanted = (): boolean => true

/** While a batch is being scored in the worker, the next one is enriched. */
async function runBatches(
  batches: AsyncIterable<Batch>,
  signal: AbortSignal | undefined,
  run: (batch: Batch) => Promise<void>,
): Promise<void> {
  let pending: Promise<void> = Promise.resolve()
  try {
    for await (const batch of batches) {
      // Batches follow each other without a turn of the event loop, and so would a thousand answers
      // of the worker: timers, lease and Ctrl-C would wait for seconds.
      await turnOfTheLoop()
      signal?.throwIfAborted()
      const running = run(batch)
      // Its failure is met when it is awaited; until then it must not count as unhandled.
      running.catch(() => undefined)
      await pending
      pending = running
    }
    await pending
  } finally {
    // ONNX Runtime does not survive a worker that ends during a run.
    await pending.catch(() => undefined)
  }
}

/** Stands where the classifier stands when only features are asked for: no model, no scores. */
const featuresAlone: Classifier = {
  classify: async ({ count, vectors }) => ({
    vectors,
    champion: { name: 'none', version: '', sha256: '', provider: 'none' },
    challengers: [],
    scores: new Float32Array(count),
    challengerScores: [],
    reasons: new Map(),
  }),
}

const openClassifier = (
  definition: PipelineDefinition,
  signatures: SignaturePolicy,
): Promise<FixedClassifier> =>
  createOnnxClassifier({
    signatures,
    models: definition.model,
    policy: definition.execution,
    features: definition.features.map(({ name }) => name),
    observe: () => undefined,
  })
