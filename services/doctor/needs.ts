// What a pipeline asks of the place where it runs, as numbers that checks compare with.
//
// In: the pipeline's definition. Out: Needs. Invariant: every number is taken from where the
// running code takes it, so that the doctor and the scorer cannot disagree.

import { type PlannedTopic, topicPlan, topicsOf } from '../adapters/kafka/topics/topics.ts'
import { limits } from '../core/limits.ts'
import { neededLookBackMs } from '../core/look-back.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import type { MemoryForecast } from './predict-memory.ts'

export type Needs = {
  readonly plan: readonly PlannedTopic[]
  /** How far back lost state is read from the topics again, ms. */
  readonly lookBackMs: number
  readonly transactionMsMax: number
  /** Of a record batch of scored events. */
  readonly recordBatchBytesMax: number
  /** How far ahead of the brokers' clock an event time may be, ms. */
  readonly futureMaxMs: number
  /** null where the number of entities is not known. */
  readonly forecast: MemoryForecast | null
}

export function needsOf(
  definition: PipelineDefinition,
  forecast: MemoryForecast | null = null,
): Needs {
  const { validate } = definition
  return {
    plan: topicPlan(topicsOf(definition)),
    lookBackMs: neededLookBackMs(definition),
    transactionMsMax: limits.transactionMsMax,
    recordBatchBytesMax: limits.recordBatchBytesMax,
    futureMaxMs: validate.futureMaxMs,
    forecast,
  }
}
