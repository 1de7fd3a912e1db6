// What the owner of a topic or subject would type to bring it to the plan: `weir topics` prints it
// and leaves it alone.
//
// In: names, values and the addresses of brokers and registry. Out: one line for a shell each, with
// Kafka's own tools and the registry's own calls. Invariant: no credentials are in them.

import type { SchemaFile } from '../../registry/schema-files.ts'
import type { CompatibilityLevel } from '../../registry/schema-registry.ts'

export type Addresses = { readonly bootstrap: string; readonly registry: string }

const header = "-H 'Content-Type: application/vnd.schemaregistry.v1+json'"

export const ownerCommands = {
  config: ({ bootstrap }: Addresses, topic: string, setting: string, value: string): string =>
    `kafka-configs.sh --bootstrap-server ${bootstrap} --alter --entity-type topics ` +
    `--entity-name ${topic} --add-config ${setting}=${value}`,
  partitions: ({ bootstrap }: Addresses, topic: string, count: number): string =>
    `kafka-topics.sh --bootstrap-server ${bootstrap} --alter --topic ${topic} --partitions ${count}`,
  level: ({ registry }: Addresses, subject: string, level: CompatibilityLevel): string =>
    `curl -X PUT ${header} --data '{"compatibility": "${level}"}' ${registry}/config/${subject}`,
  schema: ({ registry }: Addresses, subject: string, file: SchemaFile): string =>
    `jq -Rs '{schema: .}' schemas/${file}.avsc | ` +
    `curl -X POST ${header} --data @- ${registry}/subjects/${subject}/versions`,
} as const
