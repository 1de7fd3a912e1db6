// A small pipeline for tests of the lanes: three entities, counts, sums, labels.

import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'
import {
  customer,
  DAY_MS,
  fieldFeature,
  HOUR_MS,
  pair,
  pipelineOf,
  terminal,
  windowFeature,
} from './pipelines.ts'
import type { Random } from './random.ts'

export function lanesPipeline(random: Random): PipelineDefinition {
  const of = 'amountMinor'
  return {
    ...pipelineOf({
      entities: [customer, terminal, pair],
      features: [
        fieldFeature({ field: of }),
        windowFeature({ entity: 'customer', op: 'count', windowMs: DAY_MS }),
        windowFeature({ entity: 'customer', op: 'sum', of, windowMs: HOUR_MS }),
        windowFeature({ entity: 'customer', op: 'seconds_since_last', windowMs: 30 * DAY_MS }),
        windowFeature({ entity: 'terminal', op: 'mean', of, windowMs: DAY_MS }),
        windowFeature({ entity: 'terminal', op: 'distinct', of: 'customerId', windowMs: DAY_MS }),
        windowFeature({ entity: 'terminal', op: 'fraud_rate', windowMs: 30 * DAY_MS }),
        windowFeature({ entity: 'pair', op: 'max', of, windowMs: DAY_MS, current: false }),
      ],
      late: { allowedMs: HOUR_MS, then: random.pick(['score_only', 'divert']) },
    }),
    align: { driftMsMax: 1000, waitMsMax: random.pick([0, 5, 1000]) },
  }
}
