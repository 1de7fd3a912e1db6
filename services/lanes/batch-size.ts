// How many events a batch may have, so that what becomes of them fits into Kafka's limits.
//
// All scored events of a lane and batch are one record batch of one partition, and a backlog of a
// single lane may fill a whole batch. In: the pipeline. Out: an event count, at most
// limits.batchEventsMax. Invariant: a record batch of that many scored events stays below the
// max.message.bytes that `weir topics` gives the output topics (8 MiB): the broker would refuse it
// every time it is tried again.

import { limits } from '../core/limits.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'

/**
 * Of a scored event without its vector: its id and its key at full length, hashes, names, times.
 */
const FIXED_BYTES = 700
const CHALLENGER_BYTES = 150
/** Numbers, and the entity's name. */
const ENTITY_BYTES = 70
/** Escaped to twice its length at most. */
const KEY_PART_BYTES = 2 * limits.idLengthMax + 1
/** Its name, and a text of full length. */
const CARRIED_BYTES = 40 + limits.textLengthMax
const FEATURE_BYTES = 4

export function batchEventsFor(definition: PipelineDefinition): number {
  const { features, entities, model, output } = definition
  const keyParts = entities.reduce((sum, { key }) => sum + key.length, 0)
  const eventBytes =
    FIXED_BYTES +
    features.length * FEATURE_BYTES +
    entities.length * ENTITY_BYTES +
    keyParts * KEY_PART_BYTES +
    output.carry.length * CARRIED_BYTES +
    model.challengers.length * CHALLENGER_BYTES
  return Math.min(limits.batchEventsMax, Math.floor(limits.recordBatchBytesMax / eventBytes))
}
