// The topic model.comparisons: minutes of trials, written once each.
//
// In: minutes of a trial in their order. Out: those that are not in the topic yet, appended.
// Refused: a schema that is not registered (WEIR_TOPICS_DIFFER); thrown: what Kafka and the
// registry do. A record that cannot be read counts for none. Invariant: a minute of a trial is
// written once, whoever wrote it and however often the service is started: the topic itself says
// how far it came. Two services that write within the same moment may still both write it.

import { type Kafka, kafkajs } from '../adapters/kafka/client/kafka-client.ts'
import { offsetsAtTime, partitionBounds } from '../adapters/kafka/ranges/topic-bounds.ts'
import { openTopicRanges } from '../adapters/kafka/ranges/topic-ranges.ts'
import { createDecoder, createEncoder } from '../adapters/registry/avro-codec.ts'
import { readSchema } from '../adapters/registry/schema-files.ts'
import { type Registry, subjectOf } from '../adapters/registry/schema-registry.ts'
import { WeirError } from '../core/errors.ts'
import { decodeLearning } from '../pipeline/decode/decode-learning.ts'
import type { ComparisonRecord } from './comparison-record.ts'
import { createPublishedMinutes } from './published-minutes.ts'
import type { Trial } from './trial.ts'

type ComparisonTopicOptions = {
  readonly kafka: Kafka
  readonly registry: Pick<Registry, 'lookUp' | 'schemaById'>
  readonly topic: string
  readonly pipeline: string
}

type ComparisonTopic = {
  readonly publish: (records: readonly ComparisonRecord[], trial: Trial) => Promise<void>
  readonly close: () => Promise<void>
}

/** Clocks of operators and brokers differ; more is read than has to be. */
const CLOCK_SKEW_MS = 60_000

export async function openComparisonTopic(
  options: ComparisonTopicOptions,
): Promise<ComparisonTopic> {
  const { kafka, topic, pipeline } = options
  const encode = await openEncoder(options)
  const own = followTopic(options)
  const producer = kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  })
  await producer.connect()
  const published = createPublishedMinutes(pipeline)
  return {
    publish: async (records, trial) => {
      await own.follow(trial.sinceMs - CLOCK_SKEW_MS, published.note)
      const fresh = published.leaveOut(records, trial)
      if (fresh.length === 0) return
      const messages = fresh.map((record) => ({ key: keyOf(record), value: encode(record) }))
      // Of one trial, so with one key: they lie in one partition.
      const [written] = await producer.send({ topic, acks: -1, messages })
      own.skip(written!.partition, Number(written!.baseOffset), fresh.length)
      for (const record of fresh) published.note(record)
    },
    close: () => producer.disconnect(),
  }
}

const keyOf = ({ challengerName, challengerVersion }: ComparisonRecord): string =>
  `${challengerName} ${challengerVersion}`

async function openEncoder({ registry, topic }: ComparisonTopicOptions) {
  const schema = readSchema('model-comparison')
  const id = await registry.lookUp(subjectOf(topic), schema)
  if (id !== null) return createEncoder<ComparisonRecord>(schema, id)
  const detail = `Subject ${subjectOf(topic)} does not have schemas/model-comparison.avsc: run \`weir topics apply\`.`
  throw new WeirError('WEIR_TOPICS_DIFFER', detail)
}

/** Reads on from where it was; from an earlier time only where somebody asks for it. */
function followTopic({ kafka, registry, topic }: ComparisonTopicOptions) {
  const decoder = createDecoder<ComparisonRecord>(readSchema('model-comparison'), (id) =>
    registry.schemaById(id, subjectOf(topic)),
  )
  const positions = new Map<number, number>()
  let knownFromMs = Number.POSITIVE_INFINITY

  const findRanges = async (fromMs: number) => {
    if (fromMs < knownFromMs) positions.clear()
    const starts =
      positions.size > 0 ? null : await offsetsAtTime(kafka, topic, Math.max(0, fromMs))
    const bounds = await partitionBounds(kafka, topic)
    return bounds.map(({ partition, low, high }) => {
      const from = starts?.get(partition) ?? positions.get(partition) ?? low
      return { topic, partition, from: Math.min(high, Math.max(low, from)), to: high }
    })
  }

  /** What we wrote ourselves right behind it needs no reading. */
  const skip = (partition: number, from: number, count: number): void => {
    if (positions.get(partition) === from) positions.set(partition, from + count)
  }

  const follow = async (
    fromMs: number,
    note: (record: ComparisonRecord) => void,
  ): Promise<void> => {
    const ranges = await findRanges(fromMs)
    const reading = await openTopicRanges(kafka, ranges)
    try {
      for (const [i, { partition, to }] of ranges.entries()) {
        for await (const messages of reading.read(i)) {
          const { values } = await decodeLearning(messages, decoder)
          for (const value of values) if (value !== null) note(value)
        }
        positions.set(partition, to)
      }
    } finally {
      await reading.close()
    }
    knownFromMs = Math.min(knownFromMs, fromMs)
  }

  return { follow, skip }
}
