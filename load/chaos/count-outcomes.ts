// The books of a campaign, from its topics alone: each message against its outcomes.
//
// In: a place whose traffic has stopped and whose group has caught up. Out: how many messages came
// in and what became of them, those without an outcome and those with more than one, alerts against
// flagged events. Refused: topics that cannot be read to their end. Invariant: the scorers are
// asked nothing, and only what is committed counts.

import { partitionBounds } from '../../services/adapters/kafka/ranges/topic-bounds.ts'
import { openTopicRanges } from '../../services/adapters/kafka/ranges/topic-ranges.ts'
import { parseSchema } from '../../services/adapters/registry/avro-types.ts'
import { readSchema } from '../../services/adapters/registry/schema-files.ts'
import type {
  FraudAlertRecord,
  RejectedRecord,
  ScoredTransactionRecord,
} from '../../services/pipeline/publish/output-records.ts'
import type { RawMessage } from '../../services/pipeline/records.ts'
import type { ChaosEnvironment } from './chaos-environment.ts'

export type Outcomes = {
  readonly received: number
  readonly scored: number
  readonly rejected: number
  readonly diverted: number
  /** received - scored - rejected - diverted. */
  readonly difference: number
  /** Messages without an outcome. */
  readonly missing: number
  /** Outcomes that another one of the same message precedes, or whose message nobody sent. */
  readonly duplicated: number
  /** Flagged events without their one alert, and alerts without their event. */
  readonly alertDifferences: number
}

type Position = { readonly sourcePartition: number; readonly sourceOffset: number }

const WIRE_PREFIX = 5

const types = {
  scored: parseSchema(readSchema('scored-transaction')),
  rejected: parseSchema(readSchema('rejected-transaction')),
  alert: parseSchema(readSchema('fraud-alert')),
}

const decode = <T>(type: keyof typeof types, { value }: RawMessage): T =>
  types[type].decode(value!, WIRE_PREFIX).value as T

export async function countOutcomes({ kafka, definition }: ChaosEnvironment): Promise<Outcomes> {
  const { topics } = definition
  const open = new Set<string>()
  const flagged = new Set<string>()
  const counts = { received: 0, scored: 0, rejected: 0, diverted: 0, duplicated: 0 }
  let strayAlerts = 0
  const read = (topic: string, take: (message: RawMessage, partition: number) => void) =>
    readTopic(kafka, topic, take)
  const close = (kind: 'scored' | 'rejected' | 'diverted', position: Position): void => {
    counts[kind]++
    if (!open.delete(nameOf(position))) counts.duplicated++
  }

  await read(topics.transactions, ({ offset }, sourcePartition) => {
    counts.received++
    open.add(nameOf({ sourcePartition, sourceOffset: offset }))
  })
  await read(topics.scored, (message) => {
    const event = decode<ScoredTransactionRecord>('scored', message)
    close('scored', event)
    if (event.decision !== 'approve') flagged.add(nameOf(event))
  })
  await read(topics.rejected, (message) => {
    const event = decode<RejectedRecord>('rejected', message)
    // Refused labels go there, too; they are no outcome of a transaction.
    if (event.sourceTopic === topics.transactions) close('rejected', event)
  })
  await read(topics.late, (message) =>
    close('diverted', decode<RejectedRecord>('rejected', message)),
  )
  await read(topics.alerts, (message) => {
    if (!flagged.delete(nameOf(decode<FraudAlertRecord>('alert', message)))) strayAlerts++
  })
  const { received, scored, rejected, diverted } = counts
  const difference = received - scored - rejected - diverted
  const alertDifferences = flagged.size + strayAlerts
  return { ...counts, difference, missing: open.size, alertDifferences }
}

const nameOf = ({ sourcePartition, sourceOffset }: Position): string =>
  `${sourcePartition}/${sourceOffset}`

async function readTopic(
  kafka: ChaosEnvironment['kafka'],
  topic: string,
  take: (message: RawMessage, partition: number) => void,
): Promise<void> {
  const bounds = await partitionBounds(kafka, topic)
  const ranges = bounds.map(({ partition, low, high }) => ({
    topic,
    partition,
    from: low,
    to: high,
  }))
  const opened = await openTopicRanges(kafka, ranges)
  try {
    for (const [i, { partition }] of ranges.entries()) {
      for await (const messages of opened.read(i)) {
        for (const message of messages) take(message, partition)
      }
    }
  } finally {
    await opened.close()
  }
}
