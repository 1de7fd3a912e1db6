// What parity is given: the topics of one pipeline, and how to read them.
//
// Types only. `groupId` is asked for its committed offsets and never joined; null leaves them out,
// and then a lane's last messages count as not scored yet instead of missing.

import type { Kafka } from '../../adapters/kafka/client/kafka-client.ts'
import type { TopicRange } from '../../adapters/kafka/ranges/topic-ranges.ts'
import type { PipelineDefinition } from '../../core/pipeline-definition.ts'
import type { Decoder } from '../../pipeline/decode/message-decoder.ts'
import type {
  RejectedRecord,
  ScoredTransactionRecord,
} from '../../pipeline/publish/output-records.ts'
import type { Label, Transaction } from '../../pipeline/records.ts'

export type ParityDecoders = {
  readonly transactions: Decoder<Transaction>
  readonly labels: Decoder<Label>
  readonly scored: Decoder<ScoredTransactionRecord>
  readonly rejected: Decoder<RejectedRecord>
  readonly late: Decoder<RejectedRecord>
}

export type ParityEnvironment = {
  readonly kafka: Kafka
  readonly definition: PipelineDefinition
  readonly groupId: string | null
  readonly decoders: ParityDecoders
  /**
   * Of the inputs, for a replay into topics of its own: what lies outside of them does not exist.
   */
  readonly ranges?: readonly TopicRange[]
}

/**
 * Broker times of the input messages that are judged, ms; null = from the beginning, to the end.
 */
export type ParityRange = {
  readonly fromMs: number | null
  readonly toMs: number | null
}
