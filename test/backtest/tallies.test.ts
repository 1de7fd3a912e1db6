// Thresholds, costs, simulation, calibration, segments, drift: each against a plain filter or a
// known value.

import { describe, expect, test } from 'vitest'
import { chiSquare999, createFeatureDrift } from '../../services/backtest/feature-drift.ts'
import { createScoreTally } from '../../services/backtest/score-tally.ts'
import { createSegmentTally } from '../../services/backtest/segment-tally.ts'
import { createValueTally } from '../../services/backtest/value-tally.ts'
import { planKey } from '../../services/pipeline/entity-key.ts'
import {
  calibrationEdges,
  createCalibration,
  shareInterval,
} from '../../services/statistics/calibration.ts'
import { populationStability } from '../../services/statistics/population-stability.ts'
import { createRanking } from '../../services/statistics/ranking-measures.ts'
import { transactionOf } from '../support/batches.ts'
import { createRandom } from '../support/random.ts'

type Scored = { score: number; isFraud: boolean | null; amountMinor: number }

const costs = { reviewMinor: 300, falseBlockMinor: 1500, lostShare: 0.8 }
const thresholds = { review: 0.25, block: 0.75 }

function randomScored(seed: number, length = 800): Scored[] {
  const random = createRandom(seed)
  return Array.from({ length }, () => ({
    score: Math.fround(random.integer(0, 40) / 40),
    isFraud: random.integer(0, 5) === 0 ? null : random.integer(0, 4) === 0,
    amountMinor: random.integer(0, 90_000),
  }))
}

const sumOf = (rows: readonly Scored[]) => rows.reduce((sum, row) => sum + row.amountMinor, 0)

/** What a review threshold means, by filters over all rows. */
function naive(rows: readonly Scored[], review: number, block = thresholds.block) {
  const frauds = rows.filter(({ isFraud }) => isFraud === true)
  const genuine = rows.filter(({ isFraud }) => isFraud === false)
  const caught = frauds.filter(({ score }) => score >= review)
  const falseAlerts = genuine.filter(({ score }) => score >= review)
  const reviewed = rows.filter(({ score }) => score >= review && score < block)
  const falseBlocks = genuine.filter(({ score }) => score >= Math.max(review, block))
  const missedMinor = Math.round((sumOf(frauds) - sumOf(caught)) * costs.lostShare)
  return {
    alerts: rows.filter(({ score }) => score >= review).length,
    precision: caught.length / (caught.length + falseAlerts.length),
    recall: caught.length / frauds.length,
    falsePositiveRate: falseAlerts.length / genuine.length,
    valueDetectedShare: sumOf(caught) / sumOf(frauds),
    missedMinor,
    totalMinor: missedMinor + reviewed.length * 300 + falseBlocks.length * 1500,
  }
}

describe('value tally', () => {
  test.each([1, 2, 3])('thresholds - count and cost as filters do, seed %i', (seed) => {
    const rows = randomScored(seed)
    const tally = createValueTally(thresholds)
    for (const row of rows) tally.add(row.score, row.isFraud, row.amountMinor)
    const { missedMinor, totalMinor, ...review } = naive(rows, thresholds.review)
    expect(tally.points()[0]).toMatchObject({ name: 'review', ...review })
    const block = naive(rows, thresholds.block)
    expect(tally.points()[1]).toMatchObject({ alerts: block.alerts, recall: block.recall })
    expect(tally.costs(costs)).toMatchObject({ missedMinor, totalMinor })
  })

  test('thresholds - have no shares of nothing', () => {
    const [point] = createValueTally(thresholds).points()
    expect(point).toMatchObject({ alerts: 0, precision: null, recall: null })
    expect(point).toMatchObject({ falsePositiveRate: null, valueDetectedShare: null })
  })
})

describe('policy simulation', () => {
  test.each([1, 2, 3])('simulation - each row is what filters say, seed %i', (seed) => {
    const rows = randomScored(seed)
    const tally = createScoreTally()
    const values = createValueTally(thresholds)
    for (const row of rows) {
      tally.add(row.score, row.isFraud, row.amountMinor)
      values.add(row.score, row.isFraud, row.amountMinor)
    }
    const setup = { blockFrom: thresholds.block, blocked: values.blocked(), costs, days: 4 }
    const simulated = tally.simulate(setup)
    expect(simulated.length).toBeGreaterThan(10)
    for (const row of simulated) {
      const expected = naive(rows, row.threshold)
      expect(row).toMatchObject({ ...expected, alertsPerDay: expected.alerts / 4 })
    }
    expect(simulated.at(-1)!.alerts).toBe(rows.length)
  })

  test('histogram - counts each labelled score once', () => {
    const rows = randomScored(9)
    const tally = createScoreTally()
    for (const row of rows) tally.add(row.score, row.isFraud, row.amountMinor)
    const { edges, genuine, fraud } = tally.histogram()
    const count = (wanted: boolean, from: number, to: number) =>
      rows.filter(({ score, isFraud }) => isFraud === wanted && score >= from && score < to).length
    expect(fraud.reduce((a, b) => a + b)).toBe(count(true, 0, 2))
    const half = edges.indexOf(0.5)
    expect(genuine.slice(0, half).reduce((a, b) => a + b)).toBe(count(false, 0, 0.5))
  })
})

describe('fixed false-positive rates', () => {
  test.each([1, 2, 3, 4])('rates - the lowest threshold within the budget, seed %i', (seed) => {
    const rows = randomScored(seed).filter(({ isFraud }) => isFraud !== null)
    const ranking = createRanking()
    for (const { score, isFraud } of rows) ranking.add(score, isFraud!)
    const levels = [...new Set(rows.map(({ score }) => score))].sort((a, b) => b - a)
    const rates = [0.0001, 0.02, 0.1, 0.5, 1]
    ranking.atFalsePositiveRates(rates).forEach((point, i) => {
      const fits = levels.filter((level) => naive(rows, level).falsePositiveRate <= rates[i]!)
      const lowest = fits.at(-1)
      expect(point.threshold).toBe(lowest ?? null)
      if (lowest === undefined) {
        expect(point).toMatchObject({ alerts: null, precision: null, recall: null })
        return
      }
      const { alerts, precision, recall, falsePositiveRate } = naive(rows, lowest)
      expect(point).toMatchObject({ alerts, precision, recall, falsePositiveRate })
    })
  })

  test('rates - are null where a class is missing', () => {
    const ranking = createRanking()
    ranking.add(0.5, true)
    expect(ranking.atFalsePositiveRates([0.01])).toMatchObject([{ threshold: null, recall: null }])
  })
})

describe('calibration', () => {
  test('calibration - means, shares and Brier score as plain sums', () => {
    const rows = randomScored(5).filter(({ isFraud }) => isFraud !== null)
    const calibration = createCalibration()
    for (const { score, isFraud } of rows) calibration.add(score, isFraud!)
    const { brier, bins, meanScore } = calibration.measure()
    const squares = rows.map(({ score, isFraud }) => (score - Number(isFraud)) ** 2)
    expect(brier).toBeCloseTo(squares.reduce((a, b) => a + b) / rows.length, 12)
    expect(meanScore).toBeCloseTo(rows.reduce((sum, { score }) => sum + score, 0) / rows.length, 12)
    bins.forEach((bin, i) => {
      const isLast = i === bins.length - 1
      const own = rows.filter(
        ({ score }) => score >= bin.from && (score < bin.to || (isLast && score === 1)),
      )
      expect(bin.from).toBe(calibrationEdges[i])
      expect(bin.events).toBe(own.length)
      expect(bin.frauds).toBe(own.filter(({ isFraud }) => isFraud).length)
      expect(bin.fraudShare).toBe(own.length === 0 ? null : bin.frauds / own.length)
    })
  })

  test('calibration - knows the interval of a share', () => {
    // Wilson 1927, 10 of 100: 0.0552 to 0.1744.
    const [from, to] = shareInterval(10, 100)
    expect(from).toBeCloseTo(0.0552, 4)
    expect(to).toBeCloseTo(0.1744, 4)
    expect(shareInterval(0, 20)[0]).toBe(0)
  })

  test('calibration - is null without events', () => {
    expect(createCalibration().measure()).toMatchObject({ brier: null, expectedError: null })
  })
})

describe('segments', () => {
  const dayMs = 86_400_000
  const event = (day: number, customerId: string, country: string | null) =>
    transactionOf({
      transactionId: `${day}${customerId}`,
      eventTime: day * dayMs,
      customerId,
      country,
    })

  const roles = { segments: ['country'], subjectOf: planKey(['customerId']) }

  test('segments - count alerts and false alerts by country, and who is new', () => {
    const segments = createSegmentTally(0.5, roles)
    const add = (t: ReturnType<typeof event>, score: number, isFraud: boolean | null) => {
      segments.see(t)
      segments.add(t, score, isFraud)
    }
    add(event(0, 'old', 'CH'), 0.9, false)
    add(event(8, 'old', 'CH'), 0.9, true)
    add(event(8, 'late', 'FR'), 0.1, false)
    add(event(9, 'late', 'FR'), 0.6, false)
    add(event(20, 'late', null), 0.6, null)
    const { country = [], customer = [] } = segments.measure()
    expect(country.map(({ segment }) => segment)).toEqual(['CH', 'FR', '(none)'])
    expect(country[0]).toMatchObject({ events: 2, alerts: 2, falseAlerts: 1, recall: 1 })
    expect(country[1]).toMatchObject({ genuine: 2, falseAlerts: 1, falsePositiveRate: 0.5 })
    expect(country[2]).toMatchObject({ alerts: 1, falsePositiveRate: null, recall: null })
    const sizes = Object.fromEntries(customer.map(({ segment, events }) => [segment, events]))
    expect(sizes).toEqual({ too_early: 1, known: 2, new: 2 })
  })

  test('segments - counts what comes after a thousand kinds together', () => {
    const segments = createSegmentTally(0.5, roles)
    for (let i = 0; i < 1200; i++) {
      const one = event(1, 'c', `country ${i}`)
      segments.see(one)
      segments.add(one, 0.1, false)
    }
    const { country = [] } = segments.measure()
    expect(country).toHaveLength(1001)
    expect(country[0]).toMatchObject({ segment: '(others)', events: 200 })
  })
})

describe('feature drift', () => {
  test('psi - is 0 for equal shares and known for a shift', () => {
    expect(populationStability([50, 50], [50, 50])).toBe(0)
    // 0.3 x ln(0.8 / 0.5) - 0.3 x ln(0.2 / 0.5), with large counts.
    const shift = populationStability([5e6, 5e6], [8e6, 2e6])
    expect(shift).toBeCloseTo(0.3 * Math.log(1.6) - 0.3 * Math.log(0.4), 5)
    expect(Number.isFinite(populationStability([100, 0], [0, 100]))).toBe(true)
  })

  test('psi - knows what chance stays below', () => {
    // Tables of chi-square at 0.999: 16.27 for 3, 27.88 for 9.
    expect(Math.abs(chiSquare999(3) / 16.27 - 1)).toBeLessThan(0.02)
    expect(Math.abs(chiSquare999(9) / 27.88 - 1)).toBeLessThan(0.01)
  })

  test('drift - bins as the manifest says and names what moved', () => {
    const even = { edges: [0, 1], counts: [100, 100, 100], median: 0 }
    const drift = createFeatureDrift([
      { name: 'still', ...even },
      { name: 'moved', ...even },
    ])
    const values = [0, -1, 1, 0.5, 2, 1.5]
    for (let i = 0; i < 600; i++) drift.add(Float32Array.of(values[i % 6]!, 5), 0)
    const [moved, still] = drift.measure()
    expect(moved).toMatchObject({ feature: 'moved', isDrifted: true, found: [0, 0, 1] })
    expect(still).toMatchObject({ feature: 'still', isDrifted: false })
    expect(still!.found).toEqual([1 / 3, 1 / 3, 1 / 3])
  })

  test('drift - is null without rows', () => {
    const drift = createFeatureDrift([{ name: 'a', edges: [0], counts: [1, 1], median: 0 }])
    expect(drift.measure()).toMatchObject([{ psi: null, isDrifted: false }])
  })
})
