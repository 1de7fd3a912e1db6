// What counts as evidence, and what does not.

import { describe, expect, it } from 'vitest'
import type { Label } from '../../services/pipeline/records.ts'
import { EvidenceBook } from '../../services/rollout/evidence-book.ts'
import type { Trial } from '../../services/rollout/trial.ts'
import { rolloutRules } from '../support/pipelines.ts'
import { eventOf } from './scored-events.ts'

const trial: Trial = {
  champion: { name: 'test', version: '1' },
  challenger: { name: 'test', version: '2' },
  share: 0,
  sinceEpoch: 3,
  sinceMs: 0,
  stepEpoch: 3,
  stepMs: 0,
  isRolledBack: false,
}
const reviewFrom = 0.5
const bookOf = (over: Partial<Trial> = {}) =>
  new EvidenceBook({ ...trial, ...over }, rolloutRules({ latencyRatioMax: 3 }), reviewFrom)

const labelOf = (transactionId: string, isFraud = true): Label => ({
  transactionId,
  eventTime: 0,
  customerId: 'C1',
  terminalId: 'T1',
  isFraud,
  labelTime: 1000,
  source: 'chargeback',
})

describe('evidence book', () => {
  it('counts both sides, whoever decides, and failures', () => {
    const book = bookOf()
    book.meet(eventOf({ id: 'a', atMs: 10, epoch: 3, champion: 0.6, challenger: 0.7 }))
    book.meet(eventOf({ id: 'b', atMs: 11, epoch: 3, champion: 0.6, challenger: 0.1 }))
    book.meet(eventOf({ id: 'c', atMs: 12, epoch: 4, challenger: 0.9, isCanary: true }))
    book.meet(eventOf({ id: 'd', atMs: 13, epoch: 4, challenger: null }))
    const { counts, step } = book.evidenceAt(20)
    expect(counts).toMatchObject({
      events: 3,
      failed: 1,
      flaggedByBoth: 1,
      flaggedByChampion: 1,
      flaggedByChallenger: 1,
    })
    expect(step).toEqual({ events: 4, ageMs: 20 })
  })

  it('ignores events from before the trial', () => {
    const book = bookOf()
    book.meet(eventOf({ id: 'a', atMs: 10, epoch: 2, challenger: null }))
    expect(book.evidenceAt(20).counts).toMatchObject({ events: 0, failed: 0 })
  })

  it('counts a run once for all of its events', () => {
    const book = bookOf()
    for (const id of ['a', 'b', 'c']) book.meet(eventOf({ id, atMs: 10, epoch: 3, times: [1, 2] }))
    book.meet(eventOf({ id: 'd', atMs: 11, epoch: 3, times: [1.5, 6] }))
    expect(book.evidenceAt(20).counts).toMatchObject({
      runs: 2,
      slowRuns: 1,
      championMs: 2.5,
      challengerMs: 8,
    })
  })

  it('a label tells of a flip once; a label without fraud and one without a flip tell nothing', () => {
    const book = bookOf()
    book.meet(eventOf({ id: 'a', atMs: 10, epoch: 3, champion: 0.6, challenger: 0.1 }))
    book.meet(eventOf({ id: 'b', atMs: 11, epoch: 3, champion: 0.1, challenger: 0.8 }))
    book.meet(eventOf({ id: 'c', atMs: 12, epoch: 3, champion: 0.6, challenger: 0.8 }))
    for (const label of [labelOf('a'), labelOf('a'), labelOf('b', false), labelOf('c')]) {
      book.meetLabel(label)
    }
    expect(book.evidenceAt(20).counts).toMatchObject({ fraudsByChampion: 1, fraudsByChallenger: 0 })
    book.meetLabel(labelOf('b'))
    expect(book.evidenceAt(20).counts).toMatchObject({ fraudsByChampion: 1, fraudsByChallenger: 1 })
  })

  it('a canary hears silence, the shadow only scorers that pass its roster over', () => {
    const canary = bookOf({ share: 0.25, stepMs: 1000 })
    expect(canary.evidenceAt(5000).silentMs).toBe(4000)
    canary.meet(eventOf({ id: 'a', atMs: 4000, epoch: 3 }))
    expect(canary.evidenceAt(5000).silentMs).toBe(1000)
    const shadow = bookOf({ stepMs: 1000 })
    expect(shadow.evidenceAt(900_000).silentMs).toBe(0)
    shadow.meet(eventOf({ id: 'b', atMs: 400_000, epoch: 2 }))
    expect(shadow.evidenceAt(900_000).silentMs).toBe(399_000)
  })

  it('gives each minute once when it is over, and they add up to the whole', () => {
    const book = bookOf()
    for (let i = 0; i < 300; i++) book.meet(eventOf({ id: `e${i}`, atMs: i * 1000, epoch: 3 }))
    expect(book.takeMinutes(64_999)).toEqual([])
    const first = book.takeMinutes(65_000)
    const rest = book.takeMinutes(1_000_000)
    const minutes = [...first, ...rest]
    expect(minutes.map(({ startMs }) => startMs / 60_000)).toEqual([0, 1, 2, 3, 4])
    expect(minutes.reduce((sum, { counts }) => sum + counts.events, 0)).toBe(300)
    expect(book.takeMinutes(2_000_000)).toEqual([])
    expect(book.evidenceAt(0).counts.events).toBe(300)
  })

  it('a new step keeps the evidence and begins to count its own events', () => {
    const book = bookOf()
    book.meet(eventOf({ id: 'a', atMs: 10, epoch: 3 }))
    book.beginStep({ ...trial, share: 0.01, stepEpoch: 4, stepMs: 50 })
    book.meet(eventOf({ id: 'b', atMs: 60, epoch: 3 }))
    book.meet(eventOf({ id: 'c', atMs: 61, epoch: 4 }))
    const { counts, step } = book.evidenceAt(100)
    expect(counts.events).toBe(3)
    expect(step).toEqual({ events: 1, ageMs: 50 })
  })
})
