// Live scoring: adapters plugged into the stages, the stages between the lanes.
//
// In: a pipeline definition, the settings of the place, bounds where lanes have some (a replay into
// topics of its own). Out: a conductor that has not begun, and the promise of its end. Refused:
// whatever an adapter refuses; what was opened until then was handed to `add`, each thing as soon
// as it was there. Invariant: this is the only place that knows all adapters of the live path; the
// stages and the lanes see their ports.

import { setTimeout as pause } from 'node:timers/promises'
import type { BrokerWatch } from '../adapters/kafka/client/broker-watch.ts'
import type { Kafka, KafkaLogger } from '../adapters/kafka/client/kafka-client.ts'
import { createLaneConsumer } from '../adapters/kafka/lanes/lane-consumer.ts'
import { systemClock } from '../core/clock.ts'
import { WeirError } from '../core/errors.ts'
import type { PipelineDefinition, TopicNames } from '../core/pipeline-definition.ts'
import { groupOf, type Settings } from '../core/settings.ts'
import { openCodecs } from '../environment/open-codecs.ts'
import { openRegistry } from '../environment/open-environment.ts'
import { batchEventsFor } from '../lanes/batch-size.ts'
import { boundInput } from '../lanes/bound-input.ts'
import { createConductor } from '../lanes/conductor.ts'
import type { LaneBounds } from '../lanes/lane-input.ts'
import type { Classifier } from '../pipeline/classify/classifier.ts'
import { isBraked, planDecide } from '../pipeline/decide/decide.ts'
import { type FeaturePlan, planFeatures } from '../pipeline/enrich/feature-plan.ts'
import type { EntityLogStore } from '../pipeline/enrich/log-store.ts'
import { planSubject } from '../pipeline/entity-key.ts'
import type { Observe } from '../pipeline/observe/signals.ts'
import { createPipeline } from '../pipeline/pipeline.ts'
import { planPublish } from '../pipeline/publish/compose-records.ts'
import type { Publisher } from '../pipeline/publish/publisher.ts'
import { planValidate } from '../pipeline/validate/validate.ts'
import { createKafkaHistory } from '../restore/read/kafka-history.ts'
import { openLiveClassifier } from './classifiers/live-classifier.ts'
import { openClassifier } from './classifiers/open-classifier.ts'
import { openDelivery } from './open-delivery.ts'
import { openStore } from './open-store.ts'
import { refuseMovedGroup } from './refuse-moved-group.ts'
import { refuseUnfit } from './refuse-unfit.ts'
import { createStoreRestore } from './restore-store.ts'

export type ScoringOptions = {
  readonly definition: PipelineDefinition
  readonly settings: Settings
  readonly consumers: Kafka
  readonly producers: Kafka
  readonly logger: KafkaLogger
  /** Hears whether brokers answer; it belongs to the two clients as well. */
  readonly watch?: BrokerWatch
  readonly observe: Observe
  readonly add: (close: () => Promise<void>) => void
  /** Whether Kafka, the store or the registry is known to be away. */
  readonly isOutsideAway?: () => boolean
  /** Where lanes begin and end; live ones have no bounds. */
  readonly bounds?: LaneBounds
  /** Identity of the replay that publishes; live scoring has none. */
  readonly run?: string
  /** Topics under whose names the schemas are registered; those of the pipeline unless given. */
  readonly schemaTopics?: TopicNames
}

export type Pipeline = Awaited<ReturnType<typeof openScoring>>

export async function openScoring(options: ScoringOptions) {
  const { definition, settings, consumers, producers, observe, add, bounds } = options
  const { topics } = definition
  const groupId = groupOf(settings, definition.pipeline)
  const plan = planFeatures(definition)
  const within = bounds === undefined ? {} : { bounds }
  await refuseUnfit(definition, options)
  await refuseMovedGroup(consumers, definition, settings)
  const registry = openRegistry(settings, undefined, observe)
  add(registry.close)
  const { schemaTopics = topics } = options
  const { decoders, encoders, scored, rejected } = await openCodecs(registry, {
    topics: schemaTopics,
    input: definition.input,
  })
  const { store, restorable } = await openStore(options, plan)
  const classifier = await openModels(options)
  add(() => classifier.close())
  const delivery = {
    kafka: producers,
    groupId,
    topics,
    inputs: listInputs(definition),
    observe,
    compression: settings.kafka.compression,
    add,
  }
  const { transactions, laneIds } = await openDelivery({ ...delivery, ...within })
  const codecs = { decoders, encoders }
  const pipeline = createScoringPipeline(options, { plan, store, classifier, transactions, codecs })
  const endless = createLaneConsumer({ kafka: consumers, groupId, topics: listInputs(definition) })
  const input = bounds === undefined ? endless : boundInput(endless, bounds)
  const { ended, fail } = createEnd(observe)
  const { align } = definition
  const clock = systemClock
  const conductor = createConductor({
    input,
    transactions,
    store,
    pipeline,
    align,
    batchEventsMax: batchEventsFor(definition),
    clock,
    pause,
    observe,
    fail,
    isOutsideAway: options.isOutsideAway ?? (() => false),
    laneIds: laneIds.list,
    restore: createStoreRestore({
      kafka: producers,
      groupId,
      definition,
      plan,
      store: restorable,
      history: createKafkaHistory({ kafka: producers, definition, scored, rejected, ...within }),
      stages: { decoders, validate: planValidate(definition) },
      observe,
      ...within,
    }),
  })
  return { conductor, ended, fail }
}

type Parts = {
  readonly plan: FeaturePlan
  readonly store: EntityLogStore
  readonly classifier: Classifier
  readonly transactions: Publisher
  readonly codecs: Pick<Awaited<ReturnType<typeof openCodecs>>, 'decoders' | 'encoders'>
}

function createScoringPipeline(
  { definition, run, observe }: Pick<ScoringOptions, 'definition' | 'run' | 'observe'>,
  { plan, store, classifier, transactions, codecs }: Parts,
) {
  const { policy } = definition
  const context = planPublish(definition, plan.labelEntityCount, run ?? null)
  return createPipeline({
    decoders: codecs.decoders,
    validate: planValidate(definition),
    enrich: { plan, store, late: definition.late },
    classify: {
      classifier,
      reasonsFrom: policy.review,
      subjectOf: planSubject(definition.entities),
      isBraked: (brake) => isBraked(brake, policy),
    },
    decide: planDecide(policy, plan.entities),
    publish: { context, encoders: codecs.encoders, publisher: transactions },
    clock: systemClock,
    observe,
  })
}

/** A replay scores with the models of its pipeline file, whatever the roster says now. */
const openModels = ({ definition, settings, consumers, observe, bounds }: ScoringOptions) =>
  bounds === undefined
    ? openLiveClassifier({ definition, settings, kafka: consumers, observe })
    : openClassifier(definition, settings, observe)

function listInputs({ topics }: PipelineDefinition) {
  const transactions = { topic: topics.transactions, stream: 'transactions' as const }
  return topics.labels === null
    ? [transactions]
    : [transactions, { topic: topics.labels, stream: 'labels' as const }]
}

/** The scorer's end, once: null for a good one, else what it could not get over. */
function createEnd(observe: Observe) {
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>()
  ended.catch(() => undefined)
  const fail = (error: Error | null): void => {
    if (error === null) {
      resolve()
      return
    }
    const code = error instanceof WeirError ? error.code : 'WEIR_INTERNAL_INVARIANT'
    observe({ kind: 'failed', code, detail: error.message, stack: error.stack })
    reject(error)
  }
  return { ended, fail }
}
