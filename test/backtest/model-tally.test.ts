// What a draw measures, against copies: a unit of weight w is as if its events were there w times.

import { describe, expect, test } from 'vitest'
import { rankCards } from '../../services/backtest/card-precision.ts'
import { createModelTally } from '../../services/backtest/model-tally.ts'
import { binOf, measureBins } from '../../services/backtest/score-bins.ts'
import { groupScores } from '../../services/backtest/unit-scores.ts'
import { createUnitSums } from '../../services/backtest/unit-sums.ts'
import { createRanking } from '../../services/statistics/ranking-measures.ts'
import { createRandom } from '../support/random.ts'

const thresholds = { review: 0.5, block: 0.8 }
const costs = { reviewMinor: 300, falseBlockMinor: 1500, lostShare: 0.8 }

type Event = {
  readonly day: number
  readonly customer: number
  readonly score: number
  readonly isFraud: boolean | null
  readonly amountMinor: number
}

/** Scores on a coarse grid, so that each has a bin of its own and many are tied. */
function randomEvents(seed: number, customers = 12, length = 500): Event[] {
  const random = createRandom(seed)
  return Array.from({ length }, (_, i) => {
    const isFraud = random.integer(0, 9) === 0
    return {
      day: Math.floor((i * 8) / length),
      customer: random.integer(0, customers - 1),
      score: Math.fround(Math.min(20, random.integer(0, 15) + (isFraud ? 6 : 0)) / 20),
      isFraud: random.integer(0, 9) === 0 ? null : isFraud,
      amountMinor: random.integer(1, 90_000),
    }
  })
}

function randomWeights(seed: number, units: number): Uint32Array {
  const random = createRandom(seed + 1000)
  return Uint32Array.from({ length: units }, () => random.integer(0, 3))
}

const copies = <T>(events: readonly T[], times: (event: T) => number): T[] =>
  events.flatMap((event) => new Array<T>(times(event)).fill(event))

describe.each([1, 2, 3, 4])('a draw, seed %i', (seed) => {
  const events = randomEvents(seed)
  const known = events.filter(({ isFraud }) => isFraud !== null)
  const weights = randomWeights(seed, 12)

  test('unit scores - rank as copies of the events do, exactly', () => {
    const scores = groupScores({
      count: known.length,
      unitAt: (i) => known[i]!.customer,
      binAt: (i) => binOf(known[i]!.score),
      isFraudAt: (i) => known[i]!.isFraud === true,
    })
    const ranking = createRanking()
    for (const { score, isFraud } of copies(known, ({ customer }) => weights[customer]!)) {
      ranking.add(score, isFraud === true)
    }
    const { rocAuc, averagePrecision } = ranking.measure()
    const found = measureBins(scores.weigh(weights))
    expect(found.rocAuc).toBeCloseTo(rocAuc!, 12)
    expect(found.averagePrecision).toBeCloseTo(averagePrecision!, 12)
  })

  test('unit sums - catch and cost as filters over copies do', () => {
    const sums = createUnitSums(thresholds, costs)
    for (const { customer, score, isFraud, amountMinor } of events) {
      sums.add(customer, score, isFraud, amountMinor)
    }
    const copied = copies(events, ({ customer }) => weights[customer]!)
    const frauds = copied.filter(({ isFraud }) => isFraud === true)
    const missed = frauds.filter(({ score }) => score < 0.5)
    const looks = copied.filter(({ score }) => score >= 0.5 && score < Math.fround(0.8))
    const blocks = copied.filter(({ score, isFraud }) => score >= 0.8 && isFraud === false)
    const lost = missed.reduce((sum, { amountMinor }) => sum + amountMinor, 0) * 0.8
    expect(sums.measure(weights)).toEqual({
      recallAtReview: (frauds.length - missed.length) / frauds.length,
      recallAtBlock: frauds.filter(({ score }) => score >= 0.8).length / frauds.length,
      costMinor: Math.round(looks.length * 300 + blocks.length * 1500 + lost),
    })
  })

  test('card precision - of weighed customers is that of as many cards', () => {
    const named = known.map((event) => ({ ...event, id: `c${event.customer + 10}` }))
    const ids = Array.from({ length: 12 }, (_, i) => `c${i + 10}`)
    const cards = rankCards(toCardEvents(named, ids), 5)
    const copied = named.flatMap((event) =>
      Array.from({ length: weights[event.customer]! }, (_, copy) => ({
        ...event,
        id: `${event.id}#${copy}`,
      })),
    )
    const copiedIds = [...new Set(copied.map(({ id }) => id))]
    const expected = rankCards(toCardEvents(copied, copiedIds), 5).measure()
    const found = cards.measure(weights)
    expect(found.days).toEqual(expected.days)
    expect(expected.days.some(({ precision }) => precision > 0)).toBe(true)
  })
})

const toCardEvents = (
  events: readonly (Omit<Event, 'customer'> & { readonly id: string })[],
  customerIds: readonly string[],
) => ({
  count: events.length,
  customerIds,
  dayAt: (i: number) => events[i]!.day,
  customerAt: (i: number) => customerIds.indexOf(events[i]!.id),
  scoreAt: (i: number) => events[i]!.score,
  isFraudAt: (i: number) => events[i]!.isFraud === true,
})

describe('models', () => {
  const model = (version: string) => ({ name: 'm', version, sha256: '', provider: 'cpu' })

  function tally(scores: readonly ((event: Event) => number)[], customers = 60) {
    const models = createModelTally(thresholds, costs)
    models.meet(scores.map((_, i) => model(String(i + 1))))
    for (const event of randomEvents(9, customers, 2000)) {
      const { customer, ...rest } = event
      models.add({ ...rest, customerId: `c${customer}` }, (i) => scores[i]!(event))
    }
    return models.measure()
  }
  const own = ({ score }: Event): number => score
  const sharper = ({ score, isFraud }: Event): number => (isFraud === true ? 0.9 : score * 0.5)

  test('models - are measured beside each other, with ranges by days and by customers', () => {
    const [champion, better, same] = tally([own, sharper, own]).models
    expect(champion!.difference).toBeNull()
    expect(better).toMatchObject({ role: 'challenger', rocAuc: 1, recallAtBlock: 1 })
    for (const by of ['days', 'customers'] as const) {
      const { from, to } = champion!.intervals[by]!.averagePrecision!
      expect(from).toBeLessThan(champion!.averagePrecision!)
      expect(to).toBeGreaterThan(champion!.averagePrecision!)
      expect(better!.difference![by]!.averagePrecision!.from).toBeGreaterThan(0)
      expect(better!.difference![by]!.costMinor!.to).toBeLessThan(0)
      expect(same!.difference![by]!.costMinor).toEqual({ from: 0, to: 0 })
      expect(same!.difference![by]!.cardPrecisionAt100).toEqual({ from: 0, to: 0 })
    }
  })

  test('models - have no range by customers where there are fewer than 30', () => {
    const [champion] = tally([own], 29).models
    expect(champion!.intervals.customers).toBeNull()
    expect(champion!.intervals.days!.rocAuc).not.toBeNull()
  })

  test('models - tell the ROC AUC of a day as if there were no other', () => {
    const { rocAucOf } = tally([own])
    const ranking = createRanking()
    for (const { day, score, isFraud } of randomEvents(9, 60, 2000)) {
      if (day === 3 && isFraud !== null) ranking.add(score, isFraud)
    }
    expect(rocAucOf(3)).toBeCloseTo(ranking.measure().rocAuc!, 12)
  })
})
