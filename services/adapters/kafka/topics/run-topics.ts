// The topics and the group of a replay that several processes share: made, and removed without a
// trace.
//
// In: the names of a run, how many partitions. Out: topics that can be written; nothing is
// registered, because their records have the schemas of the live topics. Refused: brokers that do
// not answer (WEIR_KAFKA_AWAY), topics that they will not make (WEIR_TOPICS_DIFFER), the removal of
// a run that is at work (WEIR_SETTINGS_INVALID). Invariants: only names of the run are ever
// touched; making and removing may be done again at any time.

import { setTimeout as pause } from 'node:timers/promises'
import { WeirError } from '../../../core/errors.ts'
import type { IsolatedRun, RunTerms } from '../../../replay/isolated-run.ts'
import type { Kafka } from '../client/kafka-client.ts'
import { withAdmin } from '../client/with-admin.ts'
import { committedPositions } from '../ranges/topic-bounds.ts'
import { createTopics } from './create-topics.ts'
import { topicPlan } from './topics.ts'

type RunNames = Pick<IsolatedRun, 'name' | 'groupId' | 'definition' | 'outputs'>

type RunSize = { readonly partitions: number; readonly replication: number }

export function makeRunTopics(kafka: Kafka, run: RunNames, size: RunSize): Promise<void> {
  const plan = topicPlan({ names: run.definition.topics, ...size })
  const wanted = plan.filter(({ topic }) => run.outputs.includes(topic))
  return withAdmin(kafka, async (admin) => {
    await createTopics(
      admin,
      wanted.map(({ topic, partitions, replication, config }) => ({
        topic,
        numPartitions: partitions,
        replicationFactor: replication,
        // A run is kept until it is collected or discarded, however long that takes.
        configEntries: Object.entries({ ...config, 'retention.ms': '-1' }).map(([name, value]) => {
          return { name, value }
        }),
      })),
    )
  })
}

/** A process that has just come to the end is still on its way out. */
const LEAVING_MS_MAX = 30_000
const LOOK_MS = 500

export async function refuseMembers(kafka: Kafka, { name, groupId }: RunNames): Promise<void> {
  const deadlineMs = performance.now() + LEAVING_MS_MAX
  for (;;) {
    const clients = await listMembers(kafka, groupId)
    if (clients.length === 0) return
    if (performance.now() > deadlineMs) {
      const found = `found ${clients.length} processes at work (${clients.join(', ')})`
      const detail = `weir replay: run ${name}: ${found}, expected none: end them first.`
      throw new WeirError('WEIR_SETTINGS_INVALID', detail)
    }
    await pause(LOOK_MS)
  }
}

const listMembers = (kafka: Kafka, groupId: string): Promise<string[]> =>
  withAdmin(kafka, async (admin) => {
    const { groups } = await admin.describeGroups([groupId])
    return groups.flatMap(({ members }) => members.map(({ clientId }) => clientId))
  })

/** What is not there is removed already. */
export const removeRunTopics = (kafka: Kafka, { groupId, outputs }: RunNames): Promise<void> =>
  withAdmin(kafka, async (admin) => {
    const there = new Set(await admin.listTopics())
    const topics = outputs.filter((topic) => there.has(topic))
    if (topics.length > 0) await admin.deleteTopics({ topics })
    const { groups } = await admin.listGroups()
    if (groups.some((group) => group.groupId === groupId)) await admin.deleteGroups([groupId])
  })

/** The ranges with what the group has committed of them. */
export async function readLaneProgress<Range extends RunTerms['ranges'][number]>(
  kafka: Kafka,
  groupId: string,
  ranges: readonly Range[],
): Promise<(Range & { readonly committed: number })[]> {
  const topics = [...new Set(ranges.map(({ topic }) => topic))]
  const positions = new Map(
    await Promise.all(
      topics.map(
        async (topic) => [topic, await committedPositions(kafka, groupId, topic)] as const,
      ),
    ),
  )
  return ranges.map((range) => {
    const offset = positions.get(range.topic)?.get(range.partition)?.offset ?? -1
    return { ...range, committed: Math.max(range.from, offset) }
  })
}
