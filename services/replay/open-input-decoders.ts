// Decoders for the two topics that a replay reads.
//
// In: the registry and the topics' names. Out: synchronous decoders into today's schemas of
// schemas/; ids of older ones are looked up when they are met. Nothing is registered and nothing
// asked for yet.

import { createDecoder } from '../adapters/registry/avro-codec.ts'
import { readSchema } from '../adapters/registry/schema-files.ts'
import { type Registry, subjectOf } from '../adapters/registry/schema-registry.ts'
import type { TopicNames } from '../core/pipeline-definition.ts'
import type { PipelineDeps } from '../pipeline/pipeline.ts'
import type { Label, Transaction } from '../pipeline/records.ts'

export function openInputDecoders(
  registry: Pick<Registry, 'schemaById'>,
  { transactions, labels }: Pick<TopicNames, 'transactions' | 'labels'>,
): PipelineDeps['decoders'] {
  const askFor = (topic: string) => (id: number) => registry.schemaById(id, subjectOf(topic))
  return {
    transactions: createDecoder<Transaction>(readSchema('transaction'), askFor(transactions)),
    labels: createDecoder<Label>(readSchema('label'), askFor(labels ?? transactions)),
  }
}
