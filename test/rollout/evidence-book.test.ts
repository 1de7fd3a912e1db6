// What counts as evidence, and what does not.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Label } from '../../services/pipeline/records.ts'
import { EvidenceBook, type Minute } from '../../services/rollout/evidence-book.ts'
import { ReadFrontier } from '../../services/rollout/read-frontier.ts'
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
      book.meetLabel(label, 1000)
    }
    expect(book.evidenceAt(20).counts).toMatchObject({ fraudsByChampion: 1, fraudsByChallenger: 0 })
    book.meetLabel(labelOf('b'), 2000)
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

  it('gives each minute once when it is passed, and they add up to the whole', () => {
    const book = bookOf()
    for (let i = 0; i < 300; i++) book.meet(eventOf({ id: `e${i}`, atMs: i * 1000, epoch: 3 }))
    expect(book.takeMinutes(59_999)).toEqual([])
    const first = book.takeMinutes(60_000)
    const rest = book.takeMinutes(1_000_000)
    const minutes = [...first, ...rest]
    expect(minutes.map(({ startMs }) => startMs / 60_000)).toEqual([0, 1, 2, 3, 4])
    expect(minutes.reduce((sum, { counts }) => sum + counts.events, 0)).toBe(300)
    expect(book.takeMinutes(2_000_000)).toEqual([])
    expect(book.evidenceAt(0).counts.events).toBe(300)
  })

  it('counts an event that comes after its minute was given, and gives the minute no second time', () => {
    const book = bookOf()
    book.takeMinutes(120_000)
    book.meet(eventOf({ id: 'a', atMs: 60_000, epoch: 3 }))
    expect(book.takeMinutes(1_000_000)).toEqual([])
    expect(book.evidenceAt(0).counts.events).toBe(1)
  })

  it('counts a fraud whose label is read before its event', () => {
    const book = bookOf()
    book.meetLabel(labelOf('a'), 70_000)
    book.meet(eventOf({ id: 'a', atMs: 10, epoch: 3, champion: 0.6, challenger: 0.1 }))
    expect(book.evidenceAt(20).counts).toMatchObject({ fraudsByChampion: 1 })
    expect(
      book.takeMinutes(1_000_000).map(({ startMs, counts }) => [startMs, counts.fraudsByChampion]),
    ).toEqual([
      [0, 0],
      [60_000, 1],
    ])
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

  it('counts an event of a step that came before the word of its roster', () => {
    const book = bookOf()
    book.meet(eventOf({ id: 'a', atMs: 40, epoch: 4 }))
    book.beginStep({ ...trial, share: 0.01, stepEpoch: 4, stepMs: 50 })
    expect(book.evidenceAt(100).step.events).toBe(1)
  })
})

type Told =
  | { readonly event: ReturnType<typeof eventOf> }
  | { readonly label: Label; readonly atMs: number }
type Streams = readonly (readonly Told[])[]
const timeOf = (told: Told): number => ('event' in told ? told.event.scoredTime : told.atMs)

/** Runs whose events lie in two partitions, a little out of order; flips and their labels. */
function worldOf(runs: readonly RunWish[]): Streams {
  const streams: Told[][] = [[], [], [], []]
  for (const [i, { gapMs, skewMs, partition, challenger, isFraud }] of runs.entries()) {
    const atMs = 20_000 + runs.slice(0, i + 1).reduce((sum, run) => sum + run.gapMs, -gapMs)
    const times = [1 + i / 7, 2 + i / 3] as const
    for (const where of [partition, (partition + 1) % 3]) {
      const id = `${i}-${where}`
      const event = eventOf({
        id,
        atMs: atMs - (where === partition ? skewMs : 0),
        epoch: 3 + (i % 2),
        champion: 0.6,
        challenger,
        times,
      })
      streams[where]!.push({ event })
      if (isFraud) streams[3]!.push({ label: labelOf(id), atMs: atMs + 90_000 })
    }
  }
  return streams
}

type RunWish = {
  readonly gapMs: number
  readonly skewMs: number
  readonly partition: number
  readonly challenger: number | null
  readonly isFraud: boolean
}
const runWish: fc.Arbitrary<RunWish> = fc.record({
  gapMs: fc.constantFrom(0, 1, 997, 20_000, 61_000),
  skewMs: fc.constantFrom(0, 3, 14_000),
  partition: fc.constantFrom(0, 1, 2),
  challenger: fc.constantFrom(0.1, 0.1, 0.7, null),
  isFraud: fc.boolean(),
})

/** Reads all of it, stream by stream as `order` says, and takes minutes whenever it says so. */
function readAll(streams: Streams, order: readonly number[], rests: boolean) {
  const book = bookOf()
  const frontier = new ReadFrontier()
  frontier.follow(streams.map((_, i) => i))
  const next = streams.map(() => 0)
  const minutes: Minute[] = []
  const take = () => minutes.push(...book.takeMinutes(frontier.passedMs()))
  const endMs = Math.max(...streams.flat().map(timeOf)) + 1_000_000
  const step = (stream: number): boolean => {
    const told = streams[stream]![next[stream]!]
    if (told === undefined) return false
    next[stream]!++
    if ('event' in told) book.meet(told.event)
    else book.meetLabel(told.label, told.atMs)
    frontier.meet(stream, timeOf(told))
    if (rests && next[stream] === streams[stream]!.length) frontier.rest(stream, endMs)
    return true
  }
  for (const choice of order) {
    if (choice < 0) take()
    else if (choice < streams.length) step(choice)
  }
  for (const stream of streams.keys()) while (step(stream)) take()
  for (const stream of streams.keys()) frontier.rest(stream, endMs)
  take()
  return { counts: book.evidenceAt(0).counts, minutes }
}

describe('evidence, however it is read', () => {
  it('any interleaving of partitions gives the same counts and the same minutes, each once', () => {
    const order = fc.array(fc.constantFrom(-1, 0, 1, 2, 3), { maxLength: 200 })
    fc.assert(
      fc.property(
        fc.array(runWish, { minLength: 1, maxLength: 40 }),
        fc.array(fc.tuple(order, fc.boolean()), { minLength: 1, maxLength: 4 }),
        (runs, readings) => {
          const streams = worldOf(runs)
          const expected = readAll(streams, [], false)
          const starts = expected.minutes.map(({ startMs }) => startMs)
          expect(new Set(starts).size).toBe(starts.length)
          expect(expected.minutes.reduce((sum, { counts }) => sum + counts.events, 0)).toBe(
            expected.counts.events,
          )
          for (const [choices, rests] of readings) {
            expect(readAll(streams, choices, rests)).toEqual(expected)
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  it('a run counts once, live and when it is read again a fetch at a time', () => {
    const streams: Told[][] = [[], []]
    for (let s = 0; s < 300; s++) {
      const times = [1 + s / 1000, 2 + s / 1000] as const
      for (const k of [0, 1]) {
        streams[k]!.push({ event: eventOf({ id: `${k}-${s}`, atMs: s * 1000, epoch: 3, times }) })
      }
    }
    const live = Array.from({ length: 600 }, (_, i) => [i % 2, -1]).flat()
    const fetch = (k: number) => Array.from({ length: 200 }, () => [k, -1]).flat()
    const again = [fetch(0), fetch(1), fetch(0), fetch(1)].flat()
    for (const order of [live, again]) {
      const { counts, minutes } = readAll(streams, order, true)
      expect(counts).toMatchObject({ events: 600, runs: 300 })
      expect(minutes.map(({ startMs }) => startMs / 60_000)).toEqual([0, 1, 2, 3, 4])
      expect(minutes.map((minute) => minute.counts.runs)).toEqual([60, 60, 60, 60, 60])
    }
  })
})
