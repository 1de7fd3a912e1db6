// The rollout service, assembled: the ledger, the scored topic, the topic of minutes, who watches.
//
// In: a pipeline definition, the settings of the place. Out: a running service and its end. Refused
// at start: topics or schemas that are not there (WEIR_TOPICS_DIFFER), a ledger that cannot be
// read, a port that somebody else has. Invariant: nothing is kept but in Kafka; its throw-away
// groups commit nothing.

import { randomUUID } from 'node:crypto'
import type { KafkaLogger } from '../adapters/kafka/client/kafka-client.ts'
import { createRosterCodec } from '../adapters/kafka/roster/roster-codec.ts'
import { followRosters } from '../adapters/kafka/roster/roster-follower.ts'
import { openRosterLedger } from '../adapters/kafka/roster/roster-ledger.ts'
import type { ControlRecord } from '../adapters/kafka/roster/roster-records.ts'
import type { Registry } from '../adapters/registry/schema-registry.ts'
import { systemClock } from '../core/clock.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import type { Settings } from '../core/settings.ts'
import { createClosers } from '../environment/closers.ts'
import { openInputDecoders, openOutputDecoder } from '../environment/open-decoders.ts'
import { openKafka, openRegistry } from '../environment/open-environment.ts'
import type { ScoredTransactionRecord } from '../pipeline/publish/output-records.ts'
import { openComparisonTopic } from './comparison-topic.ts'
import { openRolloutWatch, type RolloutWatch } from './rollout-watch.ts'
import { Rollout, type RolloutLine } from './run-rollout.ts'
import { openScoredFeed } from './scored-feed.ts'

type RolloutOptions = {
  readonly definition: PipelineDefinition
  readonly settings: Settings
  readonly logger: KafkaLogger
  readonly tell: (line: RolloutLine) => void
  /** Where metrics and health can be asked. */
  readonly watch?: (httpUrl: string) => void
}

/** Ends when the signal says so; rejects with what the service could not get over. */
export async function runRollout(options: RolloutOptions, signal: AbortSignal): Promise<void> {
  const { definition, settings, logger, tell } = options
  const { pipeline, topics } = definition
  const closers = createClosers((error) => logger.error({ error }, 'a part did not close'))
  const { failed, fail } = createFailure()
  try {
    const registry = openRegistry(settings)
    closers.add(registry.close)
    const kafka = openKafka(settings, logger, 'rollout')
    const ledger = openRosterLedger({ kafka, registry, definition })
    const comparisons = await openComparisonTopic({
      kafka: openKafka(settings, logger, 'rollout'),
      registry,
      topic: topics.modelComparisons,
      pipeline,
    })
    closers.add(comparisons.close)
    // Who hears the feed is made with it: until then there is nobody to tell.
    let rollout: Rollout | null = null
    let watch: RolloutWatch | null = null
    const feed = await openScoredFeed({
      kafka,
      groupId: `weir-rollout-${randomUUID()}`,
      topics,
      decoders: openDecoders(registry, definition),
      hear: {
        scored: (event) => rollout?.hearScored(event),
        label: (label, brokerTimeMs) => rollout?.hearLabel(label, brokerTimeMs),
        brokers: (trouble) => watch?.kafka(trouble),
      },
      fail,
    })
    closers.add(feed.close)
    watch = await openRolloutWatch({ definition, settings, isCaughtUp: feed.isCaughtUp })
    const { http, judged, told } = watch
    closers.add(http.close)
    watch.kafka(null)
    options.watch?.(http.url)
    const service = new Rollout({
      definition,
      readLedger: ledger.read,
      change: (change, author, epoch) => ledger.change(() => change, { author, epoch }),
      readFrom: feed.readFrom,
      isCaughtUp: feed.isCaughtUp,
      passedMs: feed.passedMs,
      publish: comparisons.publish,
      clock: systemClock,
      tell: (line) => {
        told(line)
        tell(line)
      },
      judged,
    })
    rollout = service
    const follower = followRosters({
      kafka,
      topic: topics.modelControl,
      pipeline,
      codec: createRosterCodec<ControlRecord>('model-control', topics.modelControl, registry),
      hear: (roster) => service.hearRoster(roster),
      refuse: fail,
      retry: (attempt, error) => logger.warn({ attempt, error }, 'the roster is followed anew'),
    })
    closers.add(follower.close)
    await Promise.race([service.run(signal), failed]).catch((error: Error) => {
      watch?.failed(error)
      throw error
    })
  } finally {
    await closers.closeAll()
  }
}

/** Whoever waits for it is told; who does not yet, or not any more, is not ended by it. */
function createFailure() {
  const { promise, reject } = Promise.withResolvers<never>()
  promise.catch(() => undefined)
  return { failed: promise, fail: (error: Error): void => reject(error) }
}

function openDecoders(registry: Registry, definition: PipelineDefinition) {
  const scored = openOutputDecoder<ScoredTransactionRecord>(
    registry,
    'scored-transaction',
    definition.topics.scored,
  )
  return { scored, labels: openInputDecoders(registry, definition).labels }
}
