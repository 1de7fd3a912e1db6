// The scored topic and the labels from a moment on, decoded, without end.
//
// In: a client, decoders, who hears the events. Out: `readFrom(ms)`, which begins anew at that broker time, and
// `caughtUp`. Refused: an offset that the topic no longer holds (WEIR_KAFKA_OFFSET_OUT_OF_RANGE), a consumer that gave
// up: both to `fail`. A record that cannot be decoded is passed over. Invariants: a
// partition's records come in order, each once per reading; one fetch of a partition at a time is in memory.

import type { Kafka } from '../adapters/kafka/client/kafka-client.ts'
import { deleteGroup } from '../adapters/kafka/client/with-admin.ts'
import { createLaneConsumer } from '../adapters/kafka/lanes/lane-consumer.ts'
import { offsetsAtTime, partitionBounds } from '../adapters/kafka/ranges/topic-bounds.ts'
import type { Fetched, LaneAddress } from '../lanes/lane-input.ts'
import { DecodeFault, type Decoder } from '../pipeline/decode/message-decoder.ts'
import type { ScoredTransactionRecord } from '../pipeline/publish/output-records.ts'
import type { Label, Stream } from '../pipeline/records.ts'

type ScoredFeedOptions = {
  readonly kafka: Kafka
  readonly groupId: string
  readonly topics: { readonly scored: string; readonly labels: string | null }
  readonly decoders: {
    readonly scored: Decoder<ScoredTransactionRecord>
    readonly labels: Decoder<Label>
  }
  readonly hear: {
    readonly scored: (event: ScoredTransactionRecord) => void
    readonly label: (label: Label) => void
  }
  readonly fail: (error: Error) => void
}

type ScoredFeed = {
  /** Forgets what it was at. */
  readonly readFrom: (fromMs: number) => void
  /** Whether all that was written when the reading began has been heard. */
  readonly isCaughtUp: () => boolean
  readonly close: () => Promise<void>
}

export async function openScoredFeed(options: ScoredFeedOptions): Promise<ScoredFeed> {
  const { kafka, groupId, topics, decoders, hear, fail } = options
  const scored = { topic: topics.scored, stream: 'transactions' as const }
  const labels = topics.labels === null ? [] : [{ topic: topics.labels, stream: 'labels' as const }]
  const input = createLaneConsumer({ kafka, groupId, topics: [scored, ...labels] })
  let lanes: readonly LaneAddress[] = []
  let fromMs: number | null = null
  /** Rises with every reading: what was fetched for an earlier one is dropped. */
  let reading = 0
  /** By lane, the end of what was written when the reading began; absent = heard. */
  const behind = new Map<number, number>()

  /** By lane, the offset of the next record to hear; a lane that was lost and comes back goes on there. */
  const positions = new Map<number, number>()

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
      const bounds = await partitionBounds(kafka, topic)
      if (mine !== reading) return
      for (const lane of fresh.filter((one) => one.topic === topic)) {
        const { low, high } = bounds.find(({ partition }) => partition === lane.partition)!
        const offset = Math.max(low, offsets.get(lane.partition) ?? low)
        behind.set(lane.laneId, high)
        move(lane.laneId, offset)
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
    const mine = reading
    input.pause(lane)
    for (const { offset, value } of fetched.messages) {
      const learning = tell(lane.stream, value, () => mine === reading)
      if (learning !== null) await learning
      if (mine !== reading) return
      positions.set(lane.laneId, offset + 1)
    }
    move(lane.laneId, fetched.nextOffset)
    input.resume(lane)
  }

  /** A promise where a schema has to be asked for first. */
  const tell = (
    stream: Stream,
    bytes: Buffer | null,
    isWanted: () => boolean,
  ): Promise<void> | null => {
    const whenWanted =
      <T>(heard: (value: T) => void) =>
      (value: T): void => {
        if (isWanted()) heard(value)
      }
    return stream === 'labels'
      ? decodeTo(decoders.labels, bytes, whenWanted(hear.label))
      : decodeTo(decoders.scored, bytes, whenWanted(hear.scored))
  }

  await input.start({
    assigned: (assigned) => {
      lanes = assigned
      start()
    },
    revoked: () => {
      reading++
      lanes = []
    },
    fetched: (laneId, fetched) => {
      const lane = lanes.find((one) => one.laneId === laneId)
      if (lane !== undefined) void receive(lane, fetched).catch(fail)
    },
    crashed: fail,
  })
  return {
    readFrom: (ms) => {
      fromMs = ms
      positions.clear()
      behind.clear()
      start()
    },
    isCaughtUp: () => lanes.length > 0 && behind.size === 0,
    close: async () => {
      reading++
      await input.stop()
      await deleteGroup(kafka, groupId)
    },
  }
}

function decodeTo<T>(
  decoder: Decoder<T>,
  bytes: Buffer | null,
  hear: (value: T) => void,
): Promise<void> | null {
  const value = decoder.decode(bytes)
  if (!(value instanceof DecodeFault)) {
    hear(value)
    return null
  }
  if (value.missingId === null) return null
  return decoder.learn(value.missingId).then(() => {
    const again = decoder.decode(bytes)
    if (!(again instanceof DecodeFault)) hear(again)
  })
}
