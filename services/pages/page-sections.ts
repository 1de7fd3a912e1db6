// The sections of report.html, each with a sentence that says what it shows and what good looks
// like.
//
// In: the detail of a backtest. Out: HTML text per section. Nothing is refused; where there is
// nothing to draw, the section says so. Tables are listed as columns of data, plots as series.

import type { BacktestDetail } from '../backtest/backtest.ts'
import { type CostTable, defaultCosts } from '../backtest/cost-table.ts'
import type { FeatureDrift } from '../backtest/feature-drift.ts'
import { type SegmentMeasures, SUBJECT_KIND } from '../backtest/segment-tally.ts'
import { shareInterval } from '../statistics/calibration.ts'
import {
  type Axis,
  decades,
  drawPlot,
  escapeText,
  evenTicks,
  type Point,
  roundUp,
} from './page-plots.ts'
import {
  type Column,
  drawFolded,
  drawSection,
  drawTable,
  sayCount,
  sayFew,
  sayMeasure,
  sayMoney,
  sayRough,
  sayRoughMoney,
  sayRoughShare,
  sayScore,
  sayShare,
} from './page-tables.ts'

const shareAxis = (title: string): Axis => ({
  from: 0,
  to: 1,
  ticks: evenTicks(0, 1, sayRoughShare),
  title,
})

export function drawThresholds({ thresholds, falsePositiveRates }: BacktestDetail): string {
  return drawSection(
    'What the thresholds catch',
    'Each row is a score from which events are flagged. Good: a large share of the frauds and of their value is found (recall, value found), while most alerts are real (precision) and few genuine payments are disturbed (false-positive rate).',
    '<h3>The policy’s thresholds</h3>',
    drawTable(thresholds, [
      { title: 'from', say: ({ name }) => name, isText: true },
      { title: 'score', say: (row) => sayScore(row.threshold) },
      { title: 'alerts', say: (row) => sayCount(row.alerts) },
      { title: 'precision', say: (row) => sayShare(row.precision) },
      { title: 'recall', say: (row) => sayShare(row.recall) },
      { title: 'false-positive rate', say: (row) => sayShare(row.falsePositiveRate) },
      { title: 'value found', say: (row) => sayMoney(row.valueDetectedMinor) },
      { title: 'of all fraud', say: (row) => sayShare(row.valueDetectedShare) },
    ]),
    '<h3>The best threshold within a budget of false alarms</h3>',
    drawTable(falsePositiveRates, [
      { title: 'false-positive rate at most', say: (row) => sayShare(row.falsePositiveRateMax) },
      { title: 'found', say: (row) => sayShare(row.falsePositiveRate) },
      { title: 'score', say: (row) => sayScore(row.threshold) },
      { title: 'alerts', say: (row) => sayCount(row.alerts) },
      { title: 'precision', say: (row) => sayShare(row.precision) },
      { title: 'recall', say: (row) => sayShare(row.recall) },
    ]),
  )
}

export function drawScores({ scores, thresholds }: BacktestDetail): string {
  const bars = scores.genuine.length
  const most = Math.max(1, ...scores.genuine, ...scores.fraud)
  // The axis is the number of the bar: bars are equally wide on paper and narrow near 0 and 1.
  const placeOf = (score: number): number => {
    let bar = 0
    while (bar < bars - 1 && score >= scores.edges[bar + 1]!) bar++
    const low = scores.edges[bar]!
    return bar + Math.min(1, (score - low) / (scores.edges[bar + 1]! - low))
  }
  const toPoints = (counts: readonly number[]): Point[] =>
    counts.map((count, bar) => ({ x: bar + 0.5, y: count === 0 ? null : count }))
  const ticks = [0.00001, 0.0001, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999]
  const draw = (name: string, tone: 'a' | 'b', counts: readonly number[]): string =>
    `<h3>${name}</h3>${drawPlot({
      x: { from: 0, to: bars, ticks: ticks.map((at) => [placeOf(at), String(at)]), title: 'score' },
      y: {
        ...{
          from: 0.5,
          to: most * 1.5,
          isLog: true,
          title: 'events, each line ten times the last',
        },
        ticks: decades(1, most, sayCount),
      },
      series: [{ name, tone, kind: 'bars', points: toPoints(counts) }],
      marks: thresholds.map(({ name: text, threshold }) => ({ x: placeOf(threshold), text })),
      height: 220,
    })}`
  return drawSection(
    'Scores of genuine and of fraudulent payments',
    'How often each score was given. Good: genuine payments stand at the left, frauds at the right of the dashed thresholds. Frauds far at the left look like ordinary payments to the model.',
    draw('Genuine', 'a', scores.genuine),
    draw('Fraud', 'b', scores.fraud),
  )
}

export function drawCalibration({ calibration }: BacktestDetail): string {
  const bins = calibration.bins.filter(({ events }) => events > 0)
  const axis: Axis = {
    ...{ from: 0.0001, to: 1, isLog: true, title: 'share that was fraud' },
    ticks: decades(0.0001, 1, sayRoughShare),
  }
  const points = bins.map((bin) => ({
    ...{ x: bin.meanScore!, y: bin.fraudShare, low: bin.fraudShareFrom, high: bin.fraudShareTo },
  }))
  const ideal = [0.0001, 1].map((at) => ({ x: at, y: at }))
  const { brier, brierOfShare, expectedError } = calibration
  return drawSection(
    'May a score be read as a probability?',
    'Each dot is a group of payments with similar scores: how high the scores were, and how many were fraud. Good: the dots, with their 95 % intervals, lie on the dashed line; below it the model warns too loudly, above it too softly.',
    drawPlot({
      x: { ...axis, title: 'mean score' },
      y: axis,
      series: [
        { name: 'score equals share', tone: 'quiet', kind: 'line', points: ideal },
        { name: 'this model', tone: 'a', kind: 'dots', points },
      ],
      height: 320,
    }),
    `<p>Brier score ${sayScore(brier)} (always saying the overall share: ${sayScore(brierOfShare)}; smaller is better). Mean distance of score and share: ${sayScore(expectedError)}.</p>`,
    drawTable(bins, [
      { title: 'score from', say: (bin) => sayScore(bin.from) },
      { title: 'to', say: (bin) => sayScore(bin.to) },
      { title: 'events', say: (bin) => sayCount(bin.events) },
      { title: 'frauds', say: (bin) => sayCount(bin.frauds) },
      { title: 'mean score', say: (bin) => sayScore(bin.meanScore) },
      { title: 'share of fraud', say: (bin) => sayScore(bin.fraudShare) },
    ]),
  )
}

export function drawSimulation(detail: BacktestDetail): string {
  const { simulation, costs, days, thresholds, currencies } = detail
  const title = 'If the review threshold stood elsewhere'
  if (simulation.length === 0) return drawSection(title, 'No event was scored.')
  const perDay = simulation.map(({ alertsPerDay }) => alertsPerDay)
  const x: Axis = {
    ...{ from: perDay[0]!, to: perDay.at(-1)!, isLog: true, title: 'alerts a day' },
    ticks: decades(perDay[0]!, perDay.at(-1)!, sayRough).filter(
      ([at]) => at >= perDay[0]! && at <= perDay.at(-1)!,
    ),
  }
  const inUnit = currencies.length === 1 ? `, ${currencies[0]}` : ''
  const curve = (pick: (row: (typeof simulation)[number]) => number | null): Point[] =>
    simulation.map((row) => ({ x: row.alertsPerDay, y: pick(row) }))
  const highest = roundUp(
    Math.max(
      ...simulation.map(({ totalMinor }) => Math.min(totalMinor, costs.withoutPolicyMinor * 1.5)),
    ),
  )
  const best = simulation.reduce((a, b) => (b.totalMinor < a.totalMinor ? b : a))
  const marks = [
    ...thresholds
      .filter(({ name, alerts }) => name === 'review' && alerts > 0)
      .map(({ alerts }) => ({ x: alerts / days.length, text: 'review today' })),
    { x: best.alertsPerDay, text: 'cheapest' },
  ]
  return drawSection(
    title,
    'From strict (left, few alerts) to loose (right, many). Good: recall climbs early while precision stays high. The second plot adds up reviews, false blocks and missed fraud with the cost table; its lowest point is the cheapest threshold.',
    drawPlot({
      x,
      y: shareAxis('share'),
      series: [
        { name: 'precision', tone: 'a', kind: 'line', points: curve((row) => row.precision) },
        { name: 'recall', tone: 'b', kind: 'line', points: curve((row) => row.recall) },
        {
          name: 'value found',
          tone: 'c',
          kind: 'line',
          points: curve((row) => row.valueDetectedShare),
        },
      ],
      marks,
    }),
    drawPlot({
      x,
      y: {
        from: 0,
        to: highest,
        ticks: evenTicks(0, highest, sayRoughMoney),
        title: `cost${inUnit}`,
      },
      series: [
        { name: 'total cost', tone: 'a', kind: 'line', points: curve((row) => row.totalMinor) },
        { name: 'missed fraud', tone: 'b', kind: 'line', points: curve((row) => row.missedMinor) },
      ],
      marks,
    }),
    isDefault(costs)
      ? '<p class="note">The cost table is the built-in example: give your own with --costs before you choose a threshold by it.</p>'
      : '',
    `<p>Today: reviews ${sayMoney(costs.reviewsMinor)}, false blocks ${sayMoney(costs.falseBlocksMinor)}, missed fraud ${sayMoney(costs.missedMinor)}, together ${sayMoney(costs.totalMinor)}; without any model ${sayMoney(costs.withoutPolicyMinor)}. Cheapest here: a review threshold of ${sayScore(best.threshold)} with ${sayFew(best.alertsPerDay)} alerts a day, ${sayMoney(best.totalMinor)}. Cost table: a review ${sayMoney(costs.reviewMinor)}, a false block ${sayMoney(costs.falseBlockMinor)}, ${sayShare(costs.lostShare)} of a missed fraud is lost.</p>`,
    drawFolded(
      `All ${simulation.length} thresholds`,
      drawTable(simulation, [
        { title: 'review from score', say: (row) => sayScore(row.threshold) },
        { title: 'alerts a day', say: (row) => sayFew(row.alertsPerDay) },
        { title: 'precision', say: (row) => sayShare(row.precision) },
        { title: 'recall', say: (row) => sayShare(row.recall) },
        { title: 'false-positive rate', say: (row) => sayShare(row.falsePositiveRate) },
        { title: 'value found', say: (row) => sayShare(row.valueDetectedShare) },
        { title: 'missed fraud', say: (row) => sayMoney(row.missedMinor) },
        { title: 'total cost', say: (row) => sayMoney(row.totalMinor) },
      ]),
    ),
  )
}

const isDefault = (costs: CostTable): boolean =>
  (Object.keys(defaultCosts) as (keyof CostTable)[]).every(
    (key) => costs[key] === defaultCosts[key],
  )

export function drawDays({ days }: BacktestDetail): string {
  const title = 'Day by day'
  if (days.length === 0) return drawSection(title, 'No event was scored.')
  const step = Math.max(1, Math.ceil(days.length / 7))
  const x: Axis = {
    ...{ from: -0.5, to: days.length - 0.5, title: 'day, UTC' },
    ticks: days.flatMap(({ day }, i): [number, string][] =>
      i % step === 0 ? [[i, day.slice(5)]] : [],
    ),
  }
  const curve = (pick: (day: (typeof days)[number]) => number | null): Point[] =>
    days.map((day, i) => ({ x: i, y: pick(day) }))
  const most = roundUp(Math.max(...days.map(({ alerts, frauds }) => Math.max(alerts, frauds))))
  const names = { name: '', kind: 'line' } as const
  return drawSection(
    title,
    'Good: level lines. A step in the alerts without one in the frauds means that the payments have changed, or the model’s inputs are broken; a falling line of precision or of card precision means that fraud has moved on.',
    drawPlot({
      x,
      y: { from: 0, to: most, ticks: evenTicks(0, most, sayFew), title: 'events a day' },
      series: [
        { ...names, name: 'alerts', tone: 'a', points: curve(({ alerts }) => alerts) },
        { ...names, name: 'frauds', tone: 'b', points: curve(({ frauds }) => frauds) },
      ],
    }),
    drawPlot({
      x,
      y: shareAxis('share'),
      series: [
        { ...names, name: 'precision', tone: 'a', points: curve((day) => day.precision) },
        { ...names, name: 'recall', tone: 'b', points: curve((day) => day.recall) },
        { ...names, name: 'ROC AUC', tone: 'c', points: curve((day) => day.rocAuc) },
        {
          ...names,
          name: 'card precision@100',
          tone: 'quiet',
          points: curve((day) => day.cardPrecision),
        },
      ],
    }),
    drawTable(days, [
      { title: 'day', say: ({ day }) => day, isText: true },
      { title: 'events', say: (row) => sayCount(row.events) },
      { title: 'frauds', say: (row) => sayCount(row.frauds) },
      { title: 'alerts', say: (row) => sayCount(row.alerts) },
      { title: 'precision', say: (row) => sayShare(row.precision) },
      { title: 'recall', say: (row) => sayShare(row.recall) },
      { title: 'ROC AUC', say: (row) => sayMeasure(row.rocAuc) },
      { title: 'card precision@100', say: (row) => sayShare(row.cardPrecision) },
    ]),
  )
}

const segmentsShown = 30
const segmentWords: Readonly<Record<string, string>> = {
  too_early: 'too early to tell (the first 7 days)',
  new: 'new (in the 7 days after their first payment)',
  known: 'known for longer',
}

function sayRange({ falseAlerts, genuine }: SegmentMeasures): string {
  if (genuine === 0) return '–'
  const [from, to] = shareInterval(falseAlerts, genuine)
  return `${sayShare(from)} to ${sayShare(to)}`
}

export function drawSegments({ segments }: BacktestDetail): string {
  const drawKind = ([kind, rows]: [string, readonly SegmentMeasures[]]): string => {
    const rest = rows.length - segmentsShown
    const more =
      rest > 0 ? `<p>The ${segmentsShown} largest; ${rest} more are in report.json.</p>` : ''
    const table = drawTable(rows.slice(0, segmentsShown), [
      { title: 'segment', say: ({ segment }) => segmentWords[segment] ?? segment, isText: true },
      { title: 'events', say: (row) => sayCount(row.events) },
      { title: 'frauds', say: (row) => sayCount(row.frauds) },
      { title: 'alerts', say: (row) => sayCount(row.alerts) },
      { title: 'false alerts', say: (row) => sayCount(row.falseAlerts) },
      { title: 'false-positive rate', say: (row) => sayShare(row.falsePositiveRate) },
      { title: 'its 95 % range', say: sayRange },
      { title: 'recall', say: (row) => sayShare(row.recall) },
    ])
    return `<h3>${escapeText(kind === SUBJECT_KIND ? 'New and known customers' : `By ${kind}`)}</h3>${table}${more}`
  }
  return drawSection(
    'Whom the false alarms hit',
    'False-positive rates at the review threshold. Good: similar rates everywhere. A group whose whole range lies above that of others is treated worse; small groups swing by chance.',
    ...Object.entries(segments).map(drawKind),
  )
}

/** The rest is folded away. */
const driftShown = 15

export function drawDrift({ drift }: BacktestDetail): string {
  const title = 'Do the inputs look as they did in training?'
  if (drift === null) {
    return drawSection(title, 'The model has no manifest with histograms to compare with.')
  }
  const bins = ({ found, expected }: FeatureDrift): string => {
    const most = found.reduce((at, share, bin) => {
      const gap = share - expected[bin]!
      return Math.abs(gap) > Math.abs(at) ? gap : at
    }, 0)
    return `${most > 0 ? '+' : ''}${(most * 100).toFixed(1)} points`
  }
  const columns: readonly Column<FeatureDrift>[] = [
    { title: 'feature', say: ({ feature }) => feature, isText: true },
    { title: 'PSI', say: (row) => sayMeasure(row.psi) },
    { title: 'chance stays below', say: (row) => sayScore(row.chanceMax) },
    {
      title: 'verdict',
      say: (row) => (row.isDrifted ? 'drifted' : 'as in training'),
      isText: true,
    },
    {
      title: 'largest change of a bin',
      say: (row) => (row.found.length === 0 ? '–' : bins(row)),
    },
  ]
  return drawSection(
    title,
    'The index (PSI) compares each feature with the model’s training data. Good: below 0.1; from 0.25 on the model sees another world than it learned. “Drifted” is said only where chance cannot explain it. A run begins with empty entities, so its long windows drift until they are full: begin earlier than you measure (--measure-from).',
    drawTable(drift.slice(0, driftShown), columns),
    drift.length > driftShown
      ? drawFolded(
          `The other ${drift.length - driftShown} features`,
          drawTable(drift.slice(driftShown), columns),
        )
      : '',
  )
}
