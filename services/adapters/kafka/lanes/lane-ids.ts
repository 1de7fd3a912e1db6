// Which lanes there are, whoever holds them: one per partition of the input topics.
//
// In: the input topics. Out: lane ids, asked of the brokers and remembered for a moment, because
// every lane that is being claimed asks. Refused: brokers that do not answer (WEIR_KAFKA_AWAY).

import { WeirError } from '../../../core/errors.ts'
import { laneIdOf } from '../../../lanes/lane-input.ts'
import type { Stream } from '../../../pipeline/records.ts'
import type { Kafka } from '../client/kafka-client.ts'

export type InputTopic = { readonly topic: string; readonly stream: Stream }

const REMEMBERED_MS = 5000

type LaneIds = {
  readonly list: () => Promise<readonly number[]>
  readonly close: () => Promise<void>
}

export async function openLaneIds(kafka: Kafka, inputs: readonly InputTopic[]): Promise<LaneIds> {
  const admin = kafka.admin()
  try {
    await admin.connect()
  } catch (error) {
    await admin.disconnect()
    throw error
  }
  const ask = async (): Promise<readonly number[]> => {
    const wanted = inputs.map(({ topic }) => topic)
    const { topics } = await admin.fetchTopicMetadata({ topics: wanted }).catch((cause) => {
      throw new WeirError('WEIR_KAFKA_AWAY', `partitions of ${wanted}: ${String(cause)}`, { cause })
    })
    return topics.flatMap(({ name, partitions }) => {
      const { stream } = inputs.find(({ topic }) => topic === name)!
      return partitions.map(({ partitionId }) => laneIdOf(stream, partitionId))
    })
  }
  let asked: Promise<readonly number[]> | null = null
  let askedMs = 0
  return {
    list: () => {
      if (asked !== null && Date.now() - askedMs < REMEMBERED_MS) return asked
      askedMs = Date.now()
      asked = ask()
      asked.catch(() => {
        asked = null
      })
      return asked
    },
    close: () => admin.disconnect(),
  }
}
