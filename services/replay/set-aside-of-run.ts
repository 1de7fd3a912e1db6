// What a run counted and then set aside, read whole before its rows are collected.
//
// In: the run's rejected topic, the partitions of its transactions. Out: the rejected records that
// have a place in the logs, by partition and offset of their message; all others have no part in
// rows. Refused (WEIR_ENRICH_STATE_LOST): a record that cannot be read. Memory: one record per such
// event, which a model that works has none of.

import type { Kafka } from '../adapters/kafka/client/kafka-client.ts'
import { partitionBounds } from '../adapters/kafka/ranges/topic-bounds.ts'
import { WeirError } from '../core/errors.ts'
import { DecodeFault, type Decoder } from '../pipeline/decode/message-decoder.ts'
import { type AppliedRejection, isApplied } from '../pipeline/publish/applied-record.ts'
import type { RejectedRecord } from '../pipeline/publish/output-records.ts'
import { openUntilAborted } from './topic-source.ts'

type SetAsideSource = {
  readonly kafka: Kafka
  readonly topic: string
  readonly decoder: Decoder<RejectedRecord>
  /** Whose events are asked for. */
  readonly sourceTopic: string
}

export const placeKey = (partition: number, offset: number): string => `${partition}/${offset}`

export async function readSetAside(
  { kafka, topic, decoder, sourceTopic }: SetAsideSource,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, AppliedRejection>> {
  const bounds = await partitionBounds(kafka, topic)
  const ranges = bounds.map(({ partition, low, high }) => ({
    topic,
    partition,
    from: low,
    to: high,
  }))
  const opened = await openUntilAborted(kafka, ranges, signal)
  const found = new Map<string, AppliedRejection>()
  try {
    for (const index of ranges.keys()) {
      for await (const messages of opened.read(index)) {
        for (const { value, offset } of messages) {
          const record = await decodeOne(value, `${topic}/${index}/${offset}`, decoder)
          if (!isApplied(record) || record.sourceTopic !== sourceTopic) continue
          found.set(placeKey(record.sourcePartition, record.sourceOffset), record)
        }
      }
    }
  } finally {
    await opened.close()
  }
  return found
}

async function decodeOne(
  value: Buffer | null,
  place: string,
  decoder: Decoder<RejectedRecord>,
): Promise<RejectedRecord> {
  let decoded = decoder.decode(value)
  if (decoded instanceof DecodeFault && decoded.missingId !== null) {
    await decoder.learn(decoded.missingId)
    decoded = decoder.decode(value)
  }
  if (!(decoded instanceof DecodeFault)) return decoded
  const detail = `${place}: the rejected event cannot be read: ${decoded.detail}.`
  throw new WeirError('WEIR_ENRICH_STATE_LOST', detail)
}
