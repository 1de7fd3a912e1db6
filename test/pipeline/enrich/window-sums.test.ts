// Counts, sums and means of windows are the naive ones, whatever became of the log they are read
// from.
//
// Per seed: a random table of windows with few rows in reach, and a log whose events are late now
// and then, some by very much. It grows, is copied and goes on twice, is cut short, folded, stored
// and read back. At every step an event at its newest place and one at a random place, part of the
// log or only standing in, are held to the naive oracle over all events that the log ever took.

import { describe, expect, test } from 'vitest'
import {
  decodeStoredLog,
  encodeStoredLog,
} from '../../../services/adapters/redis/logs/stored-log.ts'
import { computeNaiveFeatures } from '../../../services/parity/naive/naive-features.ts'
import type { CollectedRecords } from '../../../services/pipeline/enrich/collect-records.ts'
import { computeVectors } from '../../../services/pipeline/enrich/compute-vectors.ts'
import {
  appendRow,
  createEntityLog,
  type EntityLog,
  offsetOfSource,
} from '../../../services/pipeline/enrich/entity-log.ts'
import { planFeatures } from '../../../services/pipeline/enrich/feature-plan.ts'
import { foldLog } from '../../../services/pipeline/enrich/fold-log.ts'
import { copyTileTable } from '../../../services/pipeline/enrich/tiles.ts'
import type { Batch, Transaction } from '../../../services/pipeline/records.ts'
import { batchOf, collectRows } from '../../../services/restore/lay/collect-rows.ts'
import { EPOCH_MS, transactionOf } from '../../support/batches.ts'
import { pipelineOf, terminal, windowFeature } from '../../support/pipelines.ts'
import { createRandom, type Random } from '../../support/random.ts'

const SEEDS = 200
const STEPS = 80
const LOGS_MAX = 3
const NOWHERE = { laneId: 0, stream: 'transactions', topic: '', partition: 0 } as const
const atOnce = { isDue: () => true, isWorthIt: () => true }

/** A log, and all events that it ever took, folded ones among them: event i has the offset i. */
type World = { log: EntityLog; events: Transaction[]; committed: number }

function randomTable(random: Random) {
  const features = Array.from({ length: 6 }, (_, i) => {
    const op = random.pick(['count', 'sum', 'mean'] as const)
    const tailMs = random.pick([0, 4, 7, 20])
    return windowFeature({
      name: `f${i}`,
      entity: 'terminal',
      op,
      of: op === 'count' ? null : 'amountMinor',
      windowMs: Math.max(tailMs, random.pick([5, 20, 60, 300])),
      delayMs: random.pick([0, 0, 3, 30]),
      tailMs,
      current: random.chance(0.7),
      absent: -1,
    })
  })
  const late = { allowedMs: random.pick([0, 10, 50]), then: 'score_only' as const }
  return pipelineOf({ entities: [terminal], features, late })
}

type Bench = ReturnType<typeof createBench>

function createBench(random: Random) {
  const definition = randomTable(random)
  const ceilings = {
    entityRecordsMax: random.integer(6, 20),
    entityRecordsNewest: random.integer(2, 6),
  }
  const plan = planFeatures(definition, ceilings)
  const { shape, history } = plan.kinds[0]!
  let nowMs = EPOCH_MS
  const collect = (offset: number, transaction: Transaction): [Batch, CollectedRecords] => {
    const raw = { offset, brokerTimeMs: 0, key: null, value: null }
    const arrivals = [{ raw, transaction, label: null, rejection: null }]
    return [batchOf(NOWHERE, arrivals), collectRows(NOWHERE, arrivals, plan)]
  }
  return {
    begin: (): World => ({ log: createEntityLog(shape), events: [], committed: 0 }),
    draw: (): Transaction => {
      nowMs += random.integer(0, 4)
      const latenessMs = random.chance(0.3) ? random.integer(1, random.pick([5, 20, 100])) : 0
      return transactionOf({
        eventTime: nowMs - latenessMs,
        amountMinor: random.integer(1, 1_000_000),
      })
    },
    append: ({ log, events }: World, event: Transaction) => {
      const { records } = collect(events.length, event)[1]
      appendRow(log, event.eventTime, records.sources[0]!, records.values, 0)
      events.push(event)
    },
    /** What an event sees that has, or had it been counted would have, this ordinal. */
    compare: ({ log, events }: World, ordinal: number, event: Transaction, isCounted: boolean) => {
      const index = ordinal - log.base
      const reply = {
        logs: [log],
        positions: Int32Array.of(isCounted ? index : -1),
        visible: Int32Array.of(index),
      }
      const { vectors, saturated } = computeVectors(...collect(ordinal, event), reply, plan)
      const before = events.slice(0, ordinal)
      const naive = computeNaiveFeatures(
        definition,
        { transaction: event, histories: [{ entity: 'terminal', before, labels: [] }] },
        ceilings,
      )
      return {
        found: [[...vectors], saturated[0] === 1],
        expected: [naive.vector, naive.isSaturated],
      }
    },
    copy: ({ log, events, committed }: World): World => ({
      log: { ...log, rows: log.rows.slice(), tiles: log.tiles.map(copyTileTable) },
      events: [...events],
      committed,
    }),
    cut: (world: World) => {
      const count = random.integer(world.committed, world.events.length)
      world.log.count = count - world.log.base
      world.events.length = count
    },
    fold: (world: World): boolean => {
      world.committed = random.integer(world.committed, world.events.length)
      const isCommitted = (source: number) => offsetOfSource(source) < world.committed
      return foldLog(world.log, history, isCommitted, atOnce)
    },
    restore: (world: World) => {
      const stored = encodeStoredLog(world.log, history, 1)
      world.log = createEntityLog(shape)
      decodeStoredLog(stored, world.log, history)
    },
  }
}

type Met = { copied: number; cut: number; folded: number; restored: number }

/** Something that befalls a log and leaves its windows as they are. */
function disturb(bench: Bench, worlds: World[], world: World, random: Random, met: Met): void {
  const what = random.pick(['copied', 'cut', 'folded', 'restored'] as const)
  if (what === 'copied') {
    if (worlds.length === LOGS_MAX) worlds.splice(random.integer(0, LOGS_MAX - 1), 1)
    worlds.push(bench.copy(world))
  }
  if (what === 'cut') bench.cut(world)
  if (what === 'restored') bench.restore(world)
  if (what === 'folded' && !bench.fold(world)) return
  met[what]++
}

function runSeed(seed: number, met: Met): void {
  const random = createRandom(seed)
  const bench = createBench(random)
  const worlds = [bench.begin()]
  for (let step = 0; step < STEPS; step++) {
    const world = random.pick(worlds)
    if (random.chance(0.2)) disturb(bench, worlds, world, random, met)
    const event = bench.draw()
    bench.append(world, event)
    const newest = world.events.length - 1
    const some = random.integer(world.committed, newest)
    for (const [ordinal, looking, isCounted] of [
      [newest, event, true],
      [some, world.events[some]!, true],
      [some, bench.draw(), false],
      [newest + 1, bench.draw(), false],
    ] as const) {
      const { found, expected } = bench.compare(world, ordinal, looking, isCounted)
      expect(found, `seed ${seed}, step ${step}, ordinal ${ordinal}`).toEqual(expected)
    }
  }
}

describe('windows - counts, sums and means', () => {
  test('are the naive ones, though the log was copied, cut short, folded or restored', () => {
    const met: Met = { copied: 0, cut: 0, folded: 0, restored: 0 }
    for (let seed = 1; seed <= SEEDS; seed++) runSeed(seed, met)
    // Without these the seeds would prove nothing.
    for (const [what, times] of Object.entries(met)) expect(times, what).toBeGreaterThan(SEEDS)
  })
})
