// A scorer as a process: the real lanes, pipeline, restore and Kafka adapters on simulated servers.
//
// In: the servers, a life. Out: a process that scores until it is killed, drained, or fails. It is
// wired as scorer/open-scoring.ts wires it; what has no counterpart in memory is left out (Redis'
// and ONNX Runtime's clients, metrics, HTTP).

import { setTimeout as pause } from 'node:timers/promises'
import { createLaneConsumer } from '../../services/adapters/kafka/lanes/lane-consumer.ts'
import { openLaneIds } from '../../services/adapters/kafka/lanes/lane-ids.ts'
import { createLaneTransactions } from '../../services/adapters/kafka/lanes/lane-transactions.ts'
import { systemClock } from '../../services/core/clock.ts'
import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'
import { batchEventsFor } from '../../services/lanes/batch-size.ts'
import { createConductor } from '../../services/lanes/conductor.ts'
import type { Classifier } from '../../services/pipeline/classify/classifier.ts'
import { planDecide } from '../../services/pipeline/decide/decide.ts'
import type { FeaturePlan } from '../../services/pipeline/enrich/feature-plan.ts'
import type { FoldPolicy } from '../../services/pipeline/enrich/fold-log.ts'
import { planSubject } from '../../services/pipeline/entity-key.ts'
import type { Observe } from '../../services/pipeline/observe/signals.ts'
import { createPipeline } from '../../services/pipeline/pipeline.ts'
import { planPublish } from '../../services/pipeline/publish/compose-records.ts'
import { planValidate } from '../../services/pipeline/validate/validate.ts'
import { createKafkaHistory } from '../../services/restore/read/kafka-history.ts'
import { createStoreRestore } from '../../services/scorer/restore-store.ts'
import type { Brokers } from './brokers/brokers.ts'
import {
  createSimulatedCodecs,
  type RegistryFaults,
  simulatedEncoders,
} from './simulated-codecs.ts'
import { createSimulatedKafka } from './simulated-kafka.ts'
import type { SimulatedStore } from './simulated-store.ts'
import { createRestoreClient, createStoreClient } from './store-client.ts'
import type { VirtualTime } from './virtual-time.ts'
import type { Call } from './wire.ts'

export type ScorerPlace = {
  readonly definition: PipelineDefinition
  readonly plan: FeaturePlan
  readonly foldPolicy: FoldPolicy
  readonly brokers: Brokers
  readonly store: SimulatedStore
  readonly registry: RegistryFaults
  readonly time: VirtualTime
  readonly observe: Observe
  readonly isCrowded: boolean
}

export type ScorerLife = {
  readonly call: Call
  readonly classifier: Classifier
  readonly fail: (error: Error) => void
}

export const groupId = 'weir.test'

/** Starts within the life that is current; rejects when it could not start. */
export async function startScorerProcess(
  place: ScorerPlace,
  { call, classifier, fail }: ScorerLife,
) {
  const { definition, plan, brokers, time, observe } = place
  const { topics } = definition
  const consumers = createSimulatedKafka(brokers, call)
  const producers = createSimulatedKafka(brokers, call)
  const { decoders, scored, rejected } = createSimulatedCodecs(call, time, place.registry)
  const store = createStoreClient(place.store, call, time)
  const transactions = await createLaneTransactions({ kafka: producers, groupId, topics, observe })
  const inputs = [
    { topic: topics.transactions, stream: 'transactions' as const },
    { topic: topics.labels!, stream: 'labels' as const },
  ]
  const laneIds = await openLaneIds(producers, inputs)
  const pipeline = createPipeline({
    decoders,
    validate: planValidate(definition),
    enrich: { plan, store, late: definition.late },
    classify: {
      classifier,
      reasonsFrom: definition.policy.review,
      subjectOf: planSubject(definition.entities),
    },
    decide: planDecide(definition.policy, plan.entities),
    publish: {
      context: planPublish(definition, plan.labelEntityCount),
      encoders: simulatedEncoders,
      publisher: transactions,
    },
    clock: systemClock,
    observe,
  })
  const conductor = createConductor({
    input: createLaneConsumer({ kafka: consumers, groupId, topics: inputs }),
    transactions,
    store,
    pipeline,
    align: definition.align,
    ...(place.isCrowded
      ? { batchEventsMax: 4, batchEventsWorthwhile: 1 }
      : { batchEventsMax: batchEventsFor(definition) }),
    clock: systemClock,
    pause,
    observe,
    fail,
    isOutsideAway: () => brokers.isAway() || brokers.isSilent() || place.store.isAway(),
    laneIds: laneIds.list,
    restore: createStoreRestore({
      kafka: producers,
      groupId,
      definition,
      plan,
      store: createRestoreClient(place.store, call, time),
      history: createKafkaHistory({ kafka: producers, definition, scored, rejected }),
      stages: { decoders, validate: planValidate(definition) },
      observe,
    }),
  })
  await conductor.start()
  return {
    drain: async () => {
      await conductor.drain()
      await Promise.all([transactions.close(), laneIds.close()])
    },
  }
}
