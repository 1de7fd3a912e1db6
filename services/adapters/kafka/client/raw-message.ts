// What kafkajs hands over, as the bytes and numbers that the pipeline takes.
//
// In: a message of a consumer. Out: a RawMessage; offsets and times as numbers, which they fit. A
// message that stands for a record batch that cannot be read keeps what is known of that batch.

import type { RawMessage, UnreadableBatch } from '../../../pipeline/records.ts'
import type { KafkaMessage } from './kafka-client.ts'

export function readMessage(message: KafkaMessage, partition: number): RawMessage {
  const { offset, timestamp, key, value, headers = {} } = message
  const place = { offset: Number(offset), brokerTimeMs: Number(timestamp), partition }
  const hasHeaders = Object.keys(headers).length > 0
  const raw = hasHeaders ? { ...place, key, value, headers } : { ...place, key, value }
  const { unreadable } = message as KafkaMessage & { readonly unreadable?: UnreadableBatch }
  return unreadable === undefined ? raw : { ...raw, unreadable }
}
