// The entity logs in Redis: one string per log, one function call per bucket and batch.
//
// In: the records of a batch. Out: the logs, decoded, with each record's place. A batch is one
// round trip: every bucket's call is sent before any answer is awaited. Redis answers only what
// this scorer has not seen; the rest is in the bounded cache. Refused: an older epoch (FENCED); a
// fence that knows less than this lane has applied, and a server that began to answer after the
// lanes were confirmed (UNSURE). Invariants: a call that is sent twice has the effect of one,
// because the fence skips what is applied; so time-outs are simply sent again. A cached log whose
// key's generation changed is dropped and read anew. Every call touches every bucket's fence, so
// that all buckets of a lane agree on its applied offset once a batch is through.

import { randomInt } from 'node:crypto'
import { assertInvariant, WeirError } from '../../../core/errors.ts'
import { hashToBucket } from '../../../core/hash.ts'
import { limits } from '../../../core/limits.ts'
import { laneOfSource, offsetOfSource } from '../../../pipeline/enrich/entity-log.ts'
import { type FoldPolicy, foldWhenWorthwhile } from '../../../pipeline/enrich/fold-log.ts'
import {
  type AdvanceReply,
  type AdvanceRequest,
  type ConfirmedLane,
  type EntityLogStore,
  type LaneClaim,
  LaneRefusedError,
  type LogKind,
  type StoreState,
} from '../../../pipeline/enrich/log-store.ts'
import { callFunction, loadFunctions, type RedisEnvironment } from '../calls/redis-functions.ts'
import { claimLane, confirmLane, nameKeys, touchBucket } from '../fences/redis-fences.ts'
import { applyReply } from './apply-reply.ts'
import { type Draft, draftBatch } from './batch-draft.ts'
import { createLogCache, type LogCache } from './log-cache.ts'
import {
  decodeFrontiers,
  encodeAdvance,
  type HeardFrontier,
  type RequestFrame,
  TOLD_FROM,
} from './log-layout.ts'
import { LAYOUT_VERSION } from './stored-log.ts'

type RedisLogStoreOptions = RedisEnvironment & {
  readonly kinds: readonly LogKind[]
  /** Begins every key; carries pipeline and layout hash, so that another layout never meets it. */
  readonly prefix: string
  readonly buckets: number
  readonly retentionMs: number
  readonly cacheBytesMax?: number
  /** Decides when folding is worth it; tests fold when chance wills. */
  readonly foldPolicy?: FoldPolicy
}

/** How often the cache's size is reported. */
const BATCHES_PER_SIZE = 64
/** New keys get the generations nonce + 1, nonce + 2, ...: never 0, which means `no key`. */
const NONCE_MAX = 2 ** 31

export async function createRedisLogStore(options: RedisLogStoreOptions): Promise<EntityLogStore> {
  await loadFunctions(options.redis)
  const { prefix, buckets } = options
  const keys = nameKeys(prefix, buckets)
  const fenceKeys = keys.fences
  const cache = createLogCache({
    kinds: options.kinds,
    bytesMax: options.cacheBytesMax ?? limits.entityCacheBytesMax,
    locate: (kind, key) => {
      const bucket = hashToBucket(key, buckets)
      return { redisKey: keys.log(bucket, kind, key), bucket }
    },
  })
  const applied = new Map<number, number>()
  /**
   * What each lane is known to have committed: of our own from the batches, of others from the
   * fence.
   */
  const committed = new Map<number, number>()
  let batches = 0
  let frontiers: readonly HeardFrontier[] = []

  const noteCommitted = (laneId: number, offset: number): void => {
    if (offset > (committed.get(laneId) ?? 0)) committed.set(laneId, offset)
  }

  const hear = (heard: readonly HeardFrontier[]): void => {
    frontiers = heard
    for (const { laneId, committedOffset } of heard) noteCommitted(laneId, committedOffset)
  }

  const isCommitted = (source: number): boolean =>
    offsetOfSource(source) < (committed.get(laneOfSource(source)) ?? 0)

  const claim = async (laneId: number): Promise<LaneClaim> => {
    const claimed = await claimLane(options, fenceKeys, laneId)
    applied.set(laneId, claimed.appliedOffset)
    return claimed
  }

  const confirm = async (lane: ConfirmedLane, laneIds: readonly number[]): Promise<StoreState> => {
    const { state, appliedOffset } = await confirmLane(options, fenceKeys, lane, laneIds)
    // What was put back is applied as well.
    applied.set(lane.laneId, appliedOffset)
    if (state !== 'ready') cache.forget()
    return state
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
    for (const { laneId, committedOffset } of request.lanes) noteCommitted(laneId, committedOffset)
    const appliedBefore = request.lanes.map(({ laneId }) => applied.get(laneId) ?? -1)
    const draft = draftBatch(request.records, {
      cache,
      buckets,
      batch: batches,
      retentionMs: options.retentionMs,
      isCommitted,
      foldPolicy: options.foldPolicy ?? foldWhenWorthwhile,
    })
    hear(await sendBatch({ request, draft, appliedBefore, fenceKeys, options, cache }))
    for (const { laneId, lastOffset } of request.lanes) {
      applied.set(laneId, Math.max(applied.get(laneId) ?? -1, lastOffset))
    }
    return { logs: draft.logs, positions: draft.positions, visible: draft.visible }
  }

  return {
    claim,
    confirm,
    advance,
    knownFrontiers: () => frontiers,
    exchangeFrontiers: async (ours) =>
      hear((await touchBucket(options, fenceKeys[0]!, ours)).heard),
    touch: async (ours) => {
      const answers = await Promise.all(fenceKeys.map((key) => touchBucket(options, key, ours)))
      hear(answers[0]!.heard)
      if (answers.every(({ isReady }) => isReady)) return
      cache.forget()
      throw new LaneRefusedError(
        'WEIR_ENRICH_STORE_UNSURE',
        ours[0]?.laneId ?? -1,
        'told by touch.',
      )
    },
    close: async () => options.redis.disconnect(),
  }
}

type BatchCalls = {
  readonly request: AdvanceRequest
  readonly draft: Draft
  readonly appliedBefore: readonly number[]
  readonly fenceKeys: readonly string[]
  readonly options: RedisLogStoreOptions
  readonly cache: LogCache
}

async function sendBatch(calls: BatchCalls): Promise<readonly HeardFrontier[]> {
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
    folded: countFolded(calls.draft),
  })
  const [first] = answers
  return first?.status === 'fulfilled' ? first.value : []
}

const countFolded = ({ buckets }: Draft): number =>
  buckets.reduce((sum, { logs }) => sum + logs.filter(({ fold }) => fold !== null).length, 0)

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

/**
 * Sends one bucket's call until it is answered; what was applied meanwhile is skipped by the fence.
 */
async function advanceBucket(
  calls: BatchCalls,
  bucket: number,
  sizes: Sizes,
): Promise<readonly HeardFrontier[]> {
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
  const reply = (await callFunction(options, 'advance', keys, [body])) as Buffer[]
  const status = reply[0]!.toString()
  if (status === 'FOREIGN') throw foreign(reply)
  if (status !== 'OK') throw refusal(status, reply, calls)
  const told = applyReply(reply, bucketDraft, frame, draft)
  for (const cached of bucketDraft.logs) calls.cache.weigh(cached)
  sizes.told += told.size
  for (let i = TOLD_FROM; i < reply.length; i++) sizes.received += reply[i]!.length
  return bucket === 0 ? decodeFrontiers(reply[1]!) : []
}

function foreign([, key, version]: readonly Buffer[]): WeirError {
  const found = `Key ${key} has layout version ${version}, expected ${LAYOUT_VERSION}`
  return new WeirError('WEIR_ENRICH_STORE_FOREIGN', `${found}. Nothing was changed.`)
}

function refusal(status: string, reply: readonly Buffer[], calls: BatchCalls): LaneRefusedError {
  const [laneId, epoch, applied] = reply.slice(1).map((part) => Number(part.toString()))
  const { lanes } = calls.request
  if (status === 'UNSURE') {
    const detail = 'its server began to answer after the store was last found whole.'
    return new LaneRefusedError('WEIR_ENRICH_STORE_UNSURE', lanes[0]!.laneId, detail)
  }
  const code = status === 'FENCED' ? 'WEIR_ENRICH_FENCED' : 'WEIR_ENRICH_STORE_UNSURE'
  const lane = lanes.find((slice) => slice.laneId === laneId)
  const detail = `this scorer holds epoch ${lane?.epoch}, the store epoch ${epoch} and offset ${applied}.`
  return new LaneRefusedError(code, laneId!, detail)
}
