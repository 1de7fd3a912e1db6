// All lanes of a pipeline with what their group has committed, and their memory beside it.
//
// In: a group whose producers have been fenced, so that what is read is final. Out: one entry per
// partition of the input topics. Refused: brokers that do not answer (WEIR_KAFKA_AWAY). Invariant:
// a lane that has never committed has nothing that could be lost: offset 0, fresh memory.

import type { Kafka } from '../adapters/kafka/client/kafka-client.ts'
import { committedPositions, partitionBounds } from '../adapters/kafka/ranges/topic-bounds.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import { type LaneBounds, laneIdOf } from '../lanes/lane-input.ts'
import { decodeLaneMemory, freshMemory } from '../pipeline/publish/lane-metadata.ts'
import type { Stream } from '../pipeline/records.ts'
import type { RestoreLane } from './plan/history.ts'

export async function readCommittedLanes(
  kafka: Kafka,
  groupId: string,
  { topics }: PipelineDefinition,
  bounds?: LaneBounds,
): Promise<readonly RestoreLane[]> {
  const inputs: readonly (readonly [Stream, string | null])[] = [
    ['transactions', topics.transactions],
    ['labels', topics.labels],
  ]
  const lanes: RestoreLane[] = []
  for (const [stream, topic] of inputs) {
    if (topic === null) continue
    const positions = await committedPositions(kafka, groupId, topic)
    for (const { partition } of await partitionBounds(kafka, topic)) {
      const address = { laneId: laneIdOf(stream, partition), stream, topic, partition }
      const { offset, metadata } = positions.get(partition) ?? { offset: -1, metadata: '' }
      const originOffset = bounds?.(address.laneId).from ?? 0
      const memory = decodeLaneMemory(metadata) ?? freshMemory()
      lanes.push(
        offset < 0
          ? { address, originOffset, committedOffset: 0, memory: freshMemory() }
          : { address, originOffset, committedOffset: offset, memory },
      )
    }
  }
  return lanes
}
