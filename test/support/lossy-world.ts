// Two stores that get the same batches: one never loses anything, the other does, and is restored.
//
// In: a seed. Out: counts of what it met; it throws at the first row that differs between the two.
// Lanes are merged as the live lanes are, and commit each in its own time, so that rows of events
// that never committed lie below rows of events that did. After a loss all lanes go on from what
// they committed. Compared: ordinals, labels seen, vectors; and that published ordinals are dense
// and unique. Several processes merge their lanes apart, one ahead of another. Then nobody can tell
// which event came first where no vector tells, so what is compared is what was published: parity's
// recomputation of it all.

import { createMemoryLogStore } from '../../services/adapters/memory/memory-log-store.ts'
import { limits } from '../../services/core/limits.ts'
import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'
import type { LaneAddress } from '../../services/lanes/lane-input.ts'
import { createFindings, type Findings } from '../../services/parity/findings.ts'
import { shelveLabels } from '../../services/parity/labels/label-orders.ts'
import type { Outcome } from '../../services/parity/placed-outcome.ts'
import { createRecomputation } from '../../services/parity/recomputation.ts'
import { DecodeFault, type Decoder } from '../../services/pipeline/decode/message-decoder.ts'
import { enrich } from '../../services/pipeline/enrich/enrich.ts'
import { type FeaturePlan, planFeatures } from '../../services/pipeline/enrich/feature-plan.ts'
import type { Ceilings, FoldPolicy } from '../../services/pipeline/enrich/fold-log.ts'
import type { EntityLogStore } from '../../services/pipeline/enrich/log-store.ts'
import { planPublish } from '../../services/pipeline/publish/compose-records.ts'
import { freshMemory } from '../../services/pipeline/publish/lane-metadata.ts'
import type {
  Arrival,
  Batch,
  EnrichedBatch,
  Label,
  RawMessage,
  Transaction,
} from '../../services/pipeline/records.ts'
import { planValidate } from '../../services/pipeline/validate/validate.ts'
import type { JournalEntry, RestoreLane } from '../../services/restore/plan/history.ts'
import { type AdmittingStages, admitMessages } from '../../services/restore/read/admit-messages.ts'
import {
  type RestoreOptions,
  type RestoreReport,
  runRestore,
} from '../../services/restore/run-restore.ts'
import type { TestLane } from './batches.ts'
import { type BucketSnapshot, type BucketStore, createBucketStore } from './bucket-store.ts'
import { createMemoryHistory, type MemoryTopics } from './memory-history.ts'
import { createRandom, type Random } from './random.ts'
import { randomCeilings, randomPipeline } from './random-pipeline.ts'
import { randomStream } from './random-stream.ts'

/** An event in the order in which the live lanes are merged. */
type Merged = {
  readonly lane: WorldLane
  readonly arrival: Arrival
  readonly latenessMs: number
  /** The lane's highest time with this event, ms. */
  readonly atMs: number
}

type Unpublished = { readonly nextOffset: number; readonly entries: readonly WorldEntry[] }

/** Besides what restoring reads, what parity does. */
export type WorldEntry = JournalEntry & {
  readonly eventsSeen: readonly number[]
  readonly saturated: boolean
}

export type WorldLane = {
  readonly address: LaneAddress
  readonly originOffset: number
  readonly messages: RawMessage[]
  readonly events: Merged[]
  committedOffset: number
  epoch: number
  unpublished: Unpublished[]
}

export type WorldOptions = {
  readonly definition?: PipelineDefinition
  readonly lanes?: readonly TestLane[]
  /** Chance of a loss after each batch. */
  readonly loss?: number
  /** Lanes begin behind so many of their messages at most, as those of a run do. */
  readonly originMax?: number
  readonly ceilings?: Ceilings
  /** Each has its share of the lanes. */
  readonly processes?: number
}

export type WorldCounts = {
  rows: number
  losses: number
  wiped: number
  rolledBack: number
  finished: number
  passes: number
  holes: number
}

export type LossyWorld = {
  readonly definition: PipelineDefinition
  readonly plan: FeaturePlan
  readonly lanes: readonly WorldLane[]
  readonly topics: MemoryTopics
  readonly store: BucketStore
  readonly counts: WorldCounts
  readonly random: Random
  readonly run: (untilEvents?: number) => Promise<void>
  readonly restore: (options?: Partial<RestoreOptions>) => Promise<RestoreReport>
  /** Every lane goes on from what it committed. */
  readonly goBack: () => Promise<void>
  readonly checkOrdinals: () => void
  /** Parity of what was published: what it finds wrong. */
  readonly recompute: () => Findings
}

export async function createLossyWorld(
  seed: number,
  options: WorldOptions = {},
): Promise<LossyWorld> {
  const random = createRandom(seed)
  const definition = options.definition ?? randomPipeline(random)
  const plan = planFeatures(definition, options.ceilings ?? randomCeilings(random))
  const stages = jsonStages(definition)
  const streamLanes = options.lanes ?? randomStream(random, random.integer(60, 160)).lanes
  const lanes: WorldLane[] = []
  const { originMax = 0, processes = 1 } = options
  for (const lane of oneOfLabels(streamLanes)) {
    lanes.push(await openLane(lane, stages, random, originMax))
  }
  const merged = lanes
    .flatMap(({ events }) => events)
    .sort((a, b) => a.atMs - b.atMs || lanes.indexOf(a.lane) - lanes.indexOf(b.lane))
  const foldPolicy: FoldPolicy = { isDue: () => random.chance(0.3), isWorthIt: () => true }
  const { buckets } = definition.store
  const store = createBucketStore(plan.kinds, buckets, foldPolicy)
  const twin = createMemoryLogStore(plan.kinds, foldPolicy)
  for (const lane of lanes) lane.epoch = (await twin.claim(lane.address.laneId)).epoch
  const journal = new Map<number, WorldEntry[]>(lanes.map(({ address }) => [address.laneId, []]))
  const topics: MemoryTopics = {
    lanes,
    journal,
    firstOffsets: new Map(),
    journalFrom: new Map(),
  }
  const counts: WorldCounts = {
    rows: 0,
    losses: 0,
    wiped: 0,
    rolledBack: 0,
    finished: 0,
    passes: 0,
    holes: 0,
  }
  const snapshots: BucketSnapshot[][] = Array.from({ length: buckets }, () => [])
  const seen = new Set<string>()
  let queue = merged
  let scoredTimeMs = 0

  const deliver = async (): Promise<void> => {
    const turn = processes === 1 ? 0 : random.integer(0, processes - 1)
    const own = queue.filter(({ lane }) => lanes.indexOf(lane) % processes === turn)
    if (own.length === 0) return
    const taken = own.slice(0, random.integer(1, 15))
    queue = queue.filter((event) => !taken.includes(event))
    const batch = batchOf(taken)
    const { late } = definition
    const expected = await enrich(batch, { plan, store: twin, late })
    const found = await enrich(batch, { plan, store: store as unknown as EntityLogStore, late })
    if (processes === 1) {
      compareRows({ definition, plan, seen, place: `seed ${seed}` }, expected, found)
    }
    counts.rows += found.count
    noteUnpublished(batch, taken, found, { definition, plan, scoredTimeMs: ++scoredTimeMs })
    for (const [bucket, kept] of snapshots.entries()) kept.push(store.snapshot(bucket))
  }

  const commit = (): void => {
    for (const lane of lanes) {
      if (!random.chance(0.4)) continue
      commitNext(lane, random.integer(0, 3))
    }
  }

  const commitNext = (lane: WorldLane, batches: number): void => {
    for (const { nextOffset, entries } of lane.unpublished.splice(0, batches)) {
      lane.committedOffset = nextOffset
      journal.get(lane.address.laneId)!.push(...entries)
    }
  }

  const goBack = async (): Promise<void> => {
    for (const lane of lanes) {
      lane.unpublished = []
      lane.epoch = (await twin.claim(lane.address.laneId)).epoch
    }
    queue = merged.filter(({ lane, arrival }) => arrival.raw.offset >= lane.committedOffset)
  }

  const restore = async (wanted: Partial<RestoreOptions> = {}): Promise<RestoreReport> => {
    const session = (await store.begin())!
    try {
      const report = await runRestore({
        definition,
        plan,
        session,
        history: createMemoryHistory(topics, random),
        stages,
        lanes: lanes.map(toRestoreLane),
        foldPolicy,
        // With little stage not all are read who may have been ahead.
        ...(processes === 1 && random.chance(0.3) ? { rowsMax: random.integer(1, 200) } : {}),
        ...wanted,
      })
      counts.passes += report.passes
      counts.holes += report.holes
      counts.finished += report.buckets
      return report
    } finally {
      await session.end()
    }
  }

  const lose = (): void => {
    counts.losses++
    for (const [bucket, kept] of snapshots.entries()) {
      const fate = random.pick(['kept', 'wiped', 'rolled_back', 'rolled_back'])
      if (fate === 'wiped') counts.wiped++
      if (fate === 'rolled_back') counts.rolledBack++
      if (fate !== 'kept') {
        store.fallBack(bucket, fate === 'wiped' ? null : (random.pick(kept) ?? null))
      }
    }
  }

  const run = async (untilEvents = 0): Promise<void> => {
    while (queue.length > untilEvents) {
      await deliver()
      commit()
      if (!random.chance(options.loss ?? 0)) continue
      lose()
      await restore()
      // What was known before is another order than what was found, where no vector tells them
      // apart.
      if (processes > 1) for (const kept of snapshots) kept.length = 0
      await goBack()
    }
    if (queue.length === 0) for (const lane of lanes) commitNext(lane, lane.unpublished.length)
  }

  return {
    definition,
    plan,
    lanes,
    topics,
    store,
    counts,
    random,
    run,
    restore,
    goBack,
    checkOrdinals: () => checkPublished(lanes, topics, plan, seed),
    recompute: () => recomputePublished(lanes, journal, { definition, plan }),
  }
}

/**
 * Labels have no ordinals: in which order those of several lanes came to one log, no topic tells.
 */
const oneOfLabels = (lanes: readonly TestLane[]): readonly TestLane[] => {
  const labels = lanes.filter(({ stream }) => stream === 'labels')
  return lanes.filter((lane) => !labels.slice(1).includes(lane))
}

export const toRestoreLane = ({
  address,
  originOffset,
  events,
  committedOffset,
}: WorldLane): RestoreLane => {
  const committed = events.filter(({ arrival }) => arrival.raw.offset < committedOffset)
  const watermarkMs = committed.at(-1)?.atMs ?? -1
  return {
    address,
    originOffset,
    committedOffset,
    memory: { ...freshMemory(), watermarkMs: Math.max(-1, watermarkMs) },
  }
}

function jsonStages(definition: PipelineDefinition): AdmittingStages {
  const jsonDecoder = <T>(): Decoder<T> => ({
    decode: (bytes) => {
      try {
        return JSON.parse(bytes!.toString()) as T
      } catch {
        return new DecodeFault('WEIR_DECODE_NOT_AVRO', 'found no JSON')
      }
    },
    learn: async () => undefined,
  })
  const decoders = { transactions: jsonDecoder<Transaction>(), labels: jsonDecoder<Label>() }
  return { decoders, validate: planValidate(definition) }
}

const timeOf = ({ transaction, label }: Arrival): number | null =>
  transaction?.eventTime ?? label?.labelTime ?? null

/** The lane's messages with rubbish in gaps of its offsets, admitted and timed as lanes do it. */
async function openLane(
  { laneId, stream, arrivals }: TestLane,
  stages: AdmittingStages,
  random: Random,
  originMax: number,
): Promise<WorldLane> {
  const address = { laneId, stream, topic: stream, partition: laneId }
  const begins = originMax === 0 ? undefined : arrivals[random.integer(0, originMax)]
  const lane: WorldLane = {
    address,
    originOffset: begins?.raw.offset ?? 0,
    messages: [],
    events: [],
    committedOffset: 0,
    epoch: 0,
    unpublished: [],
  }
  let brokerTimeMs = arrivals[0]!.raw.brokerTimeMs
  for (const { raw, transaction, label } of arrivals) {
    const before = (lane.messages.at(-1)?.offset ?? -1) + 1
    if (raw.offset > before && random.chance(0.5)) {
      lane.messages.push({ offset: before, brokerTimeMs, key: null, value: Buffer.from('rubbish') })
    }
    const event = transaction ?? label!
    brokerTimeMs = Math.max(brokerTimeMs, event.eventTime, label?.labelTime ?? 0)
    const value = JSON.stringify(
      transaction === null
        ? label
        : {
            ...transaction,
            amountMinor: (transaction.amountMinor as number) % limits.amountMinorMax,
          },
    )
    lane.messages.push({ offset: raw.offset, brokerTimeMs, key: null, value: Buffer.from(value) })
  }
  let atMs = -1
  const own = lane.messages.filter(({ offset }) => offset >= lane.originOffset)
  for (const arrival of await admitMessages(stream, own, stages)) {
    const timeMs = timeOf(arrival)
    const latenessMs = timeMs === null ? 0 : Math.max(0, atMs - timeMs)
    atMs = Math.max(atMs, timeMs ?? -1)
    lane.events.push({ lane, arrival, latenessMs, atMs })
  }
  return lane
}

function batchOf(taken: readonly Merged[]): Batch {
  const lanes = [...new Set(taken.map(({ lane }) => lane))]
  return {
    lanes: lanes.map((lane) => {
      const own = taken.filter((event) => event.lane === lane)
      return {
        laneId: lane.address.laneId,
        stream: lane.address.stream,
        partition: lane.address.partition,
        epoch: lane.epoch,
        fromOffset: own[0]!.arrival.raw.offset,
        committedOffset: lane.committedOffset,
        firstOffset: own[0]!.arrival.raw.offset,
        lastOffset: own.at(-1)!.arrival.raw.offset,
        watermarkMs: own.at(-1)!.atMs,
        frontierMs: own.at(-1)!.atMs,
        isIdle: false,
      }
    }),
    arrivals: taken.map(({ arrival }) => arrival),
    laneIndexes: Uint16Array.from(taken, ({ lane }) => lanes.indexOf(lane)),
    latenessMs: Float64Array.from(taken, ({ latenessMs }) => latenessMs),
    brakes: lanes.map(() => freshMemory().brake),
  }
}

type Scored = {
  readonly definition: PipelineDefinition
  readonly plan: FeaturePlan
  readonly scoredTimeMs: number
}

const rowOf = (column: Float32Array | Float64Array, row: number, width: number): number[] => [
  ...column.subarray(row * width, (row + 1) * width),
]

/** What the batch will publish, lane by lane, once the lane commits. */
function noteUnpublished(
  batch: Batch,
  taken: readonly Merged[],
  { count, arrivalIndexes, ordinals, labelsSeen, eventsSeen, vectors, saturated }: EnrichedBatch,
  { plan, scoredTimeMs }: Scored,
): void {
  const entries = new Map<WorldLane, WorldEntry[]>(taken.map(({ lane }) => [lane, []]))
  for (let row = 0; row < count; row++) {
    const { lane, arrival } = taken[arrivalIndexes[row]!]!
    entries.get(lane)!.push({
      sourceOffset: arrival.raw.offset,
      scoredTimeMs,
      ordinals: rowOf(ordinals, row, plan.entities.length),
      labelsSeen: rowOf(labelsSeen, row, plan.labelEntityCount),
      features: rowOf(vectors, row, plan.features.length),
      eventsSeen: rowOf(eventsSeen, row, plan.entities.length),
      saturated: saturated[row] === 1,
    })
  }
  for (const [lane, own] of entries) {
    const slice = batch.lanes.find(({ laneId }) => laneId === lane.address.laneId)!
    lane.unpublished.push({ nextOffset: slice.lastOffset + 1, entries: own })
  }
}

type Comparison = {
  readonly definition: PipelineDefinition
  readonly plan: FeaturePlan
  /** Events that were delivered before. */
  readonly seen: Set<string>
  readonly place: string
}

/**
 * Delivered again, an event that was not counted sees what is there now, and any event may see more
 * labels than the first time: then there is nothing to compare.
 */
function compareRows(
  { definition, plan, seen, place }: Comparison,
  expected: EnrichedBatch,
  found: EnrichedBatch,
): void {
  const { batch } = found
  for (let row = 0; row < found.count; row++) {
    const index = found.arrivalIndexes[row]!
    const name = `${batch.lanes[batch.laneIndexes[index]!]!.laneId}:${batch.arrivals[index]!.raw.offset}`
    const isAgain = seen.has(name)
    seen.add(name)
    const differ = (what: string, of: (rows: EnrichedBatch) => string): boolean => {
      if (of(found) === of(expected)) return false
      if (isAgain && what !== 'ordinals') return true
      throw new Error(`${place}: ${name} has ${what} ${of(found)}, expected ${of(expected)}`)
    }
    differ('ordinals', ({ ordinals }) => `${rowOf(ordinals, row, plan.entities.length)}`)
    const isCounted = found.ordinals[row * plan.entities.length]! >= 0
    if (isAgain && !isCounted) continue
    if (differ('labels', (of) => `${rowOf(of.labelsSeen, row, plan.labelEntityCount)}`)) continue
    const vectorOf = ({ vectors }: EnrichedBatch) =>
      `${rowOf(vectors, row, definition.features.length)}`
    if (vectorOf(found) !== vectorOf(expected)) {
      throw new Error(`${place}: ${name} has ${vectorOf(found)}, expected ${vectorOf(expected)}`)
    }
  }
}

function checkPublished(
  lanes: readonly WorldLane[],
  { journal }: MemoryTopics,
  plan: FeaturePlan,
  seed: number,
): void {
  const logs = new Map<string, number[]>()
  for (const { address, events } of lanes) {
    for (const { sourceOffset, ordinals } of journal.get(address.laneId)!) {
      const { transaction } = events.find(
        ({ arrival }) => arrival.raw.offset === sourceOffset,
      )!.arrival
      for (const [e, { name, readKey }] of plan.entities.entries()) {
        const log = `${name} ${readKey(transaction!)}`
        if (ordinals[e]! >= 0) logs.set(log, [...(logs.get(log) ?? []), ordinals[e]!])
      }
    }
  }
  for (const [log, ordinals] of logs) {
    const sorted = ordinals.toSorted((a, b) => a - b)
    if (sorted.some((ordinal, i) => ordinal !== i)) {
      throw new Error(`seed ${seed}: ${log} has ordinals ${sorted}`)
    }
  }
}

function recomputePublished(
  lanes: readonly WorldLane[],
  journal: ReadonlyMap<number, readonly WorldEntry[]>,
  { definition, plan }: Pick<LossyWorld, 'definition' | 'plan'>,
): Findings {
  const arrivalAt = (lane: WorldLane, offset: number): Arrival =>
    lane.events.find(({ arrival }) => arrival.raw.offset === offset)!.arrival
  const labels = lanes.flatMap(({ address: { partition }, events }) =>
    events.flatMap(({ arrival: { raw, label } }) =>
      label?.isFraud ? [{ partition, offset: raw.offset, label }] : [],
    ),
  )
  const { featureSet } = planPublish(definition, plan.labelEntityCount)
  const outcomes = lanes.flatMap((lane) =>
    journal.get(lane.address.laneId)!.map(({ scoredTimeMs, ...entry }): Outcome => {
      const transaction = arrivalAt(lane, entry.sourceOffset).transaction!
      const { partition } = lane.address
      const about = { featureSet, pipelineHash: '', sourcePartition: partition }
      const record = { ...transaction, ...entry, ...about, scoredTime: scoredTimeMs }
      return { record: record as unknown as Outcome['record'], transaction, isJudged: true }
    }),
  )
  const findings = createFindings()
  const { ceilings } = plan
  const recomputation = createRecomputation({
    definition,
    labels: shelveLabels(labels, plan),
    findings,
    ceilings,
  })
  recomputation.take(outcomes.sort((a, b) => a.record.scoredTime - b.record.scoredTime))
  recomputation.finish()
  return findings
}
