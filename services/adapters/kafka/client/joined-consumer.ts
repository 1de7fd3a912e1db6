// One member of a consumer group that can be spoken to at any moment, and comes back by itself.
//
//   start ─► joined ─► (rebalance) joined ─► ... ─► STOP ··· CRASH ─► run again ─► joined ─► stop
//                                                    └─ no group: pause, resume, seek do nothing
//
// In: topics, and who listens. Out: what kafkajs tells, and `joined` after whatever went wrong, so
// that whoever listens seeks anew. When its group crashes kafkajs first drops it, then disconnects
// for up to a request's timeout, and only then says so: in between its own pause and seek throw.
// Refused to `failed`: crashes one after the other with nothing fetched between them. A fault
// inside of kafkajs (which gives up on whatever it does not call retriable) is a reason to join
// again. Invariants: nothing here throws out of an event; a member that hears heartbeats but no
// fetches of a broker joins anew.

import { WeirError } from '../../../core/errors.ts'
import { translateKafka } from './broker-answer.ts'
import type { Consumer, ConsumerConfig, EachBatchPayload, Kafka } from './kafka-client.ts'

type JoinedListener = {
  /** Partitions by topic; nothing of them is fetched until `seek`. */
  readonly joined: (assignment: Readonly<Record<string, readonly number[]>>) => void
  readonly left: (reason: string) => void
  readonly fetched: (payload: EachBatchPayload) => void
  /** A stretch of control records or aborted ones: no message, but the partition moved on. */
  readonly skipped: (stretch: SkippedStretch) => void
  readonly failed: (error: WeirError) => void
}

export type SkippedStretch = {
  readonly topic: string
  readonly partition: number
  /** Null where the broker did not say. */
  readonly firstOffset: number | null
  readonly nextOffset: number
  readonly endOffset: number
}

export type JoinedConsumer = {
  readonly start: (topics: readonly string[], listener: JoinedListener) => Promise<void>
  /** Begins to fetch at this offset, also after pause. */
  readonly seek: (topic: string, partition: number, offset: number) => void
  readonly pause: (topic: string, partition: number) => void
  readonly resume: (topic: string, partition: number) => void
  /** Never rejects. */
  readonly stop: () => Promise<void>
}

/** Crashes in a row, with nothing fetched between them, after which it is no accident any more. */
const CRASHES_MAX = 8
const REJOIN_PAUSE_MS = 250
const FETCHES_HANDLED_AT_ONCE = 32
/** An empty fetch returns after a fraction of a second. */
const SILENCE_MS = 60_000
const LOOK_MS = 5000

type Member = {
  readonly consumer: Consumer
  readonly listener: JoinedListener
  isJoined: boolean
  isStopped: boolean
  crashes: number
  heartbeatMs: number
  /** Since when it has no assignment although its group has one; null = it has. */
  leftMs: number | null
  /** When each broker was heard of last, ms. */
  readonly fetchedMs: Map<number, number>
}

/** kafkajs restarts what crashed even if it was stopped meanwhile: here that is done by hand. */
const retry = { retries: 5, restartOnFailure: async () => false }

export function joinConsumer(kafka: Kafka, config: ConsumerConfig): JoinedConsumer {
  const consumer = kafka.consumer({ ...config, retry })
  let member: Member | null = null
  let watch: NodeJS.Timeout | undefined
  const whenJoined = (speak: () => void): void => {
    if (member?.isJoined !== true) return
    try {
      speak()
    } catch {
      // It was dropped a moment ago; `joined` comes when there is somebody to speak to again.
      member.isJoined = false
    }
  }
  const resume = (topic: string, partition: number): void =>
    whenJoined(() => consumer.resume([{ topic, partitions: [partition] }]))
  return {
    start: async (topics, listener) => {
      const mine = createMember(consumer, listener)
      member = mine
      await translateKafka(async () => {
        await consumer.connect()
        await consumer.subscribe({ topics: [...topics], fromBeginning: true })
      })
      listen(mine)
      watch = setInterval(() => watchSilence(mine), LOOK_MS)
      watch.unref()
      await run(mine)
    },
    seek: (topic, partition, offset) => {
      whenJoined(() => consumer.seek({ topic, partition, offset: String(offset) }))
      resume(topic, partition)
    },
    pause: (topic, partition) =>
      whenJoined(() => consumer.pause([{ topic, partitions: [partition] }])),
    resume,
    stop: async () => {
      clearInterval(watch)
      if (member !== null) member.isStopped = true
      // Whoever stops is done with it, however it goes.
      await consumer.disconnect().catch(() => undefined)
    },
  }
}

const createMember = (consumer: Consumer, listener: JoinedListener): Member => ({
  ...{ consumer, listener, isJoined: false, isStopped: false, crashes: 0, heartbeatMs: 0 },
  leftMs: null,
  fetchedMs: new Map(),
})

function run(member: Member): Promise<void> {
  return member.consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    partitionsConsumedConcurrently: FETCHES_HANDLED_AT_ONCE,
    eachBatch: async (payload) => {
      member.crashes = 0
      if (!payload.isStale() && payload.isRunning()) member.listener.fetched(payload)
    },
  })
}

function listen(member: Member): void {
  const { consumer, listener, fetchedMs } = member
  const { GROUP_JOIN, REBALANCING, STOP, CRASH, END_BATCH_PROCESS, FETCH, HEARTBEAT } =
    consumer.events
  consumer.on(GROUP_JOIN, ({ payload }) => {
    member.isJoined = true
    member.leftMs = null
    fetchedMs.clear()
    // Held until whoever listens knows the offset.
    for (const [topic, partitions] of Object.entries(payload.memberAssignment)) {
      consumer.pause([{ topic, partitions }])
    }
    listener.joined(payload.memberAssignment)
  })
  consumer.on(REBALANCING, () => {
    member.leftMs = performance.now()
    listener.left('rebalancing')
  })
  consumer.on(STOP, () => {
    member.isJoined = false
  })
  consumer.on(CRASH, ({ payload }) => {
    member.isJoined = false
    listener.left(`consumer crashed: ${payload.error.message}`)
    rejoin(member, payload.error)
  })
  consumer.on(HEARTBEAT, () => {
    member.heartbeatMs = performance.now()
  })
  consumer.on(FETCH, ({ payload }) => {
    fetchedMs.set((payload as unknown as { nodeId: number }).nodeId, performance.now())
  })
  consumer.on(END_BATCH_PROCESS, ({ payload }) => {
    if (payload.batchSize > 0) return
    const { topic, partition, firstOffset, lastOffset, highWatermark } = payload
    listener.skipped({
      ...{ topic, partition, nextOffset: Number(lastOffset) + 1, endOffset: Number(highWatermark) },
      firstOffset: firstOffset === undefined ? null : Number(firstOffset),
    })
  })
}

function rejoin(member: Member, cause: Error): void {
  if (member.isStopped) return
  if (!isPassing(cause)) member.crashes++
  if (member.crashes > CRASHES_MAX) {
    const detail = `The consumer crashed ${member.crashes} times in a row: ${cause.message}`
    member.listener.failed(new WeirError('WEIR_KAFKA_AWAY', detail, { cause }))
    return
  }
  setTimeout(
    () => {
      if (member.isStopped) return
      run(member).catch((error: Error) => rejoin(member, error))
    },
    REJOIN_PAUSE_MS * (1 + member.crashes),
  )
}

/** What kafkajs restarts for by itself: brokers that are away come back. */
function isPassing(error: Error): boolean {
  let cause: unknown = error
  while (cause instanceof Error && cause.cause !== undefined) cause = cause.cause
  const isRetriable = (cause as { readonly retriable?: boolean }).retriable === true
  return error.name === 'KafkaJSNumberOfRetriesExceeded' || isRetriable
}

/**
 * Two silences that kafkajs does not notice: a fetcher that hangs while others work, and a group
 * whose answer to SyncGroup was lost, after which it sends heartbeats for an assignment that it
 * never got.
 */
function watchSilence(member: Member): void {
  if (!member.isJoined || member.isStopped) return
  const nowMs = performance.now()
  const since = (ms: number): boolean => nowMs - ms > SILENCE_MS
  if (since(member.heartbeatMs)) return
  const isUnassigned = member.leftMs !== null && since(member.leftMs)
  if (!isUnassigned && ![...member.fetchedMs.values()].some(since)) return
  member.isJoined = false
  member.leftMs = null
  member.listener.left(`a broker sent nothing for ${SILENCE_MS} ms`)
  const { consumer } = member
  consumer
    .stop()
    .then(() => run(member))
    .catch((error: Error) => rejoin(member, error))
}
