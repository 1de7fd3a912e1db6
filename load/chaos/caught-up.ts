// How far the group has come, asked of the brokers and not of the scorers.
//
// In: a place. Out: once everything that stood in the input topics at the time of the call is
// committed. Refused: a deadline that has passed; the error says which partitions are behind. While
// brokers are away the question is asked again.

import { setTimeout as pause } from 'node:timers/promises'
import type { Admin } from '../../services/adapters/kafka/client/kafka-client.ts'
import type { ChaosEnvironment } from './chaos-environment.ts'

type Ends = ReadonlyMap<string, number>

const LOOK_EVERY_MS = 200

export async function untilCaughtUp(place: ChaosEnvironment, msMax: number): Promise<void> {
  const deadlineMs = Date.now() + msMax
  const admin = place.kafka.admin()
  let ends: Ends | null = null
  let behind: readonly string[] = ['nobody could be asked']
  try {
    while (Date.now() < deadlineMs) {
      try {
        await admin.connect()
        ends ??= await readEnds(admin, place)
        behind = await findBehind(admin, place, ends)
        if (behind.length === 0) return
      } catch (error) {
        behind = [error instanceof Error ? error.message : String(error)]
      }
      await pause(LOOK_EVERY_MS)
    }
  } finally {
    await admin.disconnect().catch(() => undefined)
  }
  throw new Error(`not caught up after ${msMax / 1000} s: ${behind.join(', ')}`)
}

const inputTopicsOf = ({ definition: { topics } }: ChaosEnvironment): readonly string[] =>
  topics.labels === null ? [topics.transactions] : [topics.transactions, topics.labels]

async function readEnds(admin: Admin, place: ChaosEnvironment): Promise<Ends> {
  const ends = new Map<string, number>()
  for (const topic of inputTopicsOf(place)) {
    for (const { partition, high } of await admin.fetchTopicOffsets(topic)) {
      ends.set(`${topic}/${partition}`, Number(high))
    }
  }
  return ends
}

async function findBehind(admin: Admin, place: ChaosEnvironment, ends: Ends): Promise<string[]> {
  const topics = [...inputTopicsOf(place)]
  const found = await admin.fetchOffsets({ groupId: place.groupId, topics })
  const committed = new Map(
    found.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, offset }) => [`${topic}/${partition}`, Number(offset)]),
    ),
  )
  return [...ends].flatMap(([name, end]) => {
    const offset = Math.max(0, committed.get(name) ?? 0)
    return offset >= end ? [] : [`${name} at ${offset} of ${end}`]
  })
}
