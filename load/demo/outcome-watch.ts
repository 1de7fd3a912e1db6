// What readers of the output topics can see, counted as it comes.
//
// In: the pipeline's output topics. Out: totals of what is committed, the end-to-end latencies
// since the last look, and one scored event and one alert to show. Latency is from the broker's
// append time of the input to the moment at which this reader has the scored event in hand.
// Refused: a consumer that crashes for good. Invariant: a reader of committed records only, which
// asks the scorer nothing: its totals are independent of the scorer's own.

import type { Type } from 'avsc'
import type { Kafka, KafkaMessage } from '../../services/adapters/kafka/client/kafka-client.ts'
import { parseSchema } from '../../services/adapters/registry/avro-types.ts'
import { readSchema } from '../../services/adapters/registry/schema-files.ts'
import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'
import type {
  FraudAlertRecord,
  ScoredTransactionRecord,
} from '../../services/pipeline/publish/output-records.ts'

export type Totals = {
  readonly scored: number
  readonly flagged: number
  readonly alerts: number
  readonly rejected: number
  readonly diverted: number
}

export type OutcomeWatch = {
  readonly totals: () => Totals
  /** Latencies since the last call, ms, in no order. */
  readonly takeLatenciesMs: () => number[]
  readonly examples: () => {
    readonly scored: ScoredTransactionRecord | null
    readonly alert: FraudAlertRecord | null
  }
  readonly failed: Promise<never>
  readonly close: () => Promise<void>
}

const WIRE_PREFIX = 5
const FETCH_WAIT_MS = 10

export async function watchOutcomes(
  kafka: Kafka,
  definition: PipelineDefinition,
  groupId: string,
): Promise<OutcomeWatch> {
  const tally = createTally(definition)
  const { topics } = definition
  const consumer = kafka.consumer({
    groupId: `${groupId}.demo`,
    maxWaitTimeInMs: FETCH_WAIT_MS,
    allowAutoTopicCreation: false,
  })
  const { promise: joined, resolve: join } = Promise.withResolvers<void>()
  const { promise: failed, reject: fail } = Promise.withResolvers<never>()
  failed.catch(() => undefined)
  consumer.on(consumer.events.GROUP_JOIN, () => join())
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!payload.restart) fail(payload.error)
  })
  await consumer.connect()
  const watched = [topics.scored, topics.alerts, topics.rejected, topics.late]
  await consumer.subscribe({ topics: watched, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    partitionsConsumedConcurrently: watched.length,
    eachBatch: async ({ batch }) => tally.take(batch.topic, batch.messages),
  })
  await Promise.race([joined, failed])
  return {
    totals: tally.totals,
    takeLatenciesMs: tally.takeLatenciesMs,
    examples: tally.examples,
    failed,
    close: () => consumer.disconnect(),
  }
}

function createTally({ topics }: PipelineDefinition) {
  const types = {
    scored: parseSchema(readSchema('scored-transaction')),
    alert: parseSchema(readSchema('fraud-alert')),
    rejected: parseSchema(readSchema('rejected-transaction')),
  } satisfies Record<string, Type>
  const totals = { scored: 0, flagged: 0, alerts: 0, rejected: 0, diverted: 0 }
  let latenciesMs: number[] = []
  let scored: ScoredTransactionRecord | null = null
  let alert: FraudAlertRecord | null = null

  const takeScored = (messages: readonly KafkaMessage[], nowMs: number): void => {
    totals.scored += messages.length
    for (const { value } of messages) {
      const event = decode<ScoredTransactionRecord>(types.scored, value)
      latenciesMs.push(nowMs - event.brokerTime)
      if (event.decision !== 'approve') totals.flagged++
      scored = event
    }
  }

  const take = (topic: string, messages: readonly KafkaMessage[]): void => {
    const nowMs = performance.timeOrigin + performance.now()
    const last = messages.at(-1)
    if (last === undefined) return
    if (topic === topics.scored) takeScored(messages, nowMs)
    else if (topic === topics.late) totals.diverted += messages.length
    else if (topic === topics.alerts) {
      totals.alerts += messages.length
      alert = decode<FraudAlertRecord>(types.alert, last.value)
    } else {
      // Refused labels go there too; they are no outcome of a transaction.
      totals.rejected += messages.filter(({ value }) => {
        const { sourceTopic } = decode<{ sourceTopic: string }>(types.rejected, value)
        return sourceTopic === topics.transactions
      }).length
    }
  }

  return {
    take,
    totals: () => ({ ...totals }),
    takeLatenciesMs: () => {
      const taken = latenciesMs
      latenciesMs = []
      return taken
    },
    examples: () => ({ scored, alert }),
  }
}

const decode = <T>(type: Type, value: Buffer | null): T =>
  type.decode(value!, WIRE_PREFIX).value as T
