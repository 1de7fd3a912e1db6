// A pipeline whose two topics of the roster are its own, so that tests do not meet each other's
// records.
//
// In: a broker and a registry. Out: a definition; its topics are there with their schemas, and gone
// after the test. Refused: what brokers and registry refuse.

import { onTestFinished } from 'vitest'
import type { Kafka } from '../../../../services/adapters/kafka/client/kafka-client.ts'
import { applyTopics } from '../../../../services/adapters/kafka/topics/topic-admin.ts'
import { topicPlan } from '../../../../services/adapters/kafka/topics/topics.ts'
import type { Registry } from '../../../../services/adapters/registry/schema-registry.ts'
import type { PipelineDefinition } from '../../../../services/core/pipeline-definition.ts'
import { customer, fieldFeature, pipelineOf } from '../../../support/pipelines.ts'
import { uniqueName } from '../../../support/stack.ts'

export const rosterFile = pipelineOf({
  entities: [customer],
  features: [fieldFeature({ field: 'amountMinor' })],
})

export async function openRosterEnvironment(
  kafka: Kafka,
  registry: Registry,
): Promise<PipelineDefinition> {
  const prefix = `${uniqueName('roster')}.`
  const plan = topicPlan({ prefix }).filter(({ role }) => /^model(Control|Audit)$/.test(role))
  const topicOf = (wanted: string) => plan.find(({ role }) => role === wanted)!.topic
  const topics = { modelControl: topicOf('modelControl'), modelAudit: topicOf('modelAudit') }
  const admin = kafka.admin()
  await admin.connect()
  onTestFinished(async () => {
    await admin.deleteTopics({ topics: Object.values(topics) })
    await admin.disconnect()
  })
  await applyTopics({ admin, registry, plan })
  return { ...rosterFile, topics: { ...rosterFile.topics, ...topics } }
}
