// Parity over all topics of a place: what the outputs say against what the stages give on the
// inputs.
//
// In: a place whose scorers have ended. Out: the report; nothing is written and Redis is not asked.

import { connectRegistry } from '../../services/adapters/registry/schema-registry.ts'
import type { ParityReport } from '../../services/parity/parity-report.ts'
import { runParity } from '../../services/parity/run-parity.ts'
import { openParityDecoders } from '../../services/parity/topics/open-decoders.ts'
import type { ScoringEnvironment } from './scoring-environment.ts'

export async function parityOf(
  { kafka, definition, groupId, stack }: ScoringEnvironment,
  sample = 0,
): Promise<ParityReport> {
  const registry = connectRegistry(stack.registryUrl)
  const decoders = openParityDecoders(registry, definition)
  try {
    const everything = { fromMs: null, toMs: null, sample }
    return await runParity({ kafka, definition, groupId, decoders }, everything)
  } finally {
    await registry.close()
  }
}
