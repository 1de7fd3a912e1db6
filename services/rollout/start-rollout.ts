// The rollout service, assembled: the ledger, the scored topic, the topic of minutes, and who watches them.
//
// In: a pipeline definition, the settings of the place. Out: a running service and its end. Refused at start: topics or schemas
// that are not there (WEIR_TOPICS_DIFFER), a ledger that cannot be read. Invariant: nothing is kept but in Kafka; its
// throw-away groups commit nothing.

import { randomUUID } from 'node:crypto'
import { type KafkaLogger, kafkajs } from '../adapters/kafka/client/kafka-client.ts'
import { createRosterCodec } from '../adapters/kafka/roster/roster-codec.ts'
import { followRosters } from '../adapters/kafka/roster/roster-follower.ts'
import { openRosterLedger } from '../adapters/kafka/roster/roster-ledger.ts'
import type { ControlRecord } from '../adapters/kafka/roster/roster-records.ts'
import { createDecoder, createEncoder } from '../adapters/registry/avro-codec.ts'
import { readSchema, type SchemaFile } from '../adapters/registry/schema-files.ts'
import { type Registry, subjectOf } from '../adapters/registry/schema-registry.ts'
import { systemClock } from '../core/clock.ts'
import { WeirError } from '../core/errors.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import type { Settings } from '../core/settings.ts'
import { createClosers } from '../environment/closers.ts'
import { openKafka, openRegistry } from '../environment/open-environment.ts'
import type { ScoredTransactionRecord } from '../pipeline/publish/output-records.ts'
import type { Label } from '../pipeline/records.ts'
import type { ComparisonRecord } from './comparison-record.ts'
import { Rollout, type RolloutLine } from './run-rollout.ts'
import { openScoredFeed } from './scored-feed.ts'

type RolloutOptions = {
  readonly definition: PipelineDefinition
  readonly settings: Settings
  readonly logger: KafkaLogger
  readonly tell: (line: RolloutLine) => void
}

/** Ends when the signal says so; rejects with what the service could not get over. */
export async function runRollout(options: RolloutOptions, signal: AbortSignal): Promise<void> {
  const { definition, settings, logger, tell } = options
  const { pipeline, topics } = definition
  const closers = createClosers((error) => logger.error({ error }, 'a part did not close'))
  const failed = Promise.withResolvers<never>()
  const fail = (error: Error): void => failed.reject(error)
  try {
    const registry = openRegistry(settings)
    closers.add(registry.close)
    const kafka = openKafka(settings, logger, 'rollout')
    const ledger = openRosterLedger({ kafka, registry, definition })
    const decoder = <T>(file: SchemaFile, topic: string) =>
      createDecoder<T>(readSchema(file), (id) => registry.schemaById(id, subjectOf(topic)))
    const producer = await openProducer(options)
    closers.add(() => producer.disconnect())
    const encode = await openEncoder(registry, topics.modelComparisons)
    const feed = await openScoredFeed({
      kafka,
      groupId: `weir-rollout-${randomUUID()}`,
      topics,
      decoders: {
        scored: decoder<ScoredTransactionRecord>('scored-transaction', topics.scored),
        labels: decoder<Label>('label', topics.labels ?? topics.transactions),
      },
      hear: {
        scored: (event) => rollout.hearScored(event),
        label: (label) => rollout.hearLabel(label),
      },
      fail,
    })
    closers.add(feed.close)
    const rollout = new Rollout({
      definition,
      readLedger: ledger.read,
      change: (change, author, epoch) => ledger.change(() => change, { author, epoch }),
      readFrom: feed.readFrom,
      isCaughtUp: feed.isCaughtUp,
      publish: (records) =>
        producer
          .send({
            topic: topics.modelComparisons,
            acks: -1,
            messages: records.map((record) => ({ key: keyOf(record), value: encode(record) })),
          })
          .then(() => undefined),
      clock: systemClock,
      tell,
    })
    const follower = followRosters({
      kafka,
      topic: topics.modelControl,
      pipeline,
      codec: createRosterCodec<ControlRecord>('model-control', topics.modelControl, registry),
      hear: (roster) => rollout.hearRoster(roster),
      refuse: fail,
      retry: (attempt, error) => logger.warn({ attempt, error }, 'the roster is followed anew'),
    })
    closers.add(follower.close)
    await Promise.race([rollout.run(signal), failed.promise])
  } finally {
    await closers.closeAll()
  }
}

const keyOf = ({ challengerName, challengerVersion }: ComparisonRecord): string =>
  `${challengerName} ${challengerVersion}`

async function openProducer({ settings, logger }: RolloutOptions) {
  const producer = openKafka(settings, logger, 'rollout').producer({
    allowAutoTopicCreation: false,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  })
  await producer.connect()
  return producer
}

async function openEncoder(registry: Registry, topic: string) {
  const schema = readSchema('model-comparison')
  const id = await registry.lookUp(subjectOf(topic), schema)
  if (id !== null) return createEncoder<ComparisonRecord>(schema, id)
  const detail = `Subject ${subjectOf(topic)} does not have schemas/model-comparison.avsc: run \`weir topics apply\`.`
  throw new WeirError('WEIR_TOPICS_DIFFER', detail)
}
