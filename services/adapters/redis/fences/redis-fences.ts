// The fences of all buckets, asked as one: who holds a lane, and whether the store can be trusted.
//
// In: lanes. Out: epochs, applied offsets, the state of the store. Refused: a lane that others keep
// claiming (WEIR_ENRICH_FENCED). Invariants: a lane has the same epoch in all buckets once it is
// claimed; a store is as sound as its worst bucket.

import { limits } from '../../../core/limits.ts'
import type { PipelineDefinition } from '../../../core/pipeline-definition.ts'
import {
  type ConfirmedLane,
  type LaneClaim,
  LaneRefusedError,
  type OwnFrontier,
  type StoreState,
} from '../../../pipeline/enrich/log-store.ts'
import { callFunction, type RedisEnvironment } from '../calls/redis-functions.ts'
import { bucketTags } from '../client/bucket-tags.ts'
import { decodeFrontiers, encodeFrontiers, type HeardFrontier } from '../logs/log-layout.ts'

/**
 * Another layout or another number of buckets is another place: logs of one never meet the other.
 */
export const storePrefix = (
  keyPrefix: string,
  { pipeline, layoutHash, store }: PipelineDefinition,
): string => [keyPrefix, pipeline, `${layoutHash.slice(0, 8)}-${store.buckets}`].join(':')

/** Where everything of a pipeline lies: fences by bucket, logs by bucket, kind and entity key. */
export function nameKeys(prefix: string, buckets: number) {
  const tags = bucketTags(prefix, buckets)
  return {
    fences: tags.map((tag) => `{${tag}}fence`),
    log: (bucket: number, kind: number, key: string): string => `{${tags[bucket]}}${kind}:${key}`,
  }
}

export async function claimLane(
  place: RedisEnvironment,
  fenceKeys: readonly string[],
  laneId: number,
): Promise<LaneClaim> {
  const call = (key: string, wanted: number, exactly: boolean) =>
    callFunction(place, 'claim', [key], [String(laneId), String(wanted), exactly ? '1' : '0'])
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

/** Confirms the lane in every bucket; the store is as sound as its worst bucket. */
export async function confirmLane(
  place: RedisEnvironment,
  fenceKeys: readonly string[],
  { laneId, epoch, committedOffset }: ConfirmedLane,
  laneIds: readonly number[],
): Promise<{ state: StoreState; appliedOffset: number }> {
  const args = [String(laneId), String(epoch), String(committedOffset), laneIds.join()]
  const answers = (await Promise.all(
    fenceKeys.map((key) => callFunction(place, 'confirm', [key], args)),
  )) as Buffer[][]
  const states = answers.map(([status]) => status!.toString())
  if (states.includes('FENCED')) {
    throw new LaneRefusedError('WEIR_ENRICH_FENCED', laneId, `epoch ${epoch} is not the store's.`)
  }
  const appliedOffset = Math.min(...answers.map(([, applied]) => Number(applied)))
  // Waiting comes first: what is lost is known only when everybody has spoken.
  if (states.includes('WAITING')) return { state: 'waiting', appliedOffset }
  return { state: states.includes('LOST') ? 'lost' : 'ready', appliedOffset }
}

/** Tells one bucket how far our lanes are; asks how far all are, and whether it was found whole. */
export async function touchBucket(
  place: RedisEnvironment,
  fenceKey: string,
  ours: readonly OwnFrontier[],
): Promise<{ isReady: boolean; heard: readonly HeardFrontier[] }> {
  const reply = (await callFunction(
    place,
    'touch',
    [fenceKey],
    [encodeFrontiers(ours)],
  )) as Buffer[]
  return { isReady: reply[0]!.toString() === 'OK', heard: decodeFrontiers(reply[1]!) }
}
