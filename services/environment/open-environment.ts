// From settings to clients: the one place where the environment's words become connections.
//
// In: settings. Out: a Kafka client, a registry client. Nothing is contacted yet: the first call
// tells whether the system is there. Secrets go to the client and nowhere else.

import {
  createKafka,
  type Kafka,
  type KafkaLogger,
  type KafkaOptions,
  type SASLOptions,
} from '../adapters/kafka/client/kafka-client.ts'
import {
  connectRegistry,
  type Registry,
  type RegistryPatience,
} from '../adapters/registry/schema-registry.ts'
import type { Settings } from '../core/settings.ts'
import type { Observe } from '../pipeline/observe/signals.ts'

type KafkaManner = Pick<KafkaOptions, 'retry' | 'watch'>

/** @param program names the program at the brokers: weir-<program>-<instance>. */
export function openKafka(
  settings: Settings,
  logger: KafkaLogger,
  program: string,
  manner: KafkaManner = {},
): Kafka {
  const { brokers, ssl, sasl } = settings.kafka
  return createKafka({
    brokers,
    clientId: `weir-${program}-${settings.instanceId}`,
    logger,
    ssl,
    ...(sasl === null ? {} : { sasl: sasl as SASLOptions }),
    ...manner,
  })
}

/** For rosters: a rollback must not wait long for a registry that it can do without. */
export const quickly: RegistryPatience = { attemptsMax: 2, requestMsMax: 2000 }

/** The registry client takes its credentials in the URL. */
export function openRegistry(
  { registry }: Pick<Settings, 'registry'>,
  patience?: RegistryPatience,
  observe?: Observe,
): Registry {
  const url = new URL(registry.url)
  if (registry.auth !== null) {
    url.username = encodeURIComponent(registry.auth.username)
    url.password = encodeURIComponent(registry.auth.password)
  }
  return connectRegistry(url.toString(), patience, observe)
}
