// Parity over all topics of a place: what the outputs say against what the stages give on the
// inputs.
//
// In: a place whose scorers have ended. Out: the report; nothing is written and Redis is not asked.

import { createDecoder } from '../../services/adapters/registry/avro-codec.ts'
import { readSchema, type SchemaFile } from '../../services/adapters/registry/schema-files.ts'
import { connectRegistry, subjectOf } from '../../services/adapters/registry/schema-registry.ts'
import type { ParityReport } from '../../services/parity/parity-report.ts'
import { runParity } from '../../services/parity/run-parity.ts'
import type { ScoringEnvironment } from './scoring-environment.ts'

export async function parityOf(
  { kafka, definition, groupId, stack }: ScoringEnvironment,
  sample = 0,
): Promise<ParityReport> {
  const { topics } = definition
  const registry = connectRegistry(stack.registryUrl)
  const decoderOf = <T>(file: SchemaFile, topic: string) =>
    createDecoder<T>(readSchema(file), (id) => registry.schemaById(id, subjectOf(topic)))
  const decoders = {
    transactions: decoderOf<never>('transaction', topics.transactions),
    labels: decoderOf<never>('label', topics.labels ?? topics.transactions),
    scored: decoderOf<never>('scored-transaction', topics.scored),
    rejected: decoderOf<never>('rejected-transaction', topics.rejected),
    late: decoderOf<never>('late-transaction', topics.late),
  }
  try {
    const everything = { fromMs: null, toMs: null, sample }
    return await runParity({ kafka, definition, groupId, decoders }, everything)
  } finally {
    await registry.close()
  }
}
