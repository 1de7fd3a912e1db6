// How many events a batch may have, so that what becomes of them fits into Kafka's limits.
//
// All scored events of a lane and batch are one record batch of one partition, and a backlog of a
// single lane may fill a whole batch. In: the pipeline. Out: an event count, at most
// limits.batchEventsMax. Invariant: a record batch of that many scored events stays below the
// max.message.bytes that `weir topics` gives the output topics (8 MiB): the broker would refuse it
// every time it is tried again.

import { limits } from '../core/limits.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'

/** Of a scored event without its vector: five ids of full length, hashes, names, times. */
const FIXED_BYTES = 900
const CHALLENGER_BYTES = 150
const ENTITY_BYTES = 30
const FEATURE_BYTES = 4

export function batchEventsFor({ features, entities, model }: PipelineDefinition): number {
  const eventBytes =
    FIXED_BYTES +
    features.length * FEATURE_BYTES +
    entities.length * ENTITY_BYTES +
    model.challengers.length * CHALLENGER_BYTES
  return Math.min(limits.batchEventsMax, Math.floor(limits.recordBatchBytesMax / eventBytes))
}
