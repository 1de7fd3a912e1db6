// Decoders of topics: the user's own messages by their mapping, Weir's own by schemas/.
//
// In: the registry, the pipeline. Out: synchronous decoders; ids are looked up when they are met.
// Nothing is registered, and nothing asked for yet. Refused: a schema file that is not there.

import { createDecoder } from '../adapters/registry/avro-codec.ts'
import { createEventDecoder } from '../adapters/registry/event-decoder.ts'
import { readSchema, type SchemaFile } from '../adapters/registry/schema-files.ts'
import { type Registry, subjectOf } from '../adapters/registry/schema-registry.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import type { Decoder } from '../pipeline/decode/message-decoder.ts'
import type { PipelineDeps } from '../pipeline/pipeline.ts'
import type { Label, Transaction } from '../pipeline/records.ts'

export function openInputDecoders(
  registry: Pick<Registry, 'writerById'>,
  { topics, input }: Pick<PipelineDefinition, 'topics' | 'input'>,
): PipelineDeps['decoders'] {
  const askFor = (topic: string) => (id: number) => registry.writerById(id, subjectOf(topic))
  const labels = topics.labels ?? topics.transactions
  return {
    transactions: createEventDecoder<Transaction>(input.transactions, askFor(topics.transactions)),
    labels: createEventDecoder<Label>(input.labels, askFor(labels)),
  }
}

export const openOutputDecoder = <T>(
  registry: Pick<Registry, 'schemaById'>,
  file: SchemaFile,
  topic: string,
): Decoder<T> =>
  createDecoder<T>(readSchema(file), (id) => registry.schemaById(id, subjectOf(topic)))
