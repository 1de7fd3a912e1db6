// Decoders for the five topics that parity reads.
//
// In: the registry and the topics' names. Out: synchronous decoders into today's schemas of
// schemas/; ids of older ones are looked up when they are met. Nothing is registered and nothing
// asked for yet.

import type { Registry } from '../../adapters/registry/schema-registry.ts'
import type { PipelineDefinition } from '../../core/pipeline-definition.ts'
import { openInputDecoders, openOutputDecoder } from '../../environment/open-decoders.ts'
import type { ParityDecoders } from './parity-environment.ts'

export function openParityDecoders(
  registry: Pick<Registry, 'schemaById' | 'writerById'>,
  definition: Pick<PipelineDefinition, 'topics' | 'input'>,
): ParityDecoders {
  const { topics } = definition
  return {
    ...openInputDecoders(registry, definition),
    scored: openOutputDecoder(registry, 'scored-transaction', topics.scored),
    rejected: openOutputDecoder(registry, 'rejected-transaction', topics.rejected),
    late: openOutputDecoder(registry, 'late-transaction', topics.late),
  }
}
