// Each rule of what a window sees (docs/reference/features.md) on a few rows counted by hand.
//
// Times are minutes; the last row is the transaction's own. Every example fails when its rule is
// left out: the rows that only the rule keeps in or out are among them.

import { describe, expect, test } from 'vitest'
import type { WindowFeature, WindowOp } from '../../../services/core/pipeline-definition.ts'
import {
  fraudsOf,
  isSaturated,
  type NaiveView,
  rowsOf,
} from '../../../services/parity/naive/naive-windows.ts'
import { EPOCH_MS, fraudLabelOf, transactionOf } from '../../support/batches.ts'
import { windowFeature } from '../../support/pipelines.ts'

const MINUTE_MS = 60_000
const timeOf = (minute: number) => EPOCH_MS + minute * MINUTE_MS

type Wanted = { op?: WindowOp; window: number; delay?: number; tail?: number; current?: boolean }

/** A feature in minutes. */
function feature({ op = 'count', window, delay = 0, tail = 0, ...rest }: Wanted): WindowFeature {
  return windowFeature({
    entity: 'customer',
    op,
    windowMs: window * MINUTE_MS,
    delayMs: delay * MINUTE_MS,
    tailMs: tail * MINUTE_MS,
    ...rest,
  })
}

type Label = { readonly of?: string; readonly at: number; readonly known?: number }

type World = {
  readonly minutes: readonly number[]
  readonly labels?: readonly Label[]
  /** The entity's other features. */
  readonly beside?: readonly Wanted[]
  readonly allowed?: number
  readonly max?: number
  readonly newest?: number
}

/** What is not named is so large that it hides nothing. */
function viewOf(features: readonly Wanted[], world: World): NaiveView {
  const { minutes, labels = [], beside = [], allowed = 1000, max = 1000, newest = 1000 } = world
  const rows = minutes.map((minute, position) => {
    const transaction = transactionOf({ eventTime: timeOf(minute) })
    return { position, timeMs: transaction.eventTime, transaction }
  })
  return {
    features: [...features, ...beside].map(feature),
    rows,
    own: rows.at(-1)!,
    highestMs: timeOf(Math.max(...minutes)),
    labels: labels.map(toLabelRow),
    allowedMs: allowed * MINUTE_MS,
    ceilings: { entityRecordsMax: max, entityRecordsNewest: newest },
  }
}

function toLabelRow({ of, at, known = at }: Label, position: number) {
  const labelled = transactionOf({ transactionId: of ?? `${position}`, eventTime: timeOf(at) })
  const label = fraudLabelOf(labelled, { labelTime: timeOf(known) })
  return { position, timeMs: labelled.eventTime, label }
}

/** Positions of the rows that the window holds. */
function held(wanted: Wanted, world: World): readonly number[] {
  const view = viewOf([wanted], world)
  return rowsOf(view.features[0]!, view)
    .map(({ position }) => position)
    .sort((a, b) => a - b)
}

const labelOps = [
  'fraud_rate',
  'fraud_count',
  'seconds_since_last_fraud',
  'seconds_since_first_fraud',
] as const

function frauds(wanted: Omit<Wanted, 'op'>, world: World): number {
  const view = viewOf([{ ...wanted, op: 'fraud_rate' }], world)
  return fraudsOf(view.features[0]!, view).length
}

const saturated = (wanted: Wanted, world: World) => isSaturated(viewOf([wanted], world))

describe('naive windows - exact', () => {
  test('a row is in from after t - delay - window until t - delay', () => {
    expect(held({ window: 10 }, { minutes: [0, 1, 9, 11, 10] })).toEqual([1, 2, 4])
    expect(held({ window: 10, delay: 5 }, { minutes: [-5, -4, 5, 6, 10] })).toEqual([1, 2])
    expect(held({ window: 10, current: false }, { minutes: [9, 10, 10] })).toEqual([0, 1])
  })

  test('only the last positions are visible, with the own row among them or not', () => {
    const world = { minutes: [0, 1, 2, 3, 4], max: 3 }
    expect(held({ window: 10 }, world)).toEqual([2, 3, 4])
    expect(held({ window: 10, current: false }, world)).toEqual([2, 3])
  })

  // M = 100, S = 5 + 10: up to minute 85 nothing is visible. The window itself is (80, 90].
  const far = { minutes: [84, 85, 86, 100, 90], allowed: 5 }

  test('an event later than allowed does not see what is older than anything still needed', () => {
    expect(held({ window: 10 }, far)).toEqual([2, 4])
    expect(held({ window: 10 }, { ...far, allowed: 10 })).toEqual([0, 1, 2, 4])
  })

  test('how far back is needed: the longest exact window with its delay, of any op', () => {
    const among = (beside: Wanted) => held({ window: 10 }, { ...far, beside: [beside] })
    expect(among({ window: 6, delay: 5 })).toEqual([1, 2, 4])
    expect(among({ window: 20, op: 'fraud_rate' })).toEqual([0, 1, 2, 4])
    expect(among({ window: 19, delay: 1, op: 'last', current: false })).toEqual([0, 1, 2, 4])
    expect(among({ window: 60, op: 'last', current: false })).toEqual([2, 4])
    expect(among({ window: 60, op: 'seconds_since_last', current: false })).toEqual([2, 4])
    expect(among({ window: 60, tail: 1 })).toEqual([2, 4])
  })

  test('frauds lie in the window, are known, and count once per transaction', () => {
    const labels = [
      { of: 'out', at: 0 },
      { of: 'a', at: 1 },
      { of: 'a', at: 1 },
      { of: 'known at t', at: 2, known: 10 },
      { of: 'too young', at: 2, known: 11 },
      { of: 'ahead', at: 11, known: 3 },
    ]
    expect(frauds({ window: 10 }, { minutes: [10], labels })).toBe(2)
    expect(frauds({ window: 10, delay: 9 }, { minutes: [10], labels })).toBe(2)
  })

  test('only the last labels are visible', () => {
    const labels = [{ at: 1 }, { at: 2 }, { at: 3 }]
    expect(frauds({ window: 10 }, { minutes: [9], labels, max: 2 })).toBe(2)
  })

  test('labels are cut by the newest event time among them and by features of labels alone', () => {
    // ML = 20, SL = 1 + 10: up to minute 9 no label is visible. The window is (2, 12].
    const labels = [{ at: 9 }, { at: 10 }, { at: 20 }]
    const world = { minutes: [30, 12], labels, allowed: 1 }
    const among = (beside: Wanted) => frauds({ window: 10 }, { ...world, beside: [beside] })
    expect(frauds({ window: 10 }, world)).toBe(1)
    for (const op of labelOps) expect(among({ window: 10, delay: 1, op })).toBe(2)
    expect(among({ window: 60 })).toBe(1)
    expect(among({ window: 60, tail: 1, op: 'fraud_rate' })).toBe(1)
  })
})

describe('naive windows - tail', () => {
  const stepped = { window: 10, tail: 5 }

  test('the older edge is the beginning of the tile of t - window', () => {
    expect(held(stepped, { minutes: [-0.1, 0, 3, 4, 13] })).toEqual([1, 2, 3, 4])
    expect(held({ ...stepped, delay: 5 }, { minutes: [-0.1, 0, 3, 18] })).toEqual([1, 2])
  })

  // M = 100, S = 5 + 10: tiles before that of minute 85 are gone. t - window = 80.
  const far = { minutes: [80, 84, 85, 100, 90], allowed: 5 }

  test('an event later than allowed does not see tiles that nobody else needs', () => {
    expect(held(stepped, far)).toEqual([2, 4])
    expect(held(stepped, { ...far, allowed: 9 })).toEqual([0, 1, 2, 4])
  })

  test('how far back is needed: the longest window with its delay that has the same tail', () => {
    const among = (beside: Wanted) => held(stepped, { ...far, beside: [beside] })
    expect(among({ window: 6, delay: 5, tail: 5, op: 'fraud_rate' })).toEqual([0, 1, 2, 4])
    expect(among({ window: 60, tail: 4 })).toEqual([2, 4])
    expect(among({ window: 60 })).toEqual([2, 4])
  })

  test('with a delay only tiles that are over at t - delay are in', () => {
    const delayed = { ...stepped, delay: 10 }
    expect(held(delayed, { minutes: [-1, 0, 9.9, 10, 11, 12, 22] })).toEqual([1, 2])
    expect(held(delayed, { minutes: [0, 14.9, 15, 25], newest: 1, max: 1 })).toEqual([1])
  })

  // Tile 0: 3 and 4. Tile 1: 5.5, 8, 7 and the own row at minute 6.
  const mixed = { minutes: [3, 5.5, 8, 4, 7, 6] }

  test('without one the newest rows are in one by one, never from ahead', () => {
    expect(held(stepped, mixed)).toEqual([0, 1, 3, 5])
  })

  test('older rows are in by whole groups, whose rows must all be at or before t', () => {
    expect(held(stepped, { ...mixed, newest: 4 })).toEqual([0, 1, 3, 5])
    expect(held(stepped, { ...mixed, newest: 2 })).toEqual([0, 3, 5])
    expect(held(stepped, { minutes: [3, 6, 4, 6], newest: 1 })).toEqual([0, 1, 2, 3])
  })

  test('current: false leaves out the own row and moves nothing', () => {
    const before = { ...stepped, current: false }
    expect(held(before, { ...mixed, newest: 2 })).toEqual([0, 3])
    expect(held(before, { minutes: [3, 5.5, 8, 5.7, 6], newest: 1 })).toEqual([0])
  })

  test('no ceiling on records', () => {
    expect(held(stepped, { minutes: [1, 2, 3, 4], max: 1, newest: 1 })).toEqual([0, 1, 2, 3])
  })

  test('labels lie in the tiles of the transactions', () => {
    const labels = [{ at: -0.1 }, { at: 0 }, { at: 3 }, { at: 4, known: 13 }, { at: 5, known: 14 }]
    expect(frauds(stepped, { minutes: [13], labels })).toBe(3)
    const late = { minutes: [23, 13], labels: [{ at: 4 }, { at: 13 }], allowed: 0 }
    expect(frauds(stepped, late)).toBe(1)
    const ahead = [{ at: 5.5 }, { at: 8, known: 0 }]
    expect(frauds(stepped, { minutes: [6], labels: ahead })).toBe(1)
    const delayed = [{ at: 9, known: 22 }, { at: 9, known: 23 }, { at: 11 }]
    expect(frauds({ ...stepped, delay: 10 }, { minutes: [22], labels: delayed })).toBe(1)
  })

  test('labels are cut by the newest event time among them and by features of labels with the same tail', () => {
    // ML = 30, SL = 0 + 10: tiles before that of minute 20 are gone.
    const world = { minutes: [13], labels: [{ at: 3 }, { at: 30 }], allowed: 0 }
    const among = (beside: Wanted) => frauds(stepped, { ...world, beside: [beside] })
    expect(frauds(stepped, world)).toBe(0)
    for (const op of labelOps) expect(among({ window: 20, delay: 10, tail: 5, op })).toBe(1)
    expect(among({ window: 30, tail: 4, op: 'fraud_rate' })).toBe(0)
    expect(among({ window: 30, tail: 5 })).toBe(0)
    expect(among({ window: 30, op: 'fraud_rate' })).toBe(0)
  })

  test('the newest labels count once per transaction, older ones each', () => {
    const labels = ['a', 'a', 'b', 'a', 'a'].map((of) => ({ of, at: 1 }))
    expect(frauds(stepped, { minutes: [6], labels })).toBe(2)
    expect(frauds(stepped, { minutes: [6], labels, newest: 3 })).toBe(4)
    expect(frauds(stepped, { minutes: [6], labels, newest: 2 })).toBe(4)
    expect(frauds(stepped, { minutes: [6], labels, newest: 1 })).toBe(5)
  })

  test('older labels count by whole groups, which must all be known and not ahead', () => {
    const unknown = [{ at: 1 }, { at: 2, known: 7 }, { at: 2 }, { at: 2 }]
    expect(frauds(stepped, { minutes: [6], labels: unknown })).toBe(3)
    expect(frauds(stepped, { minutes: [6], labels: unknown, newest: 3 })).toBe(3)
    expect(frauds(stepped, { minutes: [6], labels: unknown, newest: 2 })).toBe(2)
    const ahead = [{ at: 5.5 }, { at: 8, known: 0 }, { at: 5.6 }]
    expect(frauds(stepped, { minutes: [6], labels: ahead, newest: 1 })).toBe(1)
    expect(frauds(stepped, { minutes: [6], labels: [{ at: 6 }, { at: 6 }], newest: 1 })).toBe(2)
  })
})

describe('naive windows - last and seconds_since_last', () => {
  test.each(['last', 'seconds_since_last'] as const)('%s looks at the newest rows before', (op) => {
    const previous = { op, window: 10, current: false }
    const minutes = [1, 2, 5, 3, 4]
    expect(held(previous, { minutes, newest: 2 })).toEqual([3])
    expect(held(previous, { minutes, newest: 3 })).toEqual([1, 3])
    expect(held({ ...previous, window: 2 }, { minutes, newest: 3 })).toEqual([3])
    expect(held({ ...previous, window: 1.5 }, { minutes: [3, 5, 4] })).toEqual([0])
  })

  test('neither the ceiling nor lateness hides them', () => {
    const previous = { op: 'last', window: 10, current: false } as const
    const world = { minutes: [84, 100, 90], max: 1, allowed: 0, beside: [{ window: 1 }] }
    expect(held(previous, world)).toEqual([0])
  })

  test('with a delay they are exact windows', () => {
    const delayed = { op: 'last', window: 10, delay: 10, current: false } as const
    expect(held(delayed, { minutes: [1, 2, 3, 20], newest: 1 })).toEqual([0, 1, 2])
    expect(held(delayed, { minutes: [1, 2, 3, 20], max: 2 })).toEqual([2])
  })
})

describe('naive windows - saturated', () => {
  const exact = { window: 10 }
  const stepped = { window: 10, tail: 5 }
  const last = { op: 'last', window: 10, current: false } as const

  test('says when the ceiling may hide rows of an exact window', () => {
    expect(saturated(exact, { minutes: [1, 2, 3], max: 3 })).toBe(false)
    expect(saturated(exact, { minutes: [1, 2, 3, 4], max: 3 })).toBe(true)
    expect(saturated(exact, { minutes: [1, 2, 3, 12], max: 3 })).toBe(false)
    expect(saturated(exact, { minutes: [1, 2, 3, 11.9], max: 3 })).toBe(true)
    // A hidden row may be younger than the oldest that is visible.
    expect(saturated(exact, { minutes: [3, 2, 2, 12], max: 3 })).toBe(true)
  })

  test('counts the delay, and the longest exact window only', () => {
    const world = { minutes: [1, 2, 3, 12], max: 3 }
    expect(saturated({ ...exact, delay: 1 }, world)).toBe(true)
    expect(saturated(exact, { ...world, beside: [{ window: 11, op: 'fraud_rate' }] })).toBe(true)
    expect(saturated(exact, { ...world, beside: [{ window: 60, tail: 5 }] })).toBe(false)
    expect(saturated(exact, { ...world, beside: [{ ...last, window: 60 }] })).toBe(false)
    for (const other of [stepped, last]) {
      expect(saturated(other, { minutes: [1, 2, 3, 4], max: 3 })).toBe(false)
    }
  })

  test("says when the event is later than allowed behind its entity's newest", () => {
    for (const any of [exact, stepped, last, { ...stepped, delay: 5 }]) {
      expect(saturated(any, { minutes: [10, 4.9], allowed: 5 })).toBe(true)
      expect(saturated(any, { minutes: [10, 5], allowed: 5 })).toBe(false)
    }
  })

  test('says when a row behind the newest is younger than the event', () => {
    const world = { minutes: [10, 9, 9] }
    for (const blurred of [stepped, last]) {
      expect(saturated(blurred, { ...world, newest: 2 })).toBe(true)
      expect(saturated(blurred, { ...world, newest: 3 })).toBe(false)
      expect(saturated(blurred, { minutes: [9, 9, 9], newest: 1 })).toBe(false)
    }
    for (const clear of [exact, { ...stepped, delay: 5 }, { ...last, delay: 5 }]) {
      expect(saturated(clear, { ...world, newest: 1 })).toBe(false)
    }
  })

  test('is never set by labels, nor for an entity without windows', () => {
    const labels = [{ at: 1 }, { at: 900 }, { at: 2 }, { at: 3 }]
    const rate = { ...exact, op: 'fraud_rate' } as const
    expect(saturated(rate, { minutes: [4], labels, max: 1, newest: 1, allowed: 0 })).toBe(false)
    const idle = viewOf([], { minutes: [10, 4], max: 1, newest: 1, allowed: 0 })
    expect(isSaturated(idle)).toBe(false)
  })
})
