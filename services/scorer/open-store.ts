// The feature store of a scorer, and the way to put back what it has lost: both on one client of
// Redis.
//
// In: the definition, where Redis is, the plan of features. Out: the two ports. Thrown: what the
// adapters refuse; WEIR_ENRICH_STORE_AWAY. Invariant: the client is handed to `add` as soon as it
// is connected, so it is closed whatever fails afterwards.

import { connectRedis } from '../adapters/redis/client/redis-client.ts'
import { storePrefix } from '../adapters/redis/fences/redis-fences.ts'
import { createRedisLogStore } from '../adapters/redis/logs/redis-log-store.ts'
import { createRedisRestore } from '../adapters/redis/restore/redis-restore.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import type { Settings } from '../core/settings.ts'
import type { FeaturePlan } from '../pipeline/enrich/feature-plan.ts'
import type { Observe } from '../pipeline/observe/signals.ts'

type StoreWish = {
  readonly definition: PipelineDefinition
  readonly settings: Pick<Settings, 'redis' | 'keyPrefix'>
  readonly observe: Observe
  readonly add: (close: () => Promise<void>) => void
}

export async function openStore(
  { definition, settings, observe, add }: StoreWish,
  plan: FeaturePlan,
) {
  const redis = await connectRedis(settings.redis.url, observe)
  add(async () => redis.disconnect())
  const options = {
    redis,
    kinds: plan.kinds,
    prefix: storePrefix(settings.keyPrefix, definition),
    buckets: definition.store.buckets,
    retentionMs: definition.store.retentionMs,
    observe,
  }
  const store = await createRedisLogStore(options)
  return { store, restorable: await createRedisRestore(options) }
}
