// Which orders of labels are possible: by hand, where everything fits on a page.

import { describe, expect, it } from 'vitest'
import { limits } from '../../../services/core/limits.ts'
import {
  beginAnywhere,
  isFirm,
  type LabelBook,
  type LabelOrder,
  ordersOf,
  type PlacedLabel,
  shelveLabels,
} from '../../../services/parity/labels/label-orders.ts'
import { offsetOfSource, SOURCE } from '../../../services/pipeline/enrich/entity-log.ts'
import { planFeatures } from '../../../services/pipeline/enrich/feature-plan.ts'
import { fraudLabelOf, transactionOf } from '../../support/batches.ts'
import { customer, DAY_MS, pipelineOf, terminal, windowFeature } from '../../support/pipelines.ts'

const definition = pipelineOf({
  entities: [customer, terminal],
  features: [windowFeature({ entity: 'terminal', op: 'fraud_rate', windowMs: DAY_MS })],
})

/** A fraud label at this offset, known at this time. */
const label = (partition: number, offset: number, labelTime: number): PlacedLabel => ({
  partition,
  offset,
  label: fraudLabelOf(transactionOf({ transactionId: `t${offset}` }), { labelTime }),
})

function bookOf(labels: readonly PlacedLabel[]): LabelBook {
  const shelf = shelveLabels(labels, planFeatures(definition))
  expect([...shelf.keys()]).toEqual(['terminal.labels'])
  return shelf.get('terminal.labels')!.get('p-0')!
}

/** An order as the offsets of its labels, and what came before them unread. */
const written = ({ log }: LabelOrder): string => {
  const offsets = Array.from({ length: log.count }, (_, row) =>
    offsetOfSource(log.rows[row * log.stride + SOURCE]!),
  )
  return `${log.base}: ${offsets.join(' ')}`
}

describe('label orders - possible orders', () => {
  it('one partition has one order, its own, whatever the times say', () => {
    const book = bookOf([label(0, 1, 300), label(0, 2, 100), label(0, 3, 200)])
    expect(ordersOf(book, 2).map(written)).toEqual(['0: 1 2'])
    expect(ordersOf(book, 3).map(written)).toEqual(['0: 1 2 3'])
    expect(book.isCut).toBe(false)
  })

  it('two partitions have every order that keeps their own, the likeliest first', () => {
    const book = bookOf([label(0, 1, 100), label(0, 2, 300), label(1, 11, 200), label(1, 12, 400)])
    expect(ordersOf(book, 1).map(written)).toEqual(['0: 1', '0: 11'])
    expect(ordersOf(book, 2).map(written)).toEqual(['0: 1 11', '0: 1 2', '0: 11 1', '0: 11 12'])
    expect(ordersOf(book, 4)).toHaveLength(6)
  })

  it('of many with the same labels the likeliest stays, which is firm from there on', () => {
    const labels = [0, 1].flatMap((partition) =>
      Array.from({ length: 5 }, (_, i) => label(partition, 100 * partition + i, 2 * i + partition)),
    )
    const book = bookOf(labels)
    const orders = ordersOf(book, 10)
    expect(orders.length).toBeLessThanOrEqual(32)
    expect(written(orders[0]!)).toBe('0: 0 100 1 101 2 102 3 103 4 104')
    for (const order of orders) {
      expect(order.firmFrom).toBeGreaterThan(0)
      const { firmFrom } = order
      expect(isFirm(book, order, firmFrom, limits)).toBe(true)
      // Which labels are the first of those is a guess, and a ceiling asks for just that.
      expect(isFirm(book, order, firmFrom - 1, limits)).toBe(false)
      const ceilings = { ...limits, entityRecordsMax: 10 - (firmFrom - 1) }
      expect(isFirm(book, order, 10, ceilings)).toBe(false)
    }
  })

  it('what was ruled out does not come back', () => {
    const book = bookOf([label(0, 1, 100), label(0, 2, 300), label(1, 11, 200), label(1, 12, 400)])
    book.orders = ordersOf(book, 1).filter((order) => written(order) === '0: 11')
    expect(ordersOf(book, 2).map(written)).toEqual(['0: 11 1', '0: 11 12'])
  })

  it('an event may see less than one before it did', () => {
    const book = bookOf([label(0, 1, 100), label(0, 2, 300)])
    ordersOf(book, 2)
    expect(ordersOf(book, 1).map(written)).toEqual(['0: 1 2'])
  })

  it('nobody sees more labels than there are, and the book is good all the same', () => {
    const book = bookOf([label(0, 1, 100)])
    expect(ordersOf(book, 2)).toEqual([])
    expect(ordersOf(book, 1).map(written)).toEqual(['0: 1'])
  })

  it('says so when there were more orders than it follows', () => {
    const labels = [0, 1, 2, 3].flatMap((partition) =>
      Array.from({ length: 12 }, (_, i) => label(partition, 100 * partition + i, i)),
    )
    const book = bookOf(labels)
    expect(ordersOf(book, 5).length).toBeLessThan(256)
    expect(book.isCut).toBe(false)
    expect(ordersOf(book, 24)).toHaveLength(256)
    expect(book.isCut).toBe(true)
  })

  it('a log whose beginning is not known may begin with any of its labels in sight', () => {
    const book = bookOf([label(0, 1, 100), label(0, 2, 300)])
    beginAnywhere(book, 5)
    expect(ordersOf(book, 5).map(written)).toEqual(['5: ', '4: 1', '3: 1 2'])
    expect(ordersOf(book, 6).map(written)).toEqual(['5: 1', '4: 1 2'])
  })
})
