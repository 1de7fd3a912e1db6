// The store as one process sees it: the lanes' port and the restore's, over a wire.
//
// In: calls of the lanes. Out: the answers of all buckets together, as adapters/redis puts them
// together. Each bucket is a call of its own: one may be lost while the others are carried out.
// Thrown: WEIR_ENRICH_STORE_AWAY after some attempts, FENCED and UNSURE as the servers say.

import { assertInvariant, WeirError } from '../../services/core/errors.ts'
import type { EntityLog } from '../../services/pipeline/enrich/entity-log.ts'
import {
  type AdvanceReply,
  type AdvanceRequest,
  type EntityLogStore,
  type LaneClaim,
  type LaneFrontier,
  LaneRefusedError,
} from '../../services/pipeline/enrich/log-store.ts'
import type { RestorableStore, RestoreSession } from '../../services/restore/restorable-store.ts'
import type { SimulatedStore } from './simulated-store.ts'
import type { VirtualTime } from './virtual-time.ts'
import type { Call, Failures } from './wire.ts'

const SILENCE_MS = 5000
const ATTEMPTS_MAX = 4
const PAUSE_MS = 300
const LEASE_MS = 30_000

type Ask = <T>(name: string, act: () => T) => Promise<T>

/** Every call may be sent again, as the functions of the store allow. */
function createAsk(store: SimulatedStore, call: Call, time: VirtualTime): Ask {
  const failures: Failures = {
    closed: () => new Error('Connection is closed.'),
    silent: () => new Error('Command timed out'),
    silenceMs: SILENCE_MS,
    isAway: store.isAway,
  }
  return async (name, act) => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await call(`store.${name}`, failures)(act)
      } catch (error) {
        if (attempt < ATTEMPTS_MAX) {
          await new Promise<void>((resolve) => time.after(PAUSE_MS, resolve, time.lifeNow()))
          continue
        }
        throw new WeirError('WEIR_ENRICH_STORE_AWAY', (error as Error).message, { cause: error })
      }
    }
  }
}

export function createStoreClient(store: SimulatedStore, call: Call, time: VirtualTime) {
  const ask = createAsk(store, call, time)
  const buckets = Array.from({ length: store.bucketCount }, (_, bucket) => bucket)
  const applied = new Map<number, number>()
  let frontiers: readonly LaneFrontier[] = []

  const claim = async (laneId: number): Promise<LaneClaim> => {
    let wanted = 0
    for (let attempt = 0; attempt < 8; attempt++) {
      const first = await ask('claim', () => store.claim(0, laneId, wanted, false))
      if (first.refusedAt !== null) throw new Error('the first bucket refuses nothing')
      const others = await Promise.all(
        buckets
          .slice(1)
          .map((bucket) => ask('claim', () => store.claim(bucket, laneId, first.epoch, true))),
      )
      const refusals = others.flatMap(({ refusedAt }) => (refusedAt === null ? [] : [refusedAt]))
      if (refusals.length === 0) {
        const fences = [first, ...others] as LaneClaim[]
        const appliedOffset = Math.min(...fences.map((fence) => fence.appliedOffset))
        const committedOffset = Math.max(...fences.map((fence) => fence.committedOffset))
        applied.set(laneId, appliedOffset)
        return { epoch: first.epoch, appliedOffset, committedOffset }
      }
      wanted = Math.max(...refusals) + 1
    }
    throw new LaneRefusedError('WEIR_ENRICH_FENCED', laneId, 'others keep claiming it.')
  }

  const confirm: EntityLogStore['confirm'] = async (lane, laneIds) => {
    const answers = await Promise.all(
      buckets.map((bucket) => ask('confirm', () => store.confirm(bucket, lane, laneIds))),
    )
    const states = answers.map(({ state }) => state)
    if (states.includes('fenced')) {
      throw new LaneRefusedError('WEIR_ENRICH_FENCED', lane.laneId, `epoch ${lane.epoch}.`)
    }
    applied.set(lane.laneId, Math.min(...answers.map(({ appliedOffset }) => appliedOffset)))
    if (states.includes('waiting')) return 'waiting'
    return states.includes('lost') ? 'lost' : 'ready'
  }

  let isAdvancing = false
  const advance = async (request: AdvanceRequest): Promise<AdvanceReply> => {
    assertInvariant(!isAdvancing, 'advance was called before the last one was answered')
    isAdvancing = true
    try {
      return await advanceAll(request)
    } finally {
      isAdvancing = false
    }
  }

  const advanceAll = async ({ lanes, records: live }: AdvanceRequest): Promise<AdvanceReply> => {
    // The columns are used again for the next batch: what is sent stays what it was.
    const records = copyRecords(live)
    const appliedBefore = lanes.map(({ laneId }) => applied.get(laneId) ?? -1)
    const entriesOf = buckets.map((): number[] => [])
    for (let i = 0; i < records.count; i++) entriesOf[store.bucketOf(records.keys[i]!)]!.push(i)
    const answers = await Promise.allSettled(
      buckets.map((bucket) =>
        ask('advance', () =>
          store.advance(bucket, { lanes, appliedBefore, records, entries: entriesOf[bucket]! }),
        ),
      ),
    )
    const reply = {
      logs: new Array<EntityLog>(records.count),
      positions: new Int32Array(records.count).fill(-1),
      visible: new Int32Array(records.count),
    }
    for (const answer of answers) {
      if (answer.status === 'rejected') throw answer.reason
      const { value } = answer
      if (value.status !== 'OK') throw refusal(value.status, value.laneId)
      for (const [entry, log] of value.logs) reply.logs[entry] = log
      for (const [entry, position] of value.positions) reply.positions[entry] = position
      for (const [entry, rows] of value.visible) reply.visible[entry] = rows
    }
    frontiers = store.frontiers()
    for (const { laneId, lastOffset } of lanes) {
      applied.set(laneId, Math.max(applied.get(laneId) ?? -1, lastOffset))
    }
    return reply
  }

  const port: EntityLogStore = {
    claim,
    confirm,
    advance,
    knownFrontiers: () => frontiers,
    exchangeFrontiers: async (ours) => {
      frontiers = await ask('exchange', () => {
        store.touch(0, ours)
        return store.frontiers()
      })
    },
    touch: async (ours) => {
      const answers = await Promise.all(
        buckets.map((bucket) => ask('touch', () => store.touch(bucket, ours))),
      )
      if (answers.every(Boolean)) return
      throw refusal('UNSURE', ours[0]?.laneId ?? -1)
    },
    close: async () => undefined,
  }
  return port
}

const refusal = (status: 'FENCED' | 'LOST' | 'UNSURE', laneId: number): LaneRefusedError =>
  new LaneRefusedError(
    status === 'FENCED' ? 'WEIR_ENRICH_FENCED' : 'WEIR_ENRICH_STORE_UNSURE',
    laneId,
    `the store says ${status}.`,
  )

const copyRecords = (records: AdvanceRequest['records']): AdvanceRequest['records'] => ({
  ...records,
  kinds: records.kinds.slice(0, records.count),
  keys: records.keys.slice(0, records.count),
  eventTimesMs: records.eventTimesMs.slice(0, records.count),
  sources: records.sources.slice(0, records.count),
  laneIndexes: records.laneIndexes.slice(0, records.count),
  appends: records.appends.slice(0, records.count),
  values: records.values.slice(0, records.count * records.valueStride),
})

/** What puts lost logs back, under a lease; as adapters/redis/restore/redis-restore.ts does. */
export function createRestoreClient(
  store: SimulatedStore,
  call: Call,
  time: VirtualTime,
): RestorableStore {
  const ask = createAsk(store, call, time)
  const buckets = Array.from({ length: store.bucketCount }, (_, bucket) => bucket)
  const hold = async <T>(bucket: number, token: string, act: () => T): Promise<T> => {
    const answer = await ask('restore', () =>
      store.holds(bucket, token, LEASE_MS) ? { value: act() } : null,
    )
    if (answer !== null) return answer.value
    throw new LaneRefusedError('WEIR_ENRICH_STORE_UNSURE', -1, 'another process restores it now.')
  }
  return {
    begin: async () => {
      const token = `lease-${Math.random()}`
      const held = new Set<number>()
      const letGo = async (bucket: number, applied: ReadonlyMap<number, number>) => {
        if (held.delete(bucket)) await hold(bucket, token, () => store.endRestore(bucket, applied))
      }
      const leave = async () => {
        for (const bucket of [...held]) await letGo(bucket, new Map())
      }
      const fences: RestoreSession['fences'][number][] = []
      for (const bucket of buckets) {
        const progress = await ask('restore_begin', () =>
          store.beginRestore(bucket, token, LEASE_MS),
        )
        if (progress === null) {
          await leave()
          return null
        }
        held.add(bucket)
        fences.push(progress)
      }
      const renewal = setInterval(() => {
        for (const bucket of held) hold(bucket, token, () => undefined).catch(() => undefined)
      }, LEASE_MS / 3)
      return {
        fences,
        bucketOf: store.bucketOf,
        read: (bucket, logs) =>
          hold(bucket, token, () => logs.map(({ kind, key }) => store.readLog(bucket, kind, key))),
        write: (bucket, logs) =>
          hold(bucket, token, () => {
            for (const { kind, key, log } of logs) store.writeLog(bucket, kind, key, log)
          }),
        finish: (bucket, applied) => letGo(bucket, applied),
        end: async () => {
          clearInterval(renewal)
          await leave()
        },
      }
    },
  }
}
