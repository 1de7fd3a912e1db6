// The oracle itself, against numbers worked out by hand: it is believed, so it had better be right.

import { expect, test } from 'vitest'
import type { WindowFeature } from '../../services/core/pipeline-definition.ts'
import type { Transaction } from '../../services/pipeline/records.ts'
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
import { createOracle } from './naive-features.ts'

const MINUTE_MS = 60_000
const of = 'amountMinor'

/** The last transaction's vector over windows of ten minutes, each feature with these settings. */
function lastVector(
  transactions: readonly Partial<Transaction>[],
  features: readonly (Partial<WindowFeature> & Pick<WindowFeature, 'op'>)[],
): readonly number[] {
  const definition = pipelineOf({
    entities: [customer],
    features: features.map((feature, i) =>
      windowFeature({ entity: 'customer', windowMs: 10 * MINUTE_MS, name: `f${i}`, ...feature }),
    ),
  })
  const lane = createLane(1)
  for (const wanted of transactions) addArrival(lane, transactionOf(wanted))
  return createOracle(definition).advance(laneBatch(lane, 1)).at(-1)!.vector
}

const at = (minutes: number, amountMinor = 100, terminalId = 'p') => ({
  eventTime: EPOCH_MS + minutes * MINUTE_MS,
  amountMinor,
  terminalId,
})

test('oracle - a window is open at its old end and closed at its young one', () => {
  const counts = (minutes: readonly number[], feature = {}) =>
    lastVector(
      minutes.map((m) => at(m)),
      [{ op: 'count', ...feature }],
    )
  expect(counts([0, 10])).toEqual([1])
  expect(counts([0.01, 10])).toEqual([2])
  expect(counts([10, 10, 10])).toEqual([3])
  expect(counts([5, 10], { current: false })).toEqual([1])
  expect(counts([0, 5, 20], { delayMs: 10 * MINUTE_MS })).toEqual([1])
})

test('oracle - computes every op as a hand does', () => {
  const rows = [at(1, 300, 'a'), at(2, 100, 'b'), at(4, 500, 'a'), at(3, 700, 'c'), at(6, 400, 'b')]
  const vector = lastVector(rows, [
    { op: 'count' },
    { op: 'sum', of, scale: 0.01 },
    { op: 'mean', of },
    { op: 'min', of },
    { op: 'max', of },
    { op: 'stddev', of },
    { op: 'distinct', of: 'terminalId' },
    { op: 'seconds_since_last', current: false },
    { op: 'seconds_since_first' },
    { op: 'last', of, current: false },
    { op: 'min', of, windowMs: 1, current: false, absent: -7 },
  ])
  // Amounts 300, 100, 500, 700, 400: mean 400, squared distances 10000 + 90000 + 10000 + 90000 + 0.
  expect(vector).toEqual([5, 20, 400, 100, 700, 200, 3, 120, 300, 500, -7])
})

test('oracle - the newest in the log wins among equal times', () => {
  expect(lastVector([at(1, 5), at(1, 6), at(2)], [{ op: 'last', of, current: false }])).toEqual([6])
})

test('oracle - frauds count once, from the time they are known, over the transactions', () => {
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
    rows.map(({ vector, ordinals }) => [vector[0], ordinals[0]])
  const expected = [
    [1, 0],
    [2, 1],
    [2, 2],
    [2, -1],
    [4, 3],
  ]
  expect(pick(oracle.advance(laneBatch(lane, 1)))).toEqual(expected)
  expect(pick(oracle.advance(laneBatch(lane, 1, 1)))).toEqual(expected.slice(1))
})
