// Cost and size of a hot entity: the enrich stage over Redis, a million events a day in every row.
//
// In: a place with a Redis. Out: per number of events that one terminal gets a day, what an event
// costs and what a terminal's state weighs in Redis. The million is the same in each row, only
// dealt out over more or fewer terminals, a hundredth of it late; it is spread over the days of the
// longest window's beginning, so that every level of tiles is in use. Refused: a Redis that
// refuses. Invariants: events are counted (each ordinal is checked at the end); each row begins
// with no keys.

import { join } from 'node:path'
import { Redis } from 'ioredis'
import { repositoryFolder } from '../../../dev/stack/repository.ts'
import { connectRedis } from '../../../services/adapters/redis/client/redis-client.ts'
import { nameKeys } from '../../../services/adapters/redis/fences/redis-fences.ts'
import { createRedisLogStore } from '../../../services/adapters/redis/logs/redis-log-store.ts'
import { hashToBucket } from '../../../services/core/hash.ts'
import { enrich } from '../../../services/pipeline/enrich/enrich.ts'
import { planFeatures } from '../../../services/pipeline/enrich/feature-plan.ts'
import { type FoldPolicy, foldWhenWorthwhile } from '../../../services/pipeline/enrich/fold-log.ts'
import { observeNothing } from '../../../services/pipeline/observe/signals.ts'
import type { BenchEnvironment } from '../environment/bench-environment.ts'
import { readCpuMicros } from '../measure/process-usage.ts'
import { hotBatch, hotStart } from './hot-batch.ts'

export type FoldRow = {
  readonly eventsPerEntity: number
  readonly entities: number
  /** From the batch to its vectors, Redis included; wall clock. */
  readonly microsPerEvent: number
  /** The same with logs that are never folded. */
  readonly unfoldedMicrosPerEvent: number
  readonly cpuMicrosPerEvent: { readonly scorer: number; readonly redis: number | null }
  /** Of one terminal, the most it ever was between live batches: STRLEN of its key. */
  readonly stateBytesMax: number
  /** What Redis needs for that key: MEMORY USAGE. It doubles the room of a string that grows. */
  readonly memoryBytesMax: number
}

export type FoldCase = {
  readonly case: 'fold'
  readonly events: number
  readonly rows: readonly FoldRow[]
  /** Cost per event of the hottest terminal over that of the quietest ones. */
  readonly hotToQuiet: number
  /** Events per second of all rows with folding, over those without. */
  readonly foldedToUnfolded: number
}

export const hotPipelineFile = join(
  repositoryFolder,
  'load',
  'bench',
  'pipelines',
  'hot-terminal.yaml',
)

const batchEvents = 1_000
const counts = [10, 100, 1_000, 10_000, 100_000, 1_000_000]
const liveBatchEvents = 10
/** Until what a big batch left behind is folded. */
const settlingEvents = 1_000
const liveEvents = 3_000
const retentionMs = 40 * 86_400_000

export async function runFold(
  place: BenchEnvironment,
  { events, say }: { readonly events: number; readonly say: (line: string) => void },
): Promise<FoldCase> {
  const rows: FoldRow[] = []
  for (const eventsPerEntity of counts.filter((count) => count <= events)) {
    const unfolded = await measureRow(place, { events, eventsPerEntity, foldPolicy: neverFold })
    const folded = await measureRow(place, { events, eventsPerEntity })
    rows.push({ ...folded, unfoldedMicrosPerEvent: unfolded.microsPerEvent })
    const costs = [folded, unfolded].map(({ microsPerEvent }) => microsPerEvent.toFixed(1))
    say(
      `${eventsPerEntity} events per terminal: ${costs.join(' us/event, unfolded ')}, ` +
        `${folded.stateBytesMax} bytes`,
    )
  }
  const hotToQuiet = rows.at(-1)!.microsPerEvent / rows[0]!.microsPerEvent
  const sum = (of: (row: FoldRow) => number) => rows.reduce((total, row) => total + of(row), 0)
  const foldedToUnfolded =
    sum((row) => row.unfoldedMicrosPerEvent) / sum((row) => row.microsPerEvent)
  return { case: 'fold', events, rows, hotToQuiet, foldedToUnfolded }
}

const neverFold: FoldPolicy = { isDue: () => false, isWorthIt: () => false }

type RowOptions = {
  readonly events: number
  readonly eventsPerEntity: number
  readonly foldPolicy?: FoldPolicy
}

async function measureRow(
  { definition, stack, prefix }: BenchEnvironment,
  { events, eventsPerEntity, foldPolicy = foldWhenWorthwhile }: RowOptions,
): Promise<Omit<FoldRow, 'unfoldedMicrosPerEvent'>> {
  const entities = Math.ceil(events / eventsPerEntity)
  const plan = planFeatures(definition)
  const keyPrefix = `${prefix}fold-${eventsPerEntity}-${foldPolicy === neverFold ? 'never' : 'usual'}`
  const { buckets } = definition.store
  const redis = await connectRedis(stack.redisUrl, observeNothing)
  const watch = new Redis(stack.redisUrl)
  const keys = nameKeys(keyPrefix, buckets)
  const first = keys.log(hashToBucket('T0', buckets), 0, 'T0')
  const store = await createRedisLogStore({
    redis,
    kinds: plan.kinds,
    prefix: keyPrefix,
    buckets,
    retentionMs,
    observe: observeNothing,
    foldPolicy,
  })
  try {
    const { epoch } = await store.claim(0)
    await store.confirm({ laneId: 0, epoch, committedOffset: 0 }, [0])
    const redisPid = stack.servers?.redis.pid()
    let watermarkMs = hotStart
    let counted = 0
    /** Events [from, until) in batches of `size`; returns what enriching them took. */
    const run = async (from: number, until: number, size: number, note = async () => {}) => {
      let micros = 0
      for (let next = from; next < until; next += size) {
        const count = Math.min(size, until - next)
        const batch = hotBatch({ from: next, count, entities, epoch, watermarkMs })
        watermarkMs = batch.lanes[0]!.watermarkMs
        const startedMs = performance.now()
        const { ordinals } = await enrich(batch, { plan, store, late: definition.late })
        micros += (performance.now() - startedMs) * 1000
        counted += ordinals.reduce((sum, ordinal) => (ordinal < 0 ? sum : sum + 1), 0)
        await note()
      }
      return micros
    }
    // The first half fills caches, tiles and the compiler's knowledge; the second half is measured.
    const half = Math.floor(events / 2)
    await run(0, half, batchEvents)
    const usage = { scorer: process.cpuUsage(), redis: readCpuMicros(redisPid) }
    const micros = await run(half, events, batchEvents)
    const { user, system } = process.cpuUsage(usage.scorer)
    const redisMicros = readCpuMicros(redisPid)
    // State is looked at as it is in live traffic: a few events of the terminal in each batch.
    let stateBytesMax = 0
    let memoryBytesMax = 0
    await run(events, events + settlingEvents, liveBatchEvents)
    const settled = events + settlingEvents
    await run(settled, settled + liveEvents, liveBatchEvents, async () => {
      stateBytesMax = Math.max(stateBytesMax, await watch.strlen(first))
      memoryBytesMax = Math.max(memoryBytesMax, (await watch.memory('USAGE', first)) ?? 0)
    })
    if (counted !== settled + liveEvents) throw new Error(`${counted} events were counted`)
    const measured = events - half
    return {
      eventsPerEntity,
      entities,
      microsPerEvent: micros / measured,
      cpuMicrosPerEvent: {
        scorer: (user + system) / measured,
        redis:
          redisMicros === null || usage.redis === null
            ? null
            : (redisMicros - usage.redis) / measured,
      },
      stateBytesMax,
      memoryBytesMax,
    }
  } finally {
    watch.disconnect()
    await store.close()
  }
}
