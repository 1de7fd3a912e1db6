// The books of a process: the conservation equation under random receive, commit and abandon,
// against lanes that count by themselves what they hold.

import { describe, expect, it } from 'vitest'
import { createLedger, type StreamBooks } from '../../../services/adapters/prometheus/ledger.ts'
import { streams } from '../../../services/pipeline/records.ts'
import { createLanes, oneOfEach, seededNumbers } from './story.ts'

const seeds = Array.from({ length: 100 }, (_, index) => 1000 + index)

function isBalanced(books: StreamBooks, inFlight: number): boolean {
  const { received, scored, labels, rejected, diverted } = books
  const byCode = Object.values(books.rejectedByCode).reduce((sum, events) => sum + events, 0)
  return (
    received === scored + labels + rejected + diverted + inFlight &&
    books.inFlight === inFlight &&
    books.difference === 0 &&
    byCode === rejected
  )
}

describe('ledger', () => {
  it.each(seeds)('balances at every step and at the end (seed %i)', (seed) => {
    const ledger = createLedger()
    const lanes = createLanes(seededNumbers(seed), ledger.enter)
    ledger.watchInFlight(lanes.countInFlight)
    const expectBalance = (step: number | string) => {
      for (const stream of streams) {
        const books = ledger.read(stream)
        const inFlight = lanes.countInFlight(stream)
        if (!isBalanced(books, inFlight)) expect({ step, books }).toBe(`balanced at ${inFlight}`)
      }
    }
    for (let step = 0; step < 200; step++) {
      lanes.step()
      expectBalance(step)
    }
    lanes.drain()
    expectBalance('end')
    const { received, abandoned, inFlight } = ledger.read('transactions')
    expect(inFlight).toBe(0)
    expect(received).toBeGreaterThan(0)
    expect(abandoned).toBeGreaterThan(0)
  })

  it('receives a redelivery once', () => {
    const ledger = createLedger()
    ledger.enter({ kind: 'received', stream: 'transactions', events: 998 })
    ledger.enter({ ...oneOfEach.abandoned, events: 998 })
    expect(ledger.read('transactions')).toMatchObject({ received: 0, inFlight: 0, abandoned: 998 })
    ledger.enter({ kind: 'received', stream: 'transactions', events: 998 })
    ledger.enter(oneOfEach.committed)
    const { received, scored, rejected, diverted } = ledger.read('transactions')
    expect({ received, scored, rejected, diverted }).toEqual({
      received: 998,
      scored: 985,
      rejected: 10,
      diverted: 3,
    })
  })

  it('shows an event that was lost between intake and commit', () => {
    const ledger = createLedger()
    ledger.watchInFlight(() => 0)
    ledger.enter({ kind: 'received', stream: 'transactions', events: 999 })
    ledger.enter(oneOfEach.committed)
    expect(ledger.read('transactions').difference).toBe(1)
    expect(ledger.read('labels').difference).toBe(0)
  })

  it('shows an event that was counted twice, without a count of the lanes too', () => {
    const ledger = createLedger()
    ledger.enter({ kind: 'received', stream: 'transactions', events: 997 })
    ledger.enter(oneOfEach.committed)
    expect(ledger.read('transactions')).toMatchObject({ inFlight: 0, difference: -1 })
  })

  it('takes what is in flight from the books where nobody counts it', () => {
    const ledger = createLedger()
    ledger.enter({ kind: 'received', stream: 'labels', events: 5 })
    expect(ledger.read('labels')).toMatchObject({ received: 5, inFlight: 5, difference: 0 })
  })
})
