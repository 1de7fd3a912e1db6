// The oracle's deliveries, against numbers worked out by hand: who sees which events and labels.

import { expect, test } from 'vitest'
import {
  addArrival,
  batchOf,
  createLane,
  EPOCH_MS,
  fraudLabelOf,
  laneBatch,
  transactionOf,
} from '../support/batches.ts'
import { customer, DAY_MS, pipelineOf, terminal, windowFeature } from '../support/pipelines.ts'
import { createOracle } from './oracle.ts'

const MINUTE_MS = 60_000

const at = (minutes: number) => ({ eventTime: EPOCH_MS + minutes * MINUTE_MS })

test('oracle - an event sees the labels before its place in the batch', () => {
  const definition = pipelineOf({
    entities: [terminal],
    features: [windowFeature({ entity: 'terminal', op: 'fraud_rate', windowMs: 7 * DAY_MS })],
  })
  const lane = createLane(1)
  const labels = createLane(2, 'labels')
  const first = transactionOf({ transactionId: 'a', ...at(0) })
  addArrival(lane, first)
  addArrival(lane, transactionOf({ transactionId: 'b', ...at(1) }))
  addArrival(lane, transactionOf({ transactionId: 'c', ...at(3) }))
  addArrival(lane, transactionOf({ transactionId: 'd', ...at(5) }))
  addArrival(labels, fraudLabelOf(first, { labelTime: at(4).eventTime }))
  addArrival(labels, fraudLabelOf(first, { labelTime: at(2).eventTime }))
  addArrival(labels, fraudLabelOf(first, { isFraud: false }))
  const shares = [
    { lane, epoch: 1, from: 0, count: 4 },
    { lane: labels, epoch: 1, from: 0, count: 3 },
  ]
  // b does not know yet, c sees the first label (too young) only, d both of the same fraud.
  const rows = createOracle(definition).advance(batchOf(shares, [0, 0, 1, 0, 1, 1, 0]))
  expect(rows.map(({ vector, labelsSeen }) => [vector[0], labelsSeen[0]])).toEqual([
    [0, 0],
    [0, 0],
    [0, 1],
    [0.25, 2],
  ])
})

test('oracle - what is delivered again stands at its first place; late ones leave no trace', () => {
  const definition = pipelineOf({
    entities: [customer],
    features: [windowFeature({ entity: 'customer', op: 'count', windowMs: DAY_MS })],
    late: { allowedMs: MINUTE_MS, then: 'score_only' },
  })
  const oracle = createOracle(definition)
  const lane = createLane(1)
  for (const minutes of [0, 10, 9, 8, 11]) addArrival(lane, transactionOf(at(minutes)))
  const pick = (rows: ReturnType<typeof oracle.advance>) =>
    rows.map(({ vector, ordinals, isSaturated }) => [vector[0], ordinals[0], isSaturated])
  const expected = [
    [1, 0, false],
    [2, 1, false],
    [2, 2, false],
    [2, -1, true],
    [4, 3, false],
  ]
  expect(pick(oracle.advance(laneBatch(lane, 1)))).toEqual(expected)
  expect(pick(oracle.advance(laneBatch(lane, 1, 1)))).toEqual(expected.slice(1))
})
