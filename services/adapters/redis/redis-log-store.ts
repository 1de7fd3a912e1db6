// The entity logs in Redis: one string per log, one function call per bucket and batch.
//
// In: the records of a batch. Out: the logs, decoded, with each record's place. A batch is one round
// trip: every bucket's call is sent before any answer is awaited. Redis answers only what this
// scorer has not seen; the rest is in the bounded cache.
// Refused: an older epoch (FENCED), a fence that knows less than this lane has applied (LOST).
// Invariants: a call that is sent twice has the effect of one, because the fence skips what is
// applied; so time-outs are simply sent again. A cached log whose key's generation changed is
// dropped and read anew. Every call touches every bucket's fence, so that all buckets of a lane
// agree on its applied offset once a batch is through.

import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { assertInvariant, WeirError } from '../../core/errors.ts'
import { hashToBucket } from '../../core/hash.ts'
import { limits } from '../../core/limits.ts'
import { offsetOfSource } from '../../pipeline/enrich/entity-log.ts'
import {
  type AdvanceReply,
  type AdvanceRequest,
  type EntityLogStore,
  type LaneClaim,
  type LaneFrontier,
  LaneRefusedError,
  type LogKind,
  type OwnFrontier,
} from '../../pipeline/enrich/log-store.ts'
import type { Observe } from '../../pipeline/observe/happenings.ts'
import { applyReply } from './apply-reply.ts'
import { type Draft, draftBatch } from './batch-draft.ts'
import { createLogCache, type LogCache } from './log-cache.ts'
import {
  decodeFrontiers,
  encodeAdvance,
  encodeFrontiers,
  type RequestFrame,
  TOLD_FROM,
} from './log-layout.ts'
import type { RedisClient } from './redis-client.ts'

export type RedisLogStoreOptions = {
  readonly redis: RedisClient
  readonly kinds: readonly LogKind[]
  /** Begins every key; carries pipeline and layout hash, so that another layout never meets it. */
  readonly prefix: string
  readonly buckets: number
  readonly retentionMs: number
  readonly observe: Observe
  readonly cacheBytesMax?: number
}

const FUNCTIONS = readFileSync(new URL('./weir-functions.lua', import.meta.url), 'utf8')
/** How often the cache's size is reported. */
const BATCHES_PER_SIZE = 64
/** New keys get the generations nonce + 1, nonce + 2, ...: never 0, which means `no key`. */
const NONCE_MAX = 2 ** 31

export async function createRedisLogStore(options: RedisLogStoreOptions): Promise<EntityLogStore> {
  // Loading again what is there is harmless: the library's name carries its version.
  await options.redis.loadFunctions(FUNCTIONS)
  const { prefix, buckets } = options
  const fenceKeys = Array.from({ length: buckets }, (_, bucket) => `{${prefix}:${bucket}}fence`)
  const cache = createLogCache({
    kinds: options.kinds,
    bytesMax: options.cacheBytesMax ?? limits.entityCacheBytesMax,
    locate: (kind, key) => {
      const bucket = hashToBucket(key, buckets)
      return { redisKey: `{${prefix}:${bucket}}${kind}:${key}`, bucket }
    },
  })
  const applied = new Map<number, number>()
  let batches = 0
  let frontiers: readonly LaneFrontier[] = []

  const claim = async (laneId: number): Promise<LaneClaim> => {
    const claimed = await claimLane(options, fenceKeys, laneId)
    applied.set(laneId, claimed.appliedOffset)
    return claimed
  }

  let isAdvancing = false
  const advance = async (request: AdvanceRequest): Promise<AdvanceReply> => {
    assertInvariant(!isAdvancing, 'advance was called before the last one was answered')
    isAdvancing = true
    try {
      return await advanceNext(request)
    } finally {
      isAdvancing = false
    }
  }

  const advanceNext = async (request: AdvanceRequest): Promise<AdvanceReply> => {
    batches++
    cache.turn()
    if (batches % BATCHES_PER_SIZE === 0) {
      const { logs, bytes } = cache.size()
      options.observe({ kind: 'store_size', cachedLogs: logs, cachedBytes: bytes })
    }
    const appliedBefore = request.lanes.map(({ laneId }) => applied.get(laneId) ?? -1)
    const draft = draftBatch(request.records, {
      cache,
      buckets,
      batch: batches,
      retentionMs: options.retentionMs,
    })
    const calls = { request, draft, appliedBefore, fenceKeys, options, cache }
    frontiers = await sendBatch(calls)
    for (const { laneId, lastOffset } of request.lanes) {
      applied.set(laneId, Math.max(applied.get(laneId) ?? -1, lastOffset))
    }
    return { logs: draft.logs, positions: draft.positions, visible: draft.visible }
  }

  const exchangeFrontiers = async (ours: readonly OwnFrontier[]): Promise<void> => {
    const fence = [fenceKeys[0]!]
    const reply = await callFunction(options, 'weir_frontiers', fence, [encodeFrontiers(ours)])
    frontiers = decodeFrontiers(reply as Buffer)
  }

  return {
    claim,
    advance,
    knownFrontiers: () => frontiers,
    exchangeFrontiers,
    close: async () => options.redis.disconnect(),
  }
}

async function claimLane(
  options: RedisLogStoreOptions,
  fenceKeys: readonly string[],
  laneId: number,
): Promise<LaneClaim> {
  const call = (key: string, wanted: number, exactly: boolean) =>
    callFunction(
      options,
      'weir_claim',
      [key],
      [String(laneId), String(wanted), exactly ? '1' : '0'],
    )
  // The first bucket hands out epochs. A bucket that was lost and made anew may lag behind the
  // others; then the highest epoch found among them decides, and the first bucket is raised to it.
  let wanted = 0
  for (let attempt = 0; attempt < limits.retryAttemptsMax; attempt++) {
    const first = readFence(await call(fenceKeys[0]!, wanted, false))
    const { epoch } = first
    const others = await Promise.all(fenceKeys.slice(1).map((key) => call(key, epoch, true)))
    const fences = [first, ...others.map(readFence)]
    const refused = fences.filter((fence) => fence.epoch < 0)
    if (refused.length === 0) {
      const appliedOffset = Math.min(...fences.map((fence) => fence.appliedOffset))
      const committedOffset = Math.max(...fences.map((fence) => fence.committedOffset))
      return { epoch, appliedOffset, committedOffset }
    }
    // A refusal carries the epoch that the bucket holds where a grant has the applied offset.
    wanted = Math.max(...refused.map(({ appliedOffset: stored }) => stored)) + 1
  }
  throw new LaneRefusedError('WEIR_ENRICH_FENCED', laneId, 'others keep claiming it.')
}

function readFence(reply: unknown): LaneClaim {
  const [epoch, appliedOffset, committedOffset] = (reply as Buffer[]).map(Number)
  return { epoch: epoch!, appliedOffset: appliedOffset!, committedOffset: committedOffset! }
}

type BatchCalls = {
  readonly request: AdvanceRequest
  readonly draft: Draft
  readonly appliedBefore: readonly number[]
  readonly fenceKeys: readonly string[]
  readonly options: RedisLogStoreOptions
  readonly cache: LogCache
}

async function sendBatch(calls: BatchCalls): Promise<readonly LaneFrontier[]> {
  const startedMs = performance.now()
  const sizes = { sent: 0, received: 0, told: 0 }
  // All answers are awaited even when one fails: none may meet the next batch's cached logs.
  const answers = await Promise.allSettled(
    calls.draft.buckets.map((_, bucket) => advanceBucket(calls, bucket, sizes)),
  )
  const failed = answers.find((answer) => answer.status === 'rejected')
  if (failed !== undefined) {
    // Only a lane that moved away leaves the rest of the store as it was known.
    const { reason } = failed
    const isKnown = reason instanceof WeirError && reason.code === 'WEIR_ENRICH_FENCED'
    if (!isKnown) calls.cache.forget()
    throw reason
  }
  const logs = calls.draft.buckets.reduce((sum, { logs }) => sum + logs.length, 0)
  calls.options.observe({
    kind: 'store_round_trip',
    durationMs: performance.now() - startedMs,
    bytesSent: sizes.sent,
    bytesReceived: sizes.received,
    logs,
    cacheHits: logs - sizes.told,
    redelivered: countRedelivered(calls),
  })
  const [first] = answers
  return first?.status === 'fulfilled' ? first.value : []
}

/** Records of the batch that the lane had applied before: delivered again, counted once. */
function countRedelivered({ request, appliedBefore }: BatchCalls): number {
  const { lanes, records } = request
  if (lanes.every(({ firstOffset }, i) => firstOffset > appliedBefore[i]!)) return 0
  let redelivered = 0
  for (let entry = 0; entry < records.count; entry++) {
    if (records.appends[entry] === 0) continue
    const offset = offsetOfSource(records.sources[entry]!)
    if (offset <= appliedBefore[records.laneIndexes[entry]!]!) redelivered++
  }
  return redelivered
}

type Sizes = { sent: number; received: number; told: number }

/** Sends one bucket's call until it is answered; what was applied meanwhile is skipped by the fence. */
async function advanceBucket(
  calls: BatchCalls,
  bucket: number,
  sizes: Sizes,
): Promise<readonly LaneFrontier[]> {
  const { request, draft, appliedBefore, options } = calls
  const bucketDraft = draft.buckets[bucket]!
  const frame: RequestFrame = {
    nonce: randomInt(1, NONCE_MAX),
    retentionMs: options.retentionMs,
    wantsLanes: bucket === 0,
    lanes: request.lanes,
    appliedBefore,
    records: request.records,
    nextEntries: draft.nextEntries,
  }
  const body = encodeAdvance(bucketDraft, frame)
  const keys = [calls.fenceKeys[bucket]!]
  for (const { redisKey } of bucketDraft.logs) keys.push(redisKey)
  sizes.sent += body.length
  const reply = (await callFunction(options, 'weir_advance', keys, [body])) as Buffer[]
  const status = reply[0]!.toString()
  if (status !== 'OK') throw refusal(status, reply, calls)
  const told = applyReply(reply, bucketDraft, frame, draft)
  for (const cached of bucketDraft.logs) calls.cache.weigh(cached)
  sizes.told += told.size
  for (let i = TOLD_FROM; i < reply.length; i++) sizes.received += reply[i]!.length
  return bucket === 0 ? decodeFrontiers(reply[1]!) : []
}

function refusal(status: string, reply: readonly Buffer[], calls: BatchCalls): LaneRefusedError {
  const [laneId, epoch, applied] = reply.slice(1).map((part) => Number(part.toString()))
  const code = status === 'FENCED' ? 'WEIR_ENRICH_FENCED' : 'WEIR_ENRICH_STATE_LOST'
  const lane = calls.request.lanes.find((slice) => slice.laneId === laneId)
  const detail = `this scorer holds epoch ${lane?.epoch}, the store epoch ${epoch} and offset ${applied}.`
  return new LaneRefusedError(code, laneId!, detail)
}

/** Sends a call until it is answered: all of them may be sent twice and have the effect of one. */
async function callFunction(
  { redis, observe }: RedisLogStoreOptions,
  name: string,
  keys: readonly string[],
  args: readonly (string | Buffer)[],
): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await redis.call(name, keys, args)
    } catch (cause) {
      const detail = cause instanceof Error ? cause.message : String(cause)
      const code = 'WEIR_ENRICH_STORE_AWAY'
      if (attempt >= limits.retryAttemptsMax) throw new WeirError(code, detail, { cause })
      const operation = name.replace(/^weir_/, '')
      observe({ kind: 'retried', operation, attempt, code, detail })
      await sleep(Math.min(limits.retryPauseMsMax, 20 * 2 ** attempt))
      // A server that was restarted or failed over may have lost the functions. Whether loading
      // them succeeds is seen by the next attempt.
      if (/function not found/i.test(detail)) {
        await redis.loadFunctions(FUNCTIONS).catch(() => undefined)
      }
    }
  }
}
