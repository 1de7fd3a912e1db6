// The scorer's codecs: decoders for what comes in, encoders for what goes out.
//
// Out: synchronous codecs whose schema ids were looked up once. A running service registers
// nothing: a schema that the registry does not have is refused with the command that registers it.

import { createEncoder } from '../adapters/registry/avro-codec.ts'
import { readSchema, type SchemaFile } from '../adapters/registry/schema-files.ts'
import { type Registry, subjectOf } from '../adapters/registry/schema-registry.ts'
import { WeirError } from '../core/errors.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import type { Decoder } from '../pipeline/decode/message-decoder.ts'
import type { PipelineDeps } from '../pipeline/pipeline.ts'
import type {
  OutputEncoders,
  RejectedRecord,
  ScoredTransactionRecord,
} from '../pipeline/publish/output-records.ts'
import { openInputDecoders, openOutputDecoder } from './open-decoders.ts'

type Codecs = {
  readonly decoders: PipelineDeps['decoders']
  readonly encoders: OutputEncoders
  /** Read back what was published: the journal of the logs' order. */
  readonly scored: Decoder<ScoredTransactionRecord>
  readonly rejected: Decoder<RejectedRecord>
}

export async function openCodecs(
  registry: Registry,
  definition: Pick<PipelineDefinition, 'topics' | 'input'>,
): Promise<Codecs> {
  const { topics } = definition
  const encoder = async <T>(file: SchemaFile, topic: string) => {
    const schema = readSchema(file)
    const id = await registry.lookUp(subjectOf(topic), schema)
    if (id === null) {
      const detail = `Subject ${subjectOf(topic)} does not have schemas/${file}.avsc: run \`weir topics apply\`.`
      throw new WeirError('WEIR_TOPICS_DIFFER', detail)
    }
    return createEncoder<T>(schema, id)
  }
  const [scored, alerts, driftSamples, rejected, late] = await Promise.all([
    encoder<Parameters<OutputEncoders['scored']>[0]>('scored-transaction', topics.scored),
    encoder<Parameters<OutputEncoders['alerts']>[0]>('fraud-alert', topics.alerts),
    encoder<Parameters<OutputEncoders['driftSamples']>[0]>('drift-sample', topics.driftSamples),
    encoder<Parameters<OutputEncoders['rejected']>[0]>('rejected-transaction', topics.rejected),
    encoder<Parameters<OutputEncoders['late']>[0]>('late-transaction', topics.late),
  ])
  return {
    decoders: openInputDecoders(registry, definition),
    encoders: { scored, alerts, driftSamples, rejected, late },
    scored: openOutputDecoder(registry, 'scored-transaction', topics.scored),
    rejected: openOutputDecoder(registry, 'rejected-transaction', topics.rejected),
  }
}
