// The naive ops, against numbers worked out by hand: they are believed, so they had better be
// right.

import { expect, test } from 'vitest'
import type { WindowFeature } from '../../../services/core/pipeline-definition.ts'
import { computeNaiveFeatures } from '../../../services/parity/naive/naive-features.ts'
import type { Transaction } from '../../../services/pipeline/records.ts'
import { EPOCH_MS, fraudLabelOf, transactionOf } from '../../support/batches.ts'
import { customer, pipelineOf, windowFeature } from '../../support/pipelines.ts'

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
  const log = transactions.map(transactionOf)
  const labels = log.slice(0, 2).map((labelled) => fraudLabelOf(labelled))
  const histories = [{ entity: 'customer', before: log.slice(0, -1), labels }]
  return computeNaiveFeatures(definition, { transaction: log.at(-1)!, histories }).vector
}

const at = (minutes: number, amountMinor = 100, terminalId = 'p') => ({
  transactionId: `${minutes}`,
  eventTime: EPOCH_MS + minutes * MINUTE_MS,
  amountMinor,
  terminalId,
})

test('naive features - a window is open at its old end and closed at its young one', () => {
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

test.each([0, MINUTE_MS])(
  'naive features - computes every op as a hand does, tail %i',
  (tailMs) => {
    const rows = [
      at(1, 300, 'a'),
      at(2, 100, 'b'),
      at(4, 500, 'a'),
      at(3, 700, 'c'),
      at(6, 400, 'b'),
    ]
    const vector = lastVector(rows, [
      { op: 'count', tailMs },
      { op: 'sum', of, scale: 0.01, tailMs },
      { op: 'mean', of, tailMs },
      { op: 'min', of, tailMs },
      { op: 'max', of, tailMs },
      { op: 'stddev', of },
      { op: 'distinct', of: 'terminalId' },
      { op: 'seconds_since_last', current: false },
      { op: 'seconds_since_first', tailMs },
      { op: 'last', of, current: false },
      { op: 'min', of, windowMs: 1, current: false, absent: -7 },
      { op: 'fraud_rate', scale: 10, tailMs },
      { op: 'fraud_count', scale: 10, tailMs },
      { op: 'seconds_since_last_fraud', tailMs },
      { op: 'seconds_since_first_fraud', scale: 0.5, tailMs },
    ])
    // The first two are frauds, at minutes 1 and 2; now is minute 6. Amounts 300, 100, 500, 700,
    // 400: mean 400, squared distances 10000 + 90000 + 10000 + 90000 + 0.
    expect(vector).toEqual([5, 20, 400, 100, 700, 200, 3, 120, 300, 500, -7, 4, 20, 240, 150])
  },
)

test('naive features - the newest in the log wins among equal times', () => {
  expect(lastVector([at(1, 5), at(1, 6), at(2)], [{ op: 'last', of, current: false }])).toEqual([6])
})

test('naive features - a tail is as empty as an exact window without rows', () => {
  const empty = { current: false, absent: -7, tailMs: MINUTE_MS } as const
  const vector = lastVector(
    [at(0)],
    [
      { op: 'count', ...empty },
      { op: 'sum', of, ...empty },
      { op: 'seconds_since_first', ...empty },
      { op: 'fraud_rate', ...empty },
    ],
  )
  expect(vector).toEqual([0, -7, -7, -7])
})

test.each([0, MINUTE_MS])('naive features - frauds out of the window, tail %i', (tailMs) => {
  const vector = lastVector(
    [at(0), at(1), at(9), at(20)],
    [
      { op: 'fraud_count', absent: -7, tailMs },
      { op: 'seconds_since_last_fraud', absent: -7, tailMs },
      { op: 'seconds_since_first_fraud', absent: -7, tailMs },
      { op: 'seconds_since_last_fraud', windowMs: 20 * MINUTE_MS, tailMs },
      { op: 'seconds_since_first_fraud', windowMs: 21 * MINUTE_MS, tailMs },
      { op: 'fraud_count', windowMs: 8 * MINUTE_MS, delayMs: 12 * MINUTE_MS, tailMs },
    ],
  )
  // The last one is (0, 8], and with a tail it begins with the whole tile of minute 0.
  expect(vector).toEqual([0, -7, -7, 1140, 1200, tailMs === 0 ? 1 : 2])
})
