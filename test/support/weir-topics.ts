// What Weir published, decoded without Weir: plain avsc and the schemas of schemas/.

import { readFileSync } from 'node:fs'
import avsc from 'avsc'
import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'
import type {
  FraudAlertRecord,
  RejectedRecord,
  ScoredTransactionRecord,
} from '../../services/pipeline/publish/output-records.ts'
import type { Label, Transaction } from '../../services/pipeline/records.ts'
import type { CollectedRecord, TopicCollector } from './topic-collector.ts'

const WIRE_PREFIX = 5

const typeOf = (file: string) => {
  const url = new URL(`../../schemas/${file}.avsc`, import.meta.url)
  return avsc.Type.forSchema(JSON.parse(readFileSync(url, 'utf8')))
}
const types = {
  scored: typeOf('scored-transaction'),
  alert: typeOf('fraud-alert'),
  rejected: typeOf('rejected-transaction'),
  transaction: typeOf('transaction'),
  label: typeOf('label'),
}

/** One event of an input topic where it stands; null for what is no such event. */
export type Placed<T> = CollectedRecord & { readonly event: T }

export type WeirTopics = {
  readonly scored: () => readonly ScoredTransactionRecord[]
  readonly alerts: () => readonly FraudAlertRecord[]
  readonly rejected: () => readonly RejectedRecord[]
  readonly late: () => readonly RejectedRecord[]
  readonly received: () => readonly CollectedRecord[]
  readonly labels: () => readonly Placed<Label>[]
}

export const outputTopicsOf = ({ topics }: PipelineDefinition): readonly string[] => [
  topics.scored,
  topics.alerts,
  topics.rejected,
  topics.late,
]

export const allTopicsOf = (definition: PipelineDefinition): readonly string[] => {
  const { transactions, labels } = definition.topics
  return [...outputTopicsOf(definition), transactions, ...(labels === null ? [] : [labels])]
}

export function readWeirTopics(
  { topics }: PipelineDefinition,
  collector: TopicCollector,
): WeirTopics {
  const read = <T>(topic: string, type: avsc.Type) =>
    collector.records(topic).map(({ value }) => type.fromBuffer(value!.subarray(WIRE_PREFIX)) as T)
  return {
    scored: () => read(topics.scored, types.scored),
    alerts: () => read(topics.alerts, types.alert),
    rejected: () => read(topics.rejected, types.rejected),
    late: () => read(topics.late, types.rejected),
    received: () => collector.records(topics.transactions),
    labels: () =>
      collector.records(topics.labels!).map((record) => ({
        ...record,
        event: types.label.fromBuffer(record.value!.subarray(WIRE_PREFIX)) as Label,
      })),
  }
}

/** The transaction in a message that was scored. */
export const decodeTransaction = ({ value }: CollectedRecord): Transaction =>
  types.transaction.fromBuffer(value!.subarray(WIRE_PREFIX)) as Transaction
