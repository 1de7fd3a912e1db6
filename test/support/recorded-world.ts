// A random stream through the enrich stage over memory, and what it would have published.
//
// In: a seed. Out: the pipeline, the scored events in the order in which readers see them, the
// messages behind them, the labels of each partition. Some batches are lost on the way out and
// delivered again after others, and lanes are published with random delays: so ordinals come out of
// order and events see more labels than some behind them, as after a crash. The seed decides all.

import { createMemoryLogStore } from '../../services/adapters/memory/memory-log-store.ts'
import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'
import type { PlacedLabel } from '../../services/parity/labels/label-orders.ts'
import { enrich } from '../../services/pipeline/enrich/enrich.ts'
import { planFeatures } from '../../services/pipeline/enrich/feature-plan.ts'
import type { Ceilings } from '../../services/pipeline/enrich/fold-log.ts'
import {
  composeKeys,
  planKeys,
  planPublish,
} from '../../services/pipeline/publish/compose-records.ts'
import type { ScoredTransactionRecord } from '../../services/pipeline/publish/output-records.ts'
import type { EnrichedBatch, Transaction } from '../../services/pipeline/records.ts'
import { batchOf, type TestLane } from './batches.ts'
import { holdLane } from './hold-lane.ts'
import { createRandom, type Random } from './random.ts'
import { randomCeilings, randomPipeline } from './random-pipeline.ts'
import { randomStream } from './random-stream.ts'

export type RecordedEvent = {
  readonly record: ScoredTransactionRecord
  readonly transaction: Transaction
}

export type RecordedWorld = {
  readonly definition: PipelineDefinition
  readonly ceilings: Ceilings
  /** Each lane's in its order, lanes mixed. */
  readonly events: readonly RecordedEvent[]
  readonly labels: readonly PlacedLabel[]
}

export type WorldOptions = {
  readonly events?: number
  readonly labelLanesMax?: number
  readonly definition?: (random: Random) => PipelineDefinition
  readonly ceilings?: Ceilings
}

const FIRST_LABEL_LANE = 300
const SHARE_MAX = 12

type Held = { readonly lane: TestLane; readonly epoch: number; next: number; isBlocked: boolean }

export async function recordWorld(
  seed: number,
  options: WorldOptions = {},
): Promise<RecordedWorld> {
  const random = createRandom(seed)
  const definition = (options.definition ?? randomPipeline)(random)
  const ceilings = options.ceilings ?? randomCeilings(random)
  const { lanes } = randomStream(random, options.events ?? 90, options.labelLanesMax)
  const plan = planFeatures(definition, ceilings)
  const store = createMemoryLogStore(plan.kinds, {
    isDue: () => random.chance(0.5),
    isWorthIt: () => true,
  })
  const laneIds = lanes.map(({ laneId }) => laneId)
  const held: Held[] = []
  for (const lane of lanes) {
    const { epoch } = await holdLane(store, lane.laneId, { laneIds })
    held.push({ lane, epoch, next: 0, isBlocked: false })
  }
  const published = new Map<number, RecordedEvent[]>()
  const featureSet = planPublish(definition, plan.labelEntityCount).featureSet
  const again: (() => Promise<void>)[] = []
  for (;;) {
    const free = held.filter(
      ({ lane, next, isBlocked }) => !isBlocked && next < lane.arrivals.length,
    )
    if (again.length > 0 && (free.length === 0 || random.chance(0.4))) {
      await again.shift()!()
      continue
    }
    if (free.length === 0) break
    const { batch, taken } = cutBatch(random, free)
    const deliver = () => enrich(batch, { plan, store, late: definition.late })
    const enriched = await deliver()
    if (random.chance(0.8)) {
      publish(published, enriched, { definition, featureSet })
      continue
    }
    for (const lane of taken) lane.isBlocked = true
    again.push(async () => {
      publish(published, await deliver(), { definition, featureSet })
      for (const lane of taken) lane.isBlocked = false
    })
  }
  return { definition, ceilings, events: mixLanes(random, published), labels: labelsOf(lanes) }
}

function cutBatch(random: Random, free: readonly Held[]) {
  const chosen = free.filter(() => random.chance(0.6))
  const taken = chosen.length > 0 ? chosen : [random.pick(free)]
  const shares = taken.map(({ lane, epoch, next }) => ({
    lane,
    epoch,
    from: next,
    count: random.integer(1, Math.min(SHARE_MAX, lane.arrivals.length - next)),
    committed: 0,
  }))
  const order: number[] = []
  const left = shares.map(({ count }) => count)
  while (left.some((count) => count > 0)) {
    const share = random.pick([...left.keys()].filter((i) => left[i]! > 0))
    order.push(share)
    left[share]!--
  }
  for (const [i, { count }] of shares.entries()) taken[i]!.next += count
  return { batch: batchOf(shares, order), taken }
}

function publish(
  published: Map<number, RecordedEvent[]>,
  enriched: EnrichedBatch,
  {
    definition,
    featureSet,
  }: { readonly definition: PipelineDefinition; readonly featureSet: string },
): void {
  const { batch, count, arrivalIndexes } = enriched
  const widthOf = (column: { readonly length: number }) => (count === 0 ? 0 : column.length / count)
  const rowOf = (column: Float32Array | Float64Array, row: number) => [
    ...column.subarray(row * widthOf(column), (row + 1) * widthOf(column)),
  ]
  for (let row = 0; row < count; row++) {
    const index = arrivalIndexes[row]!
    const { transaction, raw } = batch.arrivals[index]!
    const ordinals = rowOf(enriched.ordinals, row)
    const { laneId } = batch.lanes[batch.laneIndexes[index]!]!
    const record: ScoredTransactionRecord = {
      ...plainRecord,
      transactionId: transaction!.transactionId,
      eventTime: transaction!.eventTime,
      keys: composeKeys(transaction!, planKeys(definition)),
      carried: {},
      features: rowOf(enriched.vectors, row),
      featureSet,
      ordinals,
      eventsSeen: ordinals[0]! >= 0 ? [] : rowOf(enriched.eventsSeen, row),
      labelsSeen: rowOf(enriched.labelsSeen, row),
      saturated: enriched.saturated[row] === 1,
      sourcePartition: laneId,
      sourceOffset: raw.offset,
      latenessMs: batch.latenessMs[index]!,
      brokerTime: raw.brokerTimeMs,
      scoredTime: raw.brokerTimeMs,
    }
    published.set(laneId, [...(published.get(laneId) ?? []), { record, transaction: transaction! }])
  }
}

const plainRecord = {
  score: 0,
  decision: 'approve',
  decidedBy: 'policy',
  reasons: [],
  modelName: 'none',
  modelVersion: '1',
  modelSha256: '0',
  modelProvider: 'cpu',
  modelRole: 'champion',
  modelMs: 0,
  challengers: [],
  degraded: false,
  pipeline: 'test',
  pipelineHash: 'hash',
  controlEpoch: 0,
} as const

/** Lanes one beside the other, each with a random head start. */
function mixLanes(
  random: Random,
  published: ReadonlyMap<number, RecordedEvent[]>,
): RecordedEvent[] {
  const lanes = [...published.values()].map((events) => ({ events, next: 0 }))
  const mixed: RecordedEvent[] = []
  for (;;) {
    const open = lanes.filter(({ events, next }) => next < events.length)
    if (open.length === 0) return mixed
    const lane = random.pick(open)
    const end = lane.next + random.integer(1, 20)
    mixed.push(...lane.events.slice(lane.next, end))
    lane.next = end
  }
}

const labelsOf = (lanes: readonly TestLane[]): PlacedLabel[] =>
  lanes.flatMap(({ laneId, arrivals }) =>
    arrivals.flatMap(({ raw, label }) =>
      label === null || !label.isFraud
        ? []
        : [{ partition: laneId - FIRST_LABEL_LANE, offset: raw.offset, label }],
    ),
  )
