// Forgetting by event time for a store that knows only the wall clock: an entity that was silent
// for store.retention begins a new life, under a new key.
//
// In: a store and the retention. Out: the same store, whose logs are gone when those of the memory
// store are, event by event, so that a replay gives the same rows with either. What is gone is
// named to `forget`, now and then. Nothing is refused. Invariants: the clock is the highest event
// time of the transactions so far, whatever the batches; a key of an earlier life is never met
// again. Memory: a key and two numbers for each log that is not gone; the logs themselves are in
// the store.

import type { EntityLogStore, LogRecords } from '../pipeline/enrich/log-store.ts'
import type { LaneSlice } from '../pipeline/records.ts'

type LogName = { readonly kind: number; readonly key: string }

type LifeOptions = {
  /** How many kinds of logs the store has. */
  readonly kinds: number
  readonly retentionMs: number
  readonly forget: (logs: readonly LogName[]) => Promise<void>
}

type Life = {
  readonly storeKey: string
  /** The clock when an event last met it, ms. */
  touchedMs: number
}

/** Part of the retention after which logs that are gone are named. */
const SWEEP_SHARE = 1 / 8

export function startNewLives(
  store: EntityLogStore,
  { kinds, retentionMs, forget }: LifeOptions,
): EntityLogStore {
  const lives = Array.from({ length: kinds }, () => new Map<string, Life>())
  let gone: LogName[] = []
  let clockMs = Number.NEGATIVE_INFINITY
  let sweptMs = Number.NEGATIVE_INFINITY

  const isOver = ({ touchedMs }: Life): boolean => clockMs - touchedMs > retentionMs

  const meet = (kind: number, key: string, eventTimeMs: number): string => {
    const touchedMs = Math.max(clockMs, eventTimeMs)
    const known = lives[kind]!.get(key)
    if (known !== undefined && !isOver(known)) {
      known.touchedMs = touchedMs
      return known.storeKey
    }
    if (known !== undefined) gone.push({ kind, key: known.storeKey })
    // A life begins later than the one before it was touched, so no two have the same name.
    const storeKey = `${key}@${touchedMs.toString(36)}`
    lives[kind]!.set(key, { storeKey, touchedMs })
    return storeKey
  }

  const nameLives = (records: LogRecords, lanes: readonly LaneSlice[]): string[] => {
    const keys: string[] = new Array(records.count)
    for (let i = 0; i < records.count; i++) {
      const eventTimeMs = records.eventTimesMs[i]!
      if (lanes[records.laneIndexes[i]!]!.stream === 'transactions') {
        clockMs = Math.max(clockMs, eventTimeMs)
      }
      keys[i] = meet(records.kinds[i]!, records.keys[i]!, eventTimeMs)
    }
    return keys
  }

  const sweep = async (): Promise<void> => {
    if (!(clockMs - sweptMs > retentionMs * SWEEP_SHARE)) return
    sweptMs = clockMs
    for (const [kind, ofKind] of lives.entries()) {
      for (const [key, life] of ofKind) {
        if (!isOver(life)) continue
        ofKind.delete(key)
        gone.push({ kind, key: life.storeKey })
      }
    }
    const named = gone
    gone = []
    await forget(named)
  }

  return {
    ...store,
    advance: async ({ lanes, records }) => {
      const keys = nameLives(records, lanes)
      const reply = await store.advance({ lanes, records: { ...records, keys } })
      await sweep()
      return reply
    },
  }
}
