// report.html: one page that needs nothing but itself.
//
// In: the pipeline's name and the report. Out: the page as text, or null where nothing was scored.
// Nothing is refused. Invariants: no clock, no path, nothing loaded from anywhere, every text
// escaped: the same report gives the same bytes.

import type { BacktestDetail, Headline } from '../backtest/backtest.ts'
import { drawModels } from './page-models.ts'
import { escapeText } from './page-plots.ts'
import {
  drawCalibration,
  drawDays,
  drawDrift,
  drawScores,
  drawSegments,
  drawSimulation,
  drawThresholds,
} from './page-sections.ts'
import { pageStyle } from './page-style.ts'
import { sayCount, sayMeasure, sayShare } from './page-tables.ts'

/** What the page shows of report.json. */
type PageReport = Omit<Headline, 'events'> & {
  readonly measured: number
  readonly unlabelled: 'genuine' | 'left_out'
  readonly backtest: BacktestDetail | null
}

const sections = [
  drawThresholds,
  drawSimulation,
  drawScores,
  drawCalibration,
  drawDays,
  drawSegments,
  drawDrift,
  drawModels,
]

export function composePage(pipeline: string, report: PageReport): string | null {
  const { backtest } = report
  if (backtest === null) return null
  const title = `Backtest of ${escapeText(pipeline)}`
  const body = [
    `<h1>${title}</h1>`,
    `<p>${escapeText(describeRun(report, backtest))}</p>`,
    ...describeLimits(report, backtest).map((note) => `<p class="note">${escapeText(note)}</p>`),
    drawTiles(report, backtest),
    ...sections.map((draw) => draw(backtest)),
  ]
  const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${title}</title><style>${pageStyle}</style>`
  return `<!doctype html>\n<html lang="en"><head>${head}</head><body>\n${body.join('\n')}\n</body></html>\n`
}

function describeRun({ measured, frauds }: PageReport, { days, models, events }: BacktestDetail) {
  const champion = models[0]
  const who = champion === undefined ? 'No model' : `${champion.name} ${champion.version}`
  const span = days.length === 0 ? '' : `, ${days[0]!.day} to ${days.at(-1)!.day}`
  return `${who} on ${sayCount(events)} payments${span}: ${sayCount(measured)} of them with a verdict, ${sayCount(frauds)} frauds.`
}

function describeLimits(
  report: PageReport,
  { currencies, knownSince, leftOut }: BacktestDetail,
): string[] {
  const { unmeasured, unlabelled } = report
  const notes = []
  if (unmeasured !== null) {
    notes.push(`Some measures are missing: ${unmeasured}. They are shown as a dash.`)
  }
  if (unlabelled === 'genuine') {
    notes.push('The labels name frauds alone: a payment without a label counts as genuine.')
  }
  if (knownSince !== null) {
    const since = knownSince.slice(0, 10)
    notes.push(
      `${sayCount(leftOut)} payments are left out: a fraud of their customers since ${since} was known before the day.`,
    )
  }
  if (currencies.length > 1) {
    const list = currencies.slice(0, 8).join(', ')
    notes.push(
      `Amounts are of ${currencies.length} currencies (${list}) and are added up as they are: read values and costs as rough.`,
    )
  }
  return notes
}

function drawTiles(report: PageReport, detail: BacktestDetail): string {
  const { thresholds, currencies, cardPrecisionBest } = detail
  const review = thresholds.find(({ name }) => name === 'review')
  const unit = currencies.length === 1 ? `, ${currencies[0]}` : ''
  const tiles: [string, string][] = [
    [sayMeasure(report.averagePrecision), 'average precision (1 is perfect)'],
    [sayMeasure(report.rocAuc), 'ROC AUC (0.5 is chance)'],
    [
      sayMeasure(report.cardPrecisionAt100),
      `card precision@100 per day (${sayMeasure(cardPrecisionBest)} is perfect here)`,
    ],
    [sayShare(review?.recall ?? null), 'of the frauds are flagged'],
    [sayShare(review?.precision ?? null), 'of the alerts are fraud'],
    [sayShare(review?.valueDetectedShare ?? null), `of the fraud’s value is found${unit}`],
  ]
  const drawn = tiles.map(
    ([value, text]) => `<div class="tile"><b>${value}</b><span>${escapeText(text)}</span></div>`,
  )
  return `<div class="tiles">${drawn.join('')}</div>`
}
