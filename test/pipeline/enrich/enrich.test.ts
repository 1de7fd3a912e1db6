// The enrich stage over the memory store: who is counted, scored, diverted or only a label.

import { describe, expect, test } from 'vitest'
import { createMemoryLogStore } from '../../../services/adapters/memory/memory-log-store.ts'
import type { PipelineDefinition } from '../../../services/core/pipeline-definition.ts'
import { enrich } from '../../../services/pipeline/enrich/enrich.ts'
import { planFeatures } from '../../../services/pipeline/enrich/feature-plan.ts'
import type { Batch } from '../../../services/pipeline/records.ts'
import {
  addArrival,
  batchOf,
  createLane,
  EPOCH_MS,
  fraudLabelOf,
  laneBatch,
  transactionOf,
} from '../../support/batches.ts'
import { holdLane } from '../../support/hold-lane.ts'
import { customer, DAY_MS, pair, pipelineOf, windowFeature } from '../../support/pipelines.ts'

const count = windowFeature({ entity: 'customer', op: 'count', windowMs: DAY_MS })

async function enrichAll(definition: PipelineDefinition, batch: Batch) {
  const plan = planFeatures(definition)
  const store = createMemoryLogStore(plan.kinds)
  for (const { laneId } of batch.lanes) await holdLane(store, laneId)
  return enrich(batch, { plan, store, late: definition.late })
}

function laneWithLate() {
  const lane = createLane(4)
  for (const seconds of [0, 100, 40, 39, 101]) {
    addArrival(lane, transactionOf({ eventTime: EPOCH_MS + seconds * 1000 }))
  }
  return lane
}

const lateAfterAMinute = (policy: 'score_only' | 'divert') =>
  pipelineOf({
    entities: [customer],
    features: [count],
    late: { allowedMs: 60_000, then: policy },
  })

describe('enrich', () => {
  test('scores an event that is too late, sees it in its windows, and does not count it', async () => {
    const batch = laneBatch(laneWithLate(), 1)
    const enriched = await enrichAll(lateAfterAMinute('score_only'), batch)
    expect([...enriched.ordinals]).toEqual([0, 1, 2, -1, 3])
    expect([...enriched.vectors]).toEqual([1, 2, 2, 2, 4])
    expect([...enriched.eventsSeen]).toEqual([0, 1, 2, 3, 3])
    expect(enriched.diverted).toEqual([])
  })

  test('diverts an event that is too late where the pipeline says so', async () => {
    const batch = laneBatch(laneWithLate(), 1)
    const enriched = await enrichAll(lateAfterAMinute('divert'), batch)
    expect(enriched.diverted).toEqual([3])
    expect([...enriched.arrivalIndexes]).toEqual([0, 1, 2, 4])
    expect([...enriched.ordinals]).toEqual([0, 1, 2, 3])
    expect(enriched.vectors).toHaveLength(4)
  })

  test('passes over rejected arrivals and labels', async () => {
    const lane = createLane(1)
    const labels = createLane(2, 'labels')
    const transaction = transactionOf()
    addArrival(lane, transaction)
    addArrival(lane, transaction)
    addArrival(labels, fraudLabelOf(transaction))
    const rejection = { code: 'WEIR_DECODE_EMPTY', stage: 'decode', detail: '' } as const
    lane.arrivals[0] = { raw: lane.arrivals[0]!.raw, transaction: null, label: null, rejection }
    const fraudRate = windowFeature({ entity: 'customer', op: 'fraud_rate', windowMs: DAY_MS })
    const definition = pipelineOf({ entities: [customer], features: [count, fraudRate] })
    const shares = [
      { lane, epoch: 1, from: 0, count: 2 },
      { lane: labels, epoch: 1, from: 0, count: 1 },
    ]
    const enriched = await enrichAll(definition, batchOf(shares, [0, 1, 0]))
    expect(enriched.count).toBe(1)
    expect([...enriched.arrivalIndexes]).toEqual([2])
    expect([...enriched.vectors]).toEqual([1, 1])
    expect([...enriched.labelsSeen]).toEqual([1])
  })

  test('keeps keys of several fields apart', async () => {
    const lane = createLane(1)
    for (const [customerId, terminalId] of [
      ['a|b', 'c'],
      ['a', 'b|c'],
      ['a\\', '|b|c'],
      ['a|b', 'c'],
    ] as const) {
      addArrival(lane, transactionOf({ customerId, terminalId }))
    }
    const features = [windowFeature({ entity: 'pair', op: 'count', windowMs: DAY_MS })]
    const definition = pipelineOf({ entities: [pair], features })
    const enriched = await enrichAll(definition, laneBatch(lane, 1))
    expect([...enriched.ordinals]).toEqual([0, 0, 0, 1])
  })

  test('an empty batch of labels only gives an empty result', async () => {
    const labels = createLane(2, 'labels')
    addArrival(labels, fraudLabelOf(transactionOf()))
    const definition = pipelineOf({ entities: [customer], features: [count] })
    const enriched = await enrichAll(definition, laneBatch(labels, 1))
    expect([enriched.count, enriched.vectors.length, enriched.ordinals.length]).toEqual([0, 0, 0])
  })
})
