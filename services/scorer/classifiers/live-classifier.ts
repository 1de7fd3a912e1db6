// The classifier of live scoring: the newest roster that loads, and every roster that comes after
// it.
//
//   model.control, model.audit ─► roster in force ─► its models, else those before it ─► classifier
//   model.control, followed    ─► apply ──────────────────────────────────────────────►
//
// In: the pipeline, the place. Out: a classifier that changes with the ledger. Refused at start:
// topics that are not there (WEIR_TOPICS_DIFFER), a ledger that cannot be read
// (WEIR_ROSTER_UNREADABLE), and, where no roster of the ledger loads, what the pipeline file's own
// models are refused for. Invariant: a scorer that starts and one that runs score with the same
// roster: a roster that one refuses, the other passes over.

import type { Kafka } from '../../adapters/kafka/client/kafka-client.ts'
import { createRosterCodec } from '../../adapters/kafka/roster/roster-codec.ts'
import { followRosters } from '../../adapters/kafka/roster/roster-follower.ts'
import { openRosterLedger } from '../../adapters/kafka/roster/roster-ledger.ts'
import type { ControlRecord } from '../../adapters/kafka/roster/roster-records.ts'
import { WeirError } from '../../core/errors.ts'
import type { ModelReference, PipelineDefinition } from '../../core/pipeline-definition.ts'
import type { Settings } from '../../core/settings.ts'
import { openRegistry, quickly } from '../../environment/open-environment.ts'
import type { Observe } from '../../pipeline/observe/signals.ts'
import type { Roster, RosterModel } from '../../roster/roster.ts'
import { isSameModel, rosterOfFile } from '../../roster/roster-change.ts'
import { openClassifier } from './open-classifier.ts'
import {
  openRosterClassifier,
  type RosterClassifier,
  type RosterModels,
} from './roster-classifier.ts'

type LiveClassifierOptions = {
  readonly definition: PipelineDefinition
  readonly settings: Settings
  readonly kafka: Kafka
  readonly observe: Observe
}

export async function openLiveClassifier(
  options: LiveClassifierOptions,
): Promise<Pick<RosterClassifier, 'classify' | 'close'>> {
  const { definition, settings, kafka, observe } = options
  const registry = openRegistry(settings, quickly, observe)
  let classifier: RosterClassifier | null = null
  try {
    const rosters = await openRosterLedger({ kafka, registry, definition }).read()
    const earlier = rosters.steps.map(({ before }) => before).reverse()
    classifier = await openNewest([rosters.inForce, ...earlier, rosterOfFile(definition)], options)
  } catch (error) {
    await registry.close()
    throw error
  }
  const open = classifier
  const topic = definition.topics.modelControl
  const follower = followRosters({
    kafka,
    topic,
    pipeline: definition.pipeline,
    codec: createRosterCodec<ControlRecord>('model-control', topic, registry),
    // Not awaited: a rollback overtakes a roster that is still loading.
    hear: (roster) => void open.apply(roster),
    refuse: (error) => observe({ kind: 'roster_refused', epoch: null, ...faultOf(error) }),
    retry: (attempt, error) =>
      observe({ kind: 'retried', operation: 'follow_roster', attempt, ...faultOf(error) }),
  })
  return {
    classify: (request) => open.classify(request),
    close: async () => {
      await follower.close()
      await open.close()
      await registry.close()
    },
  }
}

/** @param rosters newest first, the pipeline file's last. */
async function openNewest(
  rosters: readonly Roster[],
  { definition, settings, observe }: LiveClassifierOptions,
): Promise<RosterClassifier> {
  const open = ({ champion, challengers }: RosterModels, hear: Observe) => {
    const model = {
      champion: referenceOf(definition, champion),
      challengers: challengers.map((challenger) => referenceOf(definition, challenger)),
    }
    return openClassifier({ ...definition, model }, settings, hear)
  }
  for (const first of rosters) {
    try {
      return await openRosterClassifier({ first, open, observe })
    } catch (error) {
      // The file's own models are the last resort, and what cannot be had now is worth a restart.
      if (first.epoch === 0 || !(error instanceof WeirError) || error.canRetry) throw error
      observe({ kind: 'roster_refused', epoch: first.epoch, ...faultOf(error) })
    }
  }
  throw new WeirError('WEIR_INTERNAL_INVARIANT', 'no roster to begin with')
}

/** A model of the ledger is a name; it lies where the champion of the pipeline file lies. */
function referenceOf(
  { model }: PipelineDefinition,
  { name, version }: RosterModel,
): ModelReference {
  const known = [model.champion, ...model.challengers].find((one) =>
    isSameModel(one, { name, version }),
  )
  return known ?? { name, version, source: model.champion.source }
}

const faultOf = (error: Error) => ({
  code: error instanceof WeirError ? error.code : ('WEIR_CLASSIFY_MODEL_REFUSED' as const),
  detail: error.message,
})
