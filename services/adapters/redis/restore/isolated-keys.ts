// Keys for one run and nobody else: a prefix that no live pipeline can have, and their removal.
//
//   weir-replay/<run>:<pipeline>:...   a run's logs and fences (redis-fences.ts)
//   weir-replay/runs                   set: what to remove of each run, as `<prefix> <buckets>`
//   weir-replay/alive/<run>            there while the run's process lives: it expires otherwise
//   weir-replay/named/<run>...         runs of several processes (named-run.ts): they outlive these
//
// In: a client, a definition. Out: a prefix of random name; the removal of single logs and of all.
// At the start what runs left behind that died is removed. Refused: a Redis that does not answer,
// or not this user (WEIR_ENRICH_STORE_AWAY). Invariants: WEIR_KEY_PREFIX takes no slash, so no live
// key begins as these do; fences go before logs, so a run that was taken for dead and goes on is
// refused by every bucket and never computes from logs that are gone.

import { randomUUID } from 'node:crypto'
import { WeirError } from '../../../core/errors.ts'
import { hashToBucket } from '../../../core/hash.ts'
import type { PipelineDefinition } from '../../../core/pipeline-definition.ts'
import type { RedisClient } from '../client/redis-commands.ts'
import { nameKeys, storePrefix } from '../fences/redis-fences.ts'

type IsolatedKeys = {
  readonly prefix: string
  /** Removes logs that are not met again. */
  readonly forget: (
    logs: readonly { readonly kind: number; readonly key: string }[],
  ) => Promise<void>
  /** Removes all of the run. */
  readonly removeAll: () => Promise<void>
}

const ROOT = 'weir-replay'
const RUNS = `${ROOT}/runs`
/** A process that was stopped for longer counts as dead; it is refused when it goes on. */
const ALIVE_MS = 60_000
const RENEW_MS = 10_000

export async function openIsolatedKeys(
  client: RedisClient,
  definition: PipelineDefinition,
): Promise<IsolatedKeys> {
  const redis = { ...client, command: commandOf(client) }
  await removeDead(redis)
  const run = randomUUID()
  const { buckets } = definition.store
  const prefix = storePrefix(`${ROOT}/${run}`, definition)
  const names = nameKeys(prefix, buckets)
  const sayAlive = () => redis.command('SET', [aliveKey(run), '1', 'PX', String(ALIVE_MS)])
  await sayAlive()
  await redis.command('SADD', [RUNS, `${prefix} ${buckets}`])
  const renewing = setInterval(() => void sayAlive().catch(() => undefined), RENEW_MS).unref()
  return {
    prefix,
    forget: async (logs) => {
      const keys = logs.map(({ kind, key }) => names.log(hashToBucket(key, buckets), kind, key))
      await unlink(redis, keys)
    },
    removeAll: async () => {
      clearInterval(renewing)
      await removeRun(redis, prefix, buckets)
      await redis.command('DEL', [aliveKey(run)])
    },
  }
}

/** Commands whose failure says what a user can do about it. */
export const commandOf =
  (redis: RedisClient): RedisClient['command'] =>
  async (name, args) => {
    try {
      return await redis.command(name, args)
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new WeirError('WEIR_ENRICH_STORE_AWAY', `${name}: ${reason}`, { cause })
    }
  }

const aliveKey = (run: string): string => `${ROOT}/alive/${run}`

async function removeDead(redis: RedisClient): Promise<void> {
  for (const member of (await redis.command('SMEMBERS', [RUNS])) as readonly string[]) {
    const [prefix = '', buckets] = member.split(' ')
    const run = prefix.slice(ROOT.length + 1).split(':')[0]!
    const isAlive = (await redis.command('EXISTS', [aliveKey(run)])) === 1
    if (!isAlive) await removeRun(redis, prefix, Number(buckets))
  }
}

async function removeRun(redis: RedisClient, prefix: string, buckets: number): Promise<void> {
  await removeKeys(redis, prefix, buckets)
  await redis.command('SREM', [RUNS, `${prefix} ${buckets}`])
}

/** All fences and logs under the prefix of a store. */
export async function removeKeys(
  redis: RedisClient,
  prefix: string,
  buckets: number,
): Promise<void> {
  await unlink(redis, nameKeys(prefix, buckets).fences)
  for await (const keys of redis.scan(`{${prefix}:*`)) await unlink(redis, keys)
}

/** One by one: in a cluster they lie in different slots. */
async function unlink(redis: RedisClient, keys: readonly string[]): Promise<void> {
  await Promise.all(keys.map((key) => redis.command('UNLINK', [key])))
}
