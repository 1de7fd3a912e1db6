// The doctor's word before a scorer opens anything: a place that is unfit is refused.
//
// In: the pipeline, settings, a client of the brokers. Thrown: all that the doctor calls fatal, in
// one refusal; WEIR_KAFKA_AWAY and WEIR_ENRICH_STORE_AWAY where it could not look. What it calls
// fatal would fail later at a worse moment, or never be noticed at all.

import type { BrokerWatch } from '../adapters/kafka/client/broker-watch.ts'
import type { KafkaLogger } from '../adapters/kafka/client/kafka-client.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import type { Settings } from '../core/settings.ts'
import { fatalFindings, refuseFatal } from '../doctor/fatal-findings.ts'
import { openKafka } from '../environment/open-environment.ts'

type StartingEnvironment = {
  readonly settings: Settings
  readonly logger: KafkaLogger
  readonly watch?: BrokerWatch
}

export async function refuseUnfit(
  definition: PipelineDefinition,
  { settings, logger, watch }: StartingEnvironment,
): Promise<void> {
  const openAt = (brokers: readonly string[]) =>
    openKafka({ ...settings, kafka: { ...settings.kafka, brokers } }, logger, 'scorer', {
      // Each broker is knocked at twice and no more: whoever waits for them asks again.
      retry: { retries: brokers.length },
      ...(watch === undefined ? {} : { watch }),
    })
  const findings = await fatalFindings(definition, {
    openKafka: (brokers = settings.kafka.brokers) => openAt(brokers),
    redisUrl: settings.redis.url,
  })
  refuseFatal(findings)
}
