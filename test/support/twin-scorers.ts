// Two scorers that share the lanes of a random stream, and everything that may befall them.
//
// In: a pipeline, a stream, a way to open a store over shared keys. Out: a run that throws at the
// first difference between the store, the memory store and the oracle, and counts what it met.
// The memory store stands for an undisturbed world: there is one of it, claimed whenever the
// scorers claim, and it never restarts. Invariants checked besides: the ordinals of an entity are
// dense and unique, and an event delivered again gets its ordinals and, with the same labels in
// sight, its vector again.

import { createMemoryLogStore } from '../../services/adapters/memory/memory-log-store.ts'
import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'
import { enrich } from '../../services/pipeline/enrich/enrich.ts'
import { type FeaturePlan, planFeatures } from '../../services/pipeline/enrich/feature-plan.ts'
import type { Ceilings, FoldPolicy } from '../../services/pipeline/enrich/fold-log.ts'
import {
  type EntityLogStore,
  LaneRefusedError,
  type LogKind,
} from '../../services/pipeline/enrich/log-store.ts'
import type { Batch, EnrichedBatch } from '../../services/pipeline/records.ts'
import { createOracle, type Oracle } from '../oracle/oracle.ts'
import { batchOf, offsetBefore, type Share, type TestLane } from './batches.ts'
import { compareWithOracle } from './compare-rows.ts'
import { holdLane } from './hold-lane.ts'
import type { Random } from './random.ts'
import type { RandomStream } from './random-stream.ts'

export type OpenStore = (kinds: readonly LogKind[]) => Promise<EntityLogStore>

export type RunCounts = {
  batches: number
  rows: number
  redelivered: number
  late: number
  crashes: number
  takeovers: number
}

/**
 * One lane, who holds it, and how far it has been delivered and committed (indexes, not offsets).
 */
type Held = {
  readonly lane: TestLane
  scorer: number
  next: number
  committed: number
  sharedEpoch: number
  memoryEpoch: number
}

type World = {
  readonly definition: PipelineDefinition
  readonly plan: FeaturePlan
  readonly open: OpenStore
  readonly scorers: EntityLogStore[]
  readonly memory: EntityLogStore
  readonly oracle: Oracle
  readonly lanes: readonly Held[]
  readonly witness: Witness
  readonly counts: RunCounts
}

const DISTURBANCES_MAX = 6

export type TwinOptions = {
  readonly definition: PipelineDefinition
  readonly ceilings: Ceilings
  readonly stream: RandomStream
  readonly open: OpenStore
  /** When the memory store folds; the shared one has its own mind. */
  readonly foldPolicy: FoldPolicy
}

export async function createTwinScorers(
  options: TwinOptions,
): Promise<{ run: (random: Random, name: string) => Promise<RunCounts> }> {
  const { definition, ceilings, stream, open, foldPolicy } = options
  const plan = planFeatures(definition, ceilings)
  const world: World = {
    definition,
    plan,
    open,
    scorers: [await open(plan.kinds), await open(plan.kinds)],
    memory: createMemoryLogStore(plan.kinds, foldPolicy),
    oracle: createOracle(definition, ceilings),
    lanes: stream.lanes.map((lane) => ({
      lane,
      scorer: 0,
      next: 0,
      committed: 0,
      sharedEpoch: 0,
      memoryEpoch: 0,
    })),
    witness: createWitness(definition),
    counts: { batches: 0, rows: 0, redelivered: 0, late: 0, crashes: 0, takeovers: 0 },
  }
  return { run: (random, name) => run(world, random, name) }
}

async function run(world: World, random: Random, name: string): Promise<RunCounts> {
  for (const held of world.lanes) await claim(world, held, random.integer(0, 1))
  let disturbances = 0
  for (;;) {
    const waiting = world.lanes.filter(({ lane, next }) => next < lane.arrivals.length)
    if (waiting.length === 0) break
    await deliver(world, random, random.pick(waiting).scorer, name)
    if (disturbances < DISTURBANCES_MAX && random.chance(0.3)) {
      disturbances++
      if (random.chance(0.5)) await crash(world, random.integer(0, 1))
      else await takeOver(world, random.pick(world.lanes))
    }
  }
  world.witness.checkOrdinals(name)
  return world.counts
}

async function claim(world: World, held: Held, scorer: number): Promise<void> {
  held.scorer = scorer
  held.next = held.committed
  const { laneId } = held.lane
  const committedOffset = offsetBefore(held.lane, held.committed)
  held.sharedEpoch = (await holdLane(world.scorers[scorer]!, laneId, { committedOffset })).epoch
  held.memoryEpoch = (await holdLane(world.memory, laneId, { committedOffset })).epoch
}

/** A share of some of the scorer's lanes, merged in random order, through all three. */
async function deliver(world: World, random: Random, scorer: number, name: string): Promise<void> {
  const waiting = world.lanes.filter(
    (held) => held.scorer === scorer && held.next < held.lane.arrivals.length,
  )
  const chosen = waiting.filter(() => random.chance(0.7))
  const taken = (chosen.length > 0 ? chosen : [random.pick(waiting)]).map((held) => ({
    held,
    count: random.integer(1, Math.min(12, held.lane.arrivals.length - held.next)),
  }))
  const order = shuffled(
    random,
    taken.flatMap(({ count }, share) => new Array<number>(count).fill(share)),
  )
  const shared = batchOf(
    taken.map((t) => shareOf(t, 'sharedEpoch')),
    order,
  )
  const inMemory = batchOf(
    taken.map((t) => shareOf(t, 'memoryEpoch')),
    order,
  )
  const place = `${name}, batch ${world.counts.batches++} of scorer ${scorer}`
  await compareAll(world, scorer, { shared, inMemory }, place)
  for (const { held, count } of taken) {
    held.next += count
    if (random.chance(0.4)) held.committed = held.next
  }
}

const shareOf = (
  { held, count }: { held: Held; count: number },
  epoch: 'sharedEpoch' | 'memoryEpoch',
): Share => ({
  lane: held.lane,
  epoch: held[epoch],
  from: held.next,
  count,
  committed: held.committed,
})

async function compareAll(
  { definition, plan, scorers, memory, oracle, witness, counts }: World,
  scorer: number,
  batches: { shared: Batch; inMemory: Batch },
  place: string,
): Promise<void> {
  const { late } = definition
  const rows = oracle.advance(batches.shared)
  const ofMemory = await enrich(batches.inMemory, { plan, store: memory, late })
  compareWithOracle(ofMemory, rows, `${place}, memory`)
  const ofShared = await enrich(batches.shared, { plan, store: scorers[scorer]!, late })
  compareWithOracle(ofShared, rows, `${place}, shared`)
  counts.rows += rows.length
  counts.late += rows.filter((row) => row.ordinals[0]! < 0).length + ofShared.diverted.length
  counts.redelivered += witness.see(ofShared, place)
}

/**
 * The scorer's memory is gone; a new one claims its lanes and goes on where they were committed.
 */
async function crash(world: World, scorer: number): Promise<void> {
  world.counts.crashes++
  world.scorers[scorer] = await world.open(world.plan.kinds)
  for (const held of world.lanes) if (held.scorer === scorer) await claim(world, held, scorer)
}

/** The other scorer takes a lane; the old holder tries once more, and must leave no trace. */
async function takeOver(world: World, held: Held): Promise<void> {
  world.counts.takeovers++
  const before = { ...held }
  await claim(world, held, 1 - held.scorer)
  if (before.next === before.lane.arrivals.length) return
  const { definition, plan, scorers, memory } = world
  const { late } = definition
  const taken = { held: before, count: 1 }
  const attempts = [
    { store: scorers[before.scorer]!, batch: batchOf([shareOf(taken, 'sharedEpoch')], [0]) },
    { store: memory, batch: batchOf([shareOf(taken, 'memoryEpoch')], [0]) },
  ]
  for (const { store, batch } of attempts) {
    const outcome = await enrich(batch, { plan, store, late }).catch((error: unknown) => error)
    if (!(outcome instanceof LaneRefusedError) || outcome.code !== 'WEIR_ENRICH_FENCED') {
      throw new Error(`lane ${held.lane.laneId}: its old holder was not fenced`)
    }
  }
}

function shuffled(random: Random, values: number[]): number[] {
  for (let i = values.length - 1; i > 0; i--) {
    const j = random.integer(0, i)
    const moved = values[i]!
    values[i] = values[j]!
    values[j] = moved
  }
  return values
}

type Seen = {
  readonly vector: string
  readonly ordinals: readonly number[]
  readonly labels: string
}

type Witness = {
  /** Notes a batch's rows; returns how many had been seen before. */
  readonly see: (enriched: EnrichedBatch, place: string) => number
  readonly checkOrdinals: (name: string) => void
}

function createWitness({ entities, features }: PipelineDefinition): Witness {
  const seen = new Map<string, Seen>()
  const ordinalsOf = new Map<string, Set<number>>()

  const see = (enriched: EnrichedBatch, place: string): number => {
    const { batch, count, arrivalIndexes } = enriched
    let again = 0
    for (let row = 0; row < count; row++) {
      const index = arrivalIndexes[row]!
      const { raw, transaction } = batch.arrivals[index]!
      const identity = `${batch.lanes[batch.laneIndexes[index]!]!.laneId}:${raw.offset}`
      const now = seenOf(enriched, row)
      const before = seen.get(identity)
      if (before === undefined) {
        seen.set(identity, now)
        noteOrdinals(transaction as unknown as Record<string, string>, now.ordinals)
        continue
      }
      again++
      if (now.ordinals[0]! < 0) continue
      if (`${now.ordinals}` !== `${before.ordinals}`) {
        throw new Error(`${place}: ${identity} had ordinals ${before.ordinals}, ${now.ordinals}`)
      }
      if (now.labels === before.labels && now.vector !== before.vector) {
        throw new Error(`${place}: ${identity} had ${before.vector}, has ${now.vector}`)
      }
    }
    return again
  }

  const seenOf = (enriched: EnrichedBatch, row: number): Seen => {
    const { vectors, ordinals, labelsSeen, count } = enriched
    const labelColumns = labelsSeen.length / count
    const columns = (of: Float32Array | Float64Array, width: number) =>
      of.subarray(row * width, (row + 1) * width)
    return {
      vector: `${columns(vectors, features.length)}`,
      ordinals: [...columns(ordinals, entities.length)],
      labels: `${columns(labelsSeen, labelColumns)}`,
    }
  }

  const noteOrdinals = (fields: Record<string, string>, ordinals: readonly number[]): void => {
    entities.forEach(({ name, key }, e) => {
      const log = JSON.stringify([name, ...key.map((field) => fields[field])])
      const known = ordinalsOf.get(log) ?? new Set()
      ordinalsOf.set(log, known)
      const ordinal = ordinals[e]!
      if (ordinal < 0) return
      if (known.has(ordinal)) throw new Error(`${log}: ordinal ${ordinal} was given twice`)
      known.add(ordinal)
    })
  }

  const checkOrdinals = (name: string): void => {
    for (const [log, ordinals] of ordinalsOf) {
      for (let ordinal = 0; ordinal < ordinals.size; ordinal++) {
        if (!ordinals.has(ordinal)) throw new Error(`${name}: ${log} lacks ordinal ${ordinal}`)
      }
    }
  }

  return { see, checkOrdinals }
}
