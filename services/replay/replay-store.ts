// Where a replay keeps the entities' logs: this process' memory, or a Redis.
//
// In: a definition, and a Redis' URL or none. Out: an empty store that no live scorer can meet, and
// lanes taken in it. Refused: a Redis that is away or unfit. Invariants: nothing here can name a
// key prefix: in Redis it is made anew for the run (isolated-keys.ts); an entity that was silent
// for store.retention of event time begins anew in either, so that both give the same rows.

import { createMemoryLogStore } from '../adapters/memory/memory-log-store.ts'
import { connectRedis } from '../adapters/redis/client/redis-client.ts'
import { createRedisLogStore } from '../adapters/redis/logs/redis-log-store.ts'
import { openIsolatedKeys } from '../adapters/redis/restore/isolated-keys.ts'
import { assertInvariant } from '../core/errors.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import type { FeaturePlan } from '../pipeline/enrich/feature-plan.ts'
import { foldWhenWorthwhile } from '../pipeline/enrich/fold-log.ts'
import type { EntityLogStore } from '../pipeline/enrich/log-store.ts'
import { observeNothing } from '../pipeline/observe/signals.ts'
import { startNewLives } from './new-lives.ts'

type ReplayStore = {
  readonly store: EntityLogStore
  /** Takes a lane and gives its epoch. */
  readonly claim: (laneId: number) => Promise<number>
  /** Leaves nothing behind. */
  readonly close: () => Promise<void>
}

/**
 * Longer than any run: keys of a run that is on its way never expire. What a killed run left is
 * removed by the next one, or goes after this time.
 */
const KEYS_KEPT_MS = 30 * 86_400_000

export async function openReplayStore(
  definition: PipelineDefinition,
  plan: FeaturePlan,
  redisUrl: string | null,
): Promise<ReplayStore> {
  if (redisUrl !== null) return openInRedis(definition, plan, redisUrl)
  const { retentionMs } = definition.store
  const store = createMemoryLogStore(plan.kinds, foldWhenWorthwhile, retentionMs)
  return { store, claim: claimIn(store), close: store.close }
}

async function openInRedis(
  definition: PipelineDefinition,
  plan: FeaturePlan,
  redisUrl: string,
): Promise<ReplayStore> {
  const { buckets, retentionMs } = definition.store
  const redis = await connectRedis(redisUrl, observeNothing)
  const keys = await openIsolatedKeys(redis, definition).catch((error) => {
    redis.disconnect()
    throw error
  })
  // What cannot be removed now is found and removed by the next run.
  const close = async (): Promise<void> => {
    await keys.removeAll().catch(() => undefined)
    redis.disconnect()
  }
  try {
    const place = { redis, prefix: keys.prefix, buckets, observe: observeNothing }
    const kept = { kinds: plan.kinds, retentionMs: KEYS_KEPT_MS }
    const shared = await createRedisLogStore({ ...place, ...kept })
    const lives = { kinds: plan.kinds.length, retentionMs, forget: keys.forget }
    const store = startNewLives(shared, lives)
    return { store, claim: claimIn(store), close }
  } catch (error) {
    await close()
    throw error
  }
}

/** A lane of an empty store has nothing behind it: it is whole at once. */
function claimIn(store: EntityLogStore): ReplayStore['claim'] {
  const laneIds: number[] = []
  return async (laneId) => {
    const { epoch } = await store.claim(laneId)
    laneIds.push(laneId)
    const state = await store.confirm({ laneId, epoch, committedOffset: 0 }, laneIds)
    assertInvariant(state === 'ready', `lane ${laneId} of a new store is ${state}`)
    return epoch
  }
}
