// What the processes of one run agree on, kept where all of them find it.
//
//   weir-replay/named/<run>         the run's terms, as JSON: whoever comes first writes them
//   {weir-replay/named/<run>:...    its logs and fences (redis-fences.ts)
//
// In: a client, a run. Out: the terms of whoever came first; the removal of all. Refused: a Redis
// that does not answer, or not this user (WEIR_ENRICH_STORE_AWAY). Invariants: the terms are
// written once and never changed; fences go before logs and the terms last, so a removal that was
// cut off is done again.

import type { IsolatedRun, RunTerms } from '../../../replay/isolated-run.ts'
import type { RedisClient } from '../client/redis-commands.ts'
import { storePrefix } from '../fences/redis-fences.ts'
import { commandOf, removeKeys } from './isolated-keys.ts'

type RunKey = Pick<IsolatedRun, 'keyPrefix'>

/** Null where no process of the run has begun. */
export async function readTerms(redis: RedisClient, { keyPrefix }: RunKey) {
  const text = await commandOf(redis)('GET', [keyPrefix])
  return text === null ? null : (JSON.parse(String(text)) as RunTerms)
}

/** Gives back the terms that hold, which may be those of another process. */
export async function agreeOnTerms(
  redis: RedisClient,
  run: RunKey,
  terms: RunTerms,
): Promise<RunTerms> {
  await commandOf(redis)('SET', [run.keyPrefix, JSON.stringify(terms), 'NX'])
  return (await readTerms(redis, run)) ?? terms
}

export async function removeRunKeys(
  redis: RedisClient,
  { keyPrefix, definition }: Pick<IsolatedRun, 'keyPrefix' | 'definition'>,
): Promise<void> {
  const ours = { ...redis, command: commandOf(redis) }
  await removeKeys(ours, storePrefix(keyPrefix, definition), definition.store.buckets)
  await ours.command('DEL', [keyPrefix])
}
