// How many events a batch may have, so that what becomes of them fits into Kafka's limits.
//
// All scored events of a lane and batch are one record batch of one partition, and a backlog of a
// single lane may fill a whole batch. In: the pipeline. Out: an event count, at most
// limits.batchEventsMax. Invariant: a record batch of that many scored events stays below the
// max.message.bytes that `weir topics` gives the output topics (8 MiB): the broker would refuse it
// every time it is tried again; keys and texts beyond what is reckoned with are
// found by halving (isolation.ts).

import { limits } from '../core/limits.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'

/** Of a scored event without its vector: id and key at full length, hashes, names, times. */
const FIXED_BYTES = 640
const CHALLENGER_BYTES = 150
/** Its numbers; its name and key come on top. */
const ENTITY_BYTES = 30
const KEY_PART_BYTES = limits.idLengthMax + 2
const NUMBER_BYTES = 10
const FEATURE_BYTES = 4

export function batchEventsFor(definition: PipelineDefinition): number {
  const { features, entities, model } = definition
  const eventBytes =
    FIXED_BYTES +
    features.length * FEATURE_BYTES +
    sumOf(entities, ({ name, key }) => ENTITY_BYTES + name.length + key.length * KEY_PART_BYTES) +
    sumOf(definition.output.carry, (field) => field.length + carriedBytes(field, definition)) +
    model.challengers.length * CHALLENGER_BYTES
  return Math.min(limits.batchEventsMax, Math.floor(limits.recordBatchBytesMax / eventBytes))
}

const sumOf = <T>(items: readonly T[], of: (item: T) => number): number =>
  items.reduce((sum, item) => sum + of(item), 0)

function carriedBytes(field: string, { input }: PipelineDefinition): number {
  const kind = input.transactions.fields.find(({ name }) => name === field)?.type.kind
  return kind === 'text' ? limits.textLengthMax : NUMBER_BYTES
}
