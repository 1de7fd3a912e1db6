// Brings brokers and registry to the plan: a plan in, the differences found (and mended) out.
//
// `checkTopics` changes nothing. `applyTopics` mends what can be mended without harm and may be run
// again at any time. Refused, before anything is created or registered: fewer partitions or other
// replicas than there are, more partitions unless asked for (they move keys to other lanes, where a
// customer's events may overtake each other), and a schema that the registry calls incompatible,
// with its reason. Invariant: after applyTopics, checkTopics finds nothing.

import { setTimeout } from 'node:timers/promises'
import { WeirError } from '../../../core/errors.ts'
import { limits } from '../../../core/limits.ts'
import { readSchema } from '../../registry/schema-files.ts'
import { subjectOf } from '../../registry/schema-registry.ts'
import { askBroker } from '../client/broker-answer.ts'
import { kafkajs } from '../client/kafka-client.ts'
import {
  compareLevel,
  compareSchema,
  compareTopic,
  type FoundTopic,
  readTopics,
  type TopicAdmin,
  type TopicDifference,
} from './topic-differences.ts'
import type { PlannedTopic } from './topics.ts'

const firstPauseMs = 20

export async function checkTopics(deps: TopicAdmin): Promise<readonly TopicDifference[]> {
  const found = await readTopics(deps)
  const differences = deps.plan.flatMap((planned) => compareTopic(deps, planned, found))
  for (const planned of deps.plan) {
    differences.push(...(await compareLevel(deps, planned)))
    differences.push(...(await compareSchema(deps, planned)))
  }
  return differences
}

/** Gives back what it changed. */
export async function applyTopics(deps: TopicAdmin): Promise<readonly TopicDifference[]> {
  const found = await readTopics(deps)
  const ofTopics = deps.plan.flatMap((planned) => compareTopic(deps, planned, found))
  refuse('WEIR_TOPICS_DIFFER', ofTopics.map(describeRefusal))
  const ofLevels = await setLevels(deps)
  const ofSchemas = await judgeSchemas(deps)
  await mendTopics(deps, ofTopics, found)
  if (ofTopics.length > 0) await awaitTopics(deps)
  for (const planned of deps.plan) {
    if (!ofSchemas.some(({ topic }) => topic === planned.topic)) continue
    await deps.registry.register(subjectOf(planned.topic), readSchema(planned.schema))
  }
  return [...ofTopics, ...ofLevels, ...ofSchemas]
}

/** Before any schema is judged: without a level of its own, Apicurio calls all compatible. */
async function setLevels(deps: TopicAdmin): Promise<readonly TopicDifference[]> {
  const differences: TopicDifference[] = []
  for (const planned of deps.plan) {
    const ofLevel = await compareLevel(deps, planned)
    if (ofLevel.length === 0) continue
    await deps.registry.updateCompatibility(subjectOf(planned.topic), planned.compatibility)
    differences.push(...ofLevel)
  }
  return differences
}

/** All are judged before one is registered. */
async function judgeSchemas(deps: TopicAdmin): Promise<readonly TopicDifference[]> {
  const differences: TopicDifference[] = []
  const refusals: string[] = []
  for (const planned of deps.plan) {
    for (const difference of await compareSchema(deps, planned)) {
      differences.push(difference)
      if (difference.refusal !== null) refusals.push(await askReason(deps, planned))
    }
  }
  refuse('WEIR_REGISTRY_INCOMPATIBLE', refusals)
  return differences
}

/**
 * Asks the registry to register what it has just called incompatible: a test answers only yes or no,
 * the refusal has the reason.
 */
async function askReason({ registry }: TopicAdmin, planned: PlannedTopic): Promise<string> {
  const subject = subjectOf(planned.topic)
  try {
    const id = await registry.register(subject, readSchema(planned.schema))
    return `${subject}: called incompatible, then registered with id ${id}; check the registry.`
  } catch (error) {
    if (error instanceof WeirError && error.code === 'WEIR_REGISTRY_INCOMPATIBLE') {
      return `${subject}: ${(error.cause as Error).message}`
    }
    throw error
  }
}

async function mendTopics(
  { admin, plan }: TopicAdmin,
  differences: readonly TopicDifference[],
  found: ReadonlyMap<string, FoundTopic>,
): Promise<void> {
  const having = (kind: TopicDifference['kind']) =>
    plan.filter(({ topic }) => differences.some((d) => d.topic === topic && d.kind === kind))
  const missing = having('topic').map(({ topic, partitions, replication, config }) => ({
    topic,
    numPartitions: partitions,
    replicationFactor: replication,
    configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
  }))
  if (missing.length > 0) {
    // Not waitForLeaders: kafkajs gives up at once while the broker does not know the topic yet.
    await askBroker(() => admin.createTopics({ topics: missing, waitForLeaders: false }))
  }
  const grown = having('partitions').map(({ topic, partitions }) => ({ topic, count: partitions }))
  if (grown.length > 0) await askBroker(() => admin.createPartitions({ topicPartitions: grown }))
  const altered = having('config').map(({ topic, config }) => ({
    type: kafkajs.ConfigResourceTypes.TOPIC,
    name: topic,
    configEntries: mergedConfig(found.get(topic), config),
  }))
  if (altered.length > 0) {
    await askBroker(() => admin.alterConfigs({ validateOnly: false, resources: altered }))
  }
}

/** A broker answers from its copy of the metadata, which follows the controller's a moment later. */
async function awaitTopics(deps: TopicAdmin): Promise<void> {
  for (let attempt = 0; attempt < limits.retryAttemptsMax; attempt++) {
    await setTimeout(Math.min(firstPauseMs * 2 ** attempt, limits.retryPauseMsMax))
    if (await isAsPlanned(deps)) return
  }
  const detail = 'The brokers took the changes but do not show them yet; run `weir topics check`.'
  throw new WeirError('WEIR_TOPICS_DIFFER', detail)
}

async function isAsPlanned(deps: TopicAdmin): Promise<boolean> {
  try {
    const found = await readTopics(deps)
    return deps.plan.every((planned) => compareTopic(deps, planned, found).length === 0)
  } catch (error) {
    if (error instanceof WeirError && error.canRetry) return false
    throw error
  }
}

/** kafkajs alters by replacing: settings that somebody else made would be lost unless repeated. */
function mergedConfig(found: FoundTopic | undefined, planned: PlannedTopic['config']) {
  const merged = new Map([...(found?.config.own ?? []), ...Object.entries(planned)])
  return [...merged].map(([name, value]) => ({ name, value }))
}

function describeRefusal({ topic, setting, found, planned, refusal }: TopicDifference) {
  if (refusal === null) return null
  return `${topic}: ${setting} is ${found}, planned ${planned}. ${refusal}`
}

function refuse(
  code: 'WEIR_TOPICS_DIFFER' | 'WEIR_REGISTRY_INCOMPATIBLE',
  lines: readonly (string | null)[],
): void {
  const refusals = lines.filter((line) => line !== null)
  if (refusals.length > 0) throw new WeirError(code, refusals.join('\n'))
}
