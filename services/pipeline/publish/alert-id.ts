// The id of an alert: the same for the same event, and for no other.
//
// In: where the event stands (topic, partition, offset), what Kafka keeps of it (broker time, key,
// value), the pipeline, and the run where a replay publishes. Out: 32 hexadecimal digits, the first
// half of a SHA-256. Nothing is refused. Invariants: all that goes in is read again after a crash
// or a rebalance, so a redelivered event has the same id; a topic that was made anew begins at
// offset 0 again, with other times and other bytes; a run has an identity of its own, so its ids
// are not live.

import { createHash } from 'node:crypto'
import type { RawMessage } from '../records.ts'

export type AlertSource = {
  readonly pipeline: string
  /** Identity of a replay that publishes into topics of its own; null = live. */
  readonly run: string | null
  readonly topic: string
  readonly partition: number
  readonly raw: RawMessage
}

const NOTHING = Buffer.alloc(0)
/** 128 bits: two of 10^12 alerts share an id with a chance of 10^-15. */
const HEX_DIGITS = 32

/**
 * The layout of what is hashed: one line of JSON, key bytes, value bytes. The lengths stand in the
 * line, so that no two events make the same bytes.
 *
 *     ["card-fraud",null,"transactions",2,118205,1767225600040,4,187]\n<key><value>
 */
export function alertIdOf({ pipeline, run, topic, partition, raw }: AlertSource): string {
  const { offset, brokerTimeMs, key, value } = raw
  const lengths = [key?.length ?? null, value?.length ?? null]
  const line = JSON.stringify([pipeline, run, topic, partition, offset, brokerTimeMs, ...lengths])
  return createHash('sha256')
    .update(`${line}\n`)
    .update(key ?? NOTHING)
    .update(value ?? NOTHING)
    .digest('hex')
    .slice(0, HEX_DIGITS)
}
