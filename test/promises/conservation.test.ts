// Promise 2: received = scored + rejected + diverted + in flight, at every moment and at the end.
//
// The books are those that /metrics and /health/ready show, proved against the lanes' own count of
// what is in flight, at every signal of random runs full of trouble.

import { describe, expect, it } from 'vitest'
import { createLedger, type Ledger } from '../../services/adapters/prometheus/ledger.ts'
import type { Signal } from '../../services/pipeline/observe/signals.ts'
import { streams } from '../../services/pipeline/records.ts'
import { noTrouble, runTroubled, type Trouble } from '../support/troubled-run.ts'

const SEEDS = 60

const everything: Trouble = {
  ...noTrouble,
  doubt: 0.3,
  storeFailure: 0.1,
  modelFailure: 0.1,
  away: 0.1,
  move: 0.05,
}

function openBooks() {
  const ledgers = [createLedger(), createLedger()]
  let looks = 0
  const check = (ledger: Ledger, place: string): void => {
    looks++
    for (const stream of streams) {
      const { difference } = ledger.read(stream)
      if (difference !== 0) throw new Error(`${place}: ${stream} differ by ${difference}`)
    }
  }
  return { ledgers, check, looks: () => looks }
}

async function runWithBooks(seed: number, trouble: Trouble) {
  const books = openBooks()
  const observe = (scorer: number) => (signal: Signal) => {
    books.ledgers[scorer]!.enter(signal)
  }
  const run = await runTroubled(seed, trouble, {
    observe,
    started: ({ scorers }) => {
      for (const [i, { conductor }] of scorers.entries()) {
        books.ledgers[i]!.watchInFlight(conductor.eventsInFlight)
      }
    },
    eachTurn: () => {
      for (const [i, ledger] of books.ledgers.entries()) books.check(ledger, `seed ${seed}, ${i}`)
    },
  })
  for (const [i, ledger] of books.ledgers.entries()) books.check(ledger, `seed ${seed}, end ${i}`)
  return { ...run, ...books }
}

describe('conservation', () => {
  it('holds at every moment of a run full of trouble, in the books of every scorer', async () => {
    let looks = 0
    for (let seed = 1; seed <= SEEDS; seed++) {
      const run = await runWithBooks(seed, everything)
      looks += run.looks()
      for (const ledger of run.ledgers) {
        for (const stream of streams) expect(ledger.read(stream).inFlight).toBe(0)
      }
    }
    expect(looks).toBeGreaterThan(SEEDS * 20)
  })

  it('the books of a lone scorer are what readers of the topics see', async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const lone = { ...noTrouble, doubt: 0.3, storeFailure: 0.1, modelFailure: 0.1 }
      const { ledgers, broker, lanes } = await runWithBooks(seed, lone)
      const books = ledgers[0]!.read('transactions')
      const labels = ledgers[0]!.read('labels')
      const rejected = books.rejected + labels.rejected
      const place = `seed ${seed}`
      expect(books.scored, place).toBe(broker.published('scored').length)
      expect(rejected, place).toBe(broker.published('rejected').length)
      expect(books.diverted, place).toBe(broker.published('late').length)
      const sent = lanes.reduce((sum, { messages }) => sum + messages.length, 0)
      expect(books.received + labels.received, place).toBe(sent)
      const { scored, diverted } = books
      expect(scored + diverted + rejected + labels.labels, place).toBe(sent)
    }
  })
})
