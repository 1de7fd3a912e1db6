// The scored topic and the labels from a moment on, decoded, without end.
//
// In: a client, decoders, who hears the events. Out: `readFrom(ms)`, which begins anew at that
// broker time, `isCaughtUp`, and the moment that all partitions have passed. Refused: an offset
// that the topic no longer holds (WEIR_KAFKA_OFFSET_OUT_OF_RANGE), a consumer that gave up: both to
// `fail`. A record that cannot be decoded is passed over. Invariants: a partition's records come in
// order, each once per reading; one fetch of a partition at a time is in memory; a partition far
// ahead waits for the slowest; one that is silent at its end keeps nobody waiting.

import type { Kafka } from '../adapters/kafka/client/kafka-client.ts'
import { deleteGroup } from '../adapters/kafka/client/with-admin.ts'
import { createLaneConsumer } from '../adapters/kafka/lanes/lane-consumer.ts'
import { offsetsAtTime, partitionBounds } from '../adapters/kafka/ranges/topic-bounds.ts'
import { type Clock, systemClock } from '../core/clock.ts'
import type { Fetched, LaneAddress } from '../lanes/lane-input.ts'
import { createHearing, type Hearers } from './hear-message.ts'
import { ReadFrontier } from './read-frontier.ts'

type ScoredFeedOptions = {
  readonly kafka: Kafka
  readonly groupId: string
  readonly topics: { readonly scored: string; readonly labels: string | null }
  readonly decoders: Hearers['decoders']
  readonly hear: Hearers['hear'] & {
    /** Whether the brokers answered when they were asked where the partitions end. */
    readonly brokers: (trouble: Error | null) => void
  }
  readonly fail: (error: Error) => void
  readonly clock?: Clock
}

type ScoredFeed = {
  /** Forgets what it was at. */
  readonly readFrom: (fromMs: number) => void
  /** Whether all that was written when the reading began has been heard. */
  readonly isCaughtUp: () => boolean
  /** All that was scored or told before this moment has been heard. */
  readonly passedMs: () => number
  readonly close: () => Promise<void>
}

/** Partitions that are silent are asked for their end this often. */
const ENDS_EVERY_MS = 2000

export async function openScoredFeed(options: ScoredFeedOptions): Promise<ScoredFeed> {
  const { kafka, groupId, topics, fail, clock = systemClock } = options
  const hearMessage = createHearing(options)
  const scored = { topic: topics.scored, stream: 'transactions' as const }
  const labels = topics.labels === null ? [] : [{ topic: topics.labels, stream: 'labels' as const }]
  const input = createLaneConsumer({ kafka, groupId, topics: [scored, ...labels] })
  let lanes: readonly LaneAddress[] = []
  let fromMs: number | null = null
  /** Rises with every reading: what was fetched for an earlier one is dropped. */
  let reading = 0
  /** By lane, the end of what was written when the reading began; absent = heard. */
  const behind = new Map<number, number>()

  /** By lane, the offset of the next record to hear; a lane that comes back goes on there. */
  const positions = new Map<number, number>()

  const frontier = new ReadFrontier()
  /** Lanes that wait for slower ones. */
  const held = new Set<number>()

  const begin = async (): Promise<void> => {
    if (fromMs === null) return
    const mine = ++reading
    const fresh = lanes.filter(({ laneId }) => !positions.has(laneId))
    for (const { laneId } of fresh) behind.set(laneId, Number.POSITIVE_INFINITY)
    for (const lane of lanes) {
      const position = positions.get(lane.laneId)
      if (position !== undefined) input.seek(lane, position)
    }
    for (const topic of new Set(fresh.map((lane) => lane.topic))) {
      const offsets = await offsetsAtTime(kafka, topic, fromMs)
      const atMs = clock.nowMs()
      const bounds = await partitionBounds(kafka, topic)
      if (mine !== reading) return
      for (const lane of fresh.filter((one) => one.topic === topic)) {
        const { low, high } = bounds.find(({ partition }) => partition === lane.partition)!
        const offset = Math.max(low, offsets.get(lane.partition) ?? low)
        behind.set(lane.laneId, high)
        move(lane.laneId, offset)
        if (offset >= high) frontier.rest(lane.laneId, atMs)
        input.seek(lane, offset)
      }
    }
  }
  const move = (laneId: number, offset: number): void => {
    positions.set(laneId, offset)
    if (offset >= behind.get(laneId)!) behind.delete(laneId)
  }
  const start = (): void => void begin().catch(fail)

  const receive = async (lane: LaneAddress, fetched: Fetched): Promise<void> => {
    const { laneId } = lane
    const mine = reading
    input.pause(lane)
    for (const message of fetched.messages) {
      const found = hearMessage(lane, message)
      const tell = found instanceof Promise ? await found : found
      if (mine !== reading) return
      if (tell !== null) frontier.meet(laneId, tell())
      positions.set(laneId, message.offset + 1)
    }
    move(laneId, fetched.nextOffset)
    held.add(laneId)
    release()
  }

  const release = (): void => {
    for (const lane of lanes) {
      if (!held.has(lane.laneId) || frontier.isAhead(lane.laneId)) continue
      held.delete(lane.laneId)
      input.resume(lane)
    }
  }

  /** A silent lane that has nothing more has passed the moment of the question. */
  const findEnds = async (): Promise<void> => {
    const mine = reading
    const atMs = clock.nowMs()
    const silent = new Set(frontier.behind(atMs - ENDS_EVERY_MS))
    const waited = lanes.filter(({ laneId }) => silent.has(laneId) && positions.has(laneId))
    for (const topic of new Set(waited.map((lane) => lane.topic))) {
      const bounds = await partitionBounds(kafka, topic)
      if (mine !== reading) return
      for (const { laneId, partition } of waited.filter((lane) => lane.topic === topic)) {
        const end = bounds.find((one) => one.partition === partition)!.high
        if (positions.get(laneId)! >= end) frontier.rest(laneId, atMs)
      }
    }
    release()
  }
  await input.start({
    assigned: (assigned) => {
      lanes = assigned
      frontier.follow(lanes.map(({ laneId }) => laneId))
      start()
    },
    revoked: () => {
      reading++
      lanes = []
      held.clear()
    },
    fetched: (laneId, fetched) => {
      const lane = lanes.find((one) => one.laneId === laneId)
      if (lane !== undefined) void receive(lane, fetched).catch(fail)
    },
    crashed: fail,
  })
  const ends = repeat(findEnds, options.hear.brokers)
  return {
    readFrom: (ms) => {
      fromMs = ms
      positions.clear()
      behind.clear()
      held.clear()
      frontier.forget()
      frontier.follow(lanes.map(({ laneId }) => laneId))
      start()
    },
    isCaughtUp: () => lanes.length > 0 && behind.size === 0,
    passedMs: () => frontier.passedMs(),
    close: async () => {
      reading++
      ends.stop()
      await input.stop()
      await deleteGroup(kafka, groupId)
    },
  }
}

/** One at a time; what failed is asked again, and whoever reads the topics fails by itself. */
function repeat(ask: () => Promise<void>, tell: (trouble: Error | null) => void) {
  let isAsking = false
  const timer = setInterval(async () => {
    if (isAsking) return
    isAsking = true
    const trouble = await ask().then(
      () => null,
      (error: Error) => error,
    )
    isAsking = false
    tell(trouble)
  }, ENDS_EVERY_MS)
  timer.unref()
  return { stop: () => clearInterval(timer) }
}
