// Decoders for the five topics that parity reads.
//
// In: the registry and the topics' names. Out: synchronous decoders into today's schemas of
// schemas/; ids of older ones are looked up when they are met. Nothing is registered and nothing
// asked for yet.

import { createDecoder } from '../../adapters/registry/avro-codec.ts'
import { readSchema, type SchemaFile } from '../../adapters/registry/schema-files.ts'
import { type Registry, subjectOf } from '../../adapters/registry/schema-registry.ts'
import type { TopicNames } from '../../core/pipeline-definition.ts'
import type { ParityDecoders } from './parity-environment.ts'

export function openParityDecoders(
  registry: Pick<Registry, 'schemaById'>,
  topics: TopicNames,
): ParityDecoders {
  const decoder = <T>(file: SchemaFile, topic: string) =>
    createDecoder<T>(readSchema(file), (id) => registry.schemaById(id, subjectOf(topic)))
  return {
    transactions: decoder('transaction', topics.transactions),
    labels: decoder('label', topics.labels ?? topics.transactions),
    scored: decoder('scored-transaction', topics.scored),
    rejected: decoder('rejected-transaction', topics.rejected),
    late: decoder('late-transaction', topics.late),
  }
}
