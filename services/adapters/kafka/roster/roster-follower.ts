// Every roster of a pipeline as it is written: model.control from its beginning, and on for ever.
//
// In: a client, a codec, the pipeline's name. Out: each roster to `hear`, in the order of the
// topic, those that were there before included: whoever hears them ignores what is not newer.
// Refused: nothing; a record that cannot be read is told to `refuse`, and the roster in force
// stays. Invariants: a consumer that gave up is replaced until `close`; its throw-away group
// commits nothing. How fast: the broker answers a waiting fetch as soon as there is something.

import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { WeirError } from '../../../core/errors.ts'
import { limits } from '../../../core/limits.ts'
import type { Roster } from '../../../roster/roster.ts'
import type { Consumer, Kafka, KafkaMessage } from '../client/kafka-client.ts'
import { deleteGroup } from '../client/with-admin.ts'
import type { RosterCodec } from './roster-codec.ts'
import { type ControlRecord, readControl } from './roster-records.ts'

type RosterFollowing = {
  readonly kafka: Kafka
  readonly topic: string
  readonly pipeline: string
  readonly codec: RosterCodec<ControlRecord>
  readonly hear: (roster: Roster) => void
  readonly refuse: (error: Error) => void
  /** The consumer was lost and is made anew. */
  readonly retry: (attempt: number, error: Error) => void
}

type RosterFollower = { readonly close: () => Promise<void> }

const SESSION_MS = 30_000
/** How long the broker holds an empty fetch, and so how long a close may take. */
const FETCH_WAIT_MS = 500
const FIRST_PAUSE_MS = 250
/** Of one request, before the consumer is given up and made anew. */
const RETRIES = 5

/** Returns at once: whoever starts has read the topic already. */
export function followRosters(following: RosterFollowing): RosterFollower {
  const stop = new AbortController()
  const done = keepFollowing(following, stop.signal)
  return {
    close: async () => {
      stop.abort()
      await done
    },
  }
}

async function keepFollowing(following: RosterFollowing, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; !signal.aborted; attempt++) {
    const error = await followOnce(following, signal).catch((thrown: Error) => thrown)
    if (error === null || signal.aborted) return
    following.retry(attempt, error)
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (attempt - 1), limits.retryPauseMsMax)
    await wait(pauseMs, undefined, { signal }).catch(() => undefined)
  }
}

/** null when it was told to stop, else why the consumer ended. */
async function followOnce(following: RosterFollowing, signal: AbortSignal): Promise<Error | null> {
  const { kafka, topic } = following
  const groupId = `weir-roster-${randomUUID()}`
  const consumer = openConsumer(kafka, groupId)
  const ended = untilEnded(consumer, signal)
  try {
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachMessage: ({ message }) => receive(following, message),
    })
    return await ended
  } finally {
    await consumer.disconnect().catch(() => undefined)
    await deleteGroup(kafka, groupId)
  }
}

const openConsumer = (kafka: Kafka, groupId: string): Consumer =>
  kafka.consumer({
    groupId,
    sessionTimeout: SESSION_MS,
    rebalanceTimeout: SESSION_MS,
    maxWaitTimeInMs: FETCH_WAIT_MS,
    // A consumer that crashes while it is being closed would start again behind our back, and keep
    // the process from ending; it is made anew here, where one knows whether it is still wanted.
    retry: { retries: RETRIES, restartOnFailure: async () => false },
    allowAutoTopicCreation: false,
    readUncommitted: false,
  })

function untilEnded(consumer: Consumer, signal: AbortSignal): Promise<Error | null> {
  const { promise, resolve } = Promise.withResolvers<Error | null>()
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (payload.restart) return
    const { error } = payload
    resolve(new WeirError('WEIR_KAFKA_AWAY', error.message, { cause: error }))
  })
  if (signal.aborted) resolve(null)
  signal.addEventListener('abort', () => resolve(null), { once: true })
  return promise
}

async function receive(following: RosterFollowing, { key, value }: KafkaMessage): Promise<void> {
  const { pipeline, codec, hear, refuse } = following
  // A tombstone is no roster.
  if (value === null || key?.toString() !== pipeline) return
  try {
    hear(readControl(await codec.decode(value)))
  } catch (error) {
    refuse(error as Error)
  }
}
