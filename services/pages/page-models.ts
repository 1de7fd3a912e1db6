// The section of report.html on the champion, and on each challenger beside it.
//
// In: the measures of all models with their intervals. Out: HTML text. Nothing is refused.
// Invariant: a challenger is called better or worse only where both ranges of the difference, by
// days and by customers, lie on one side of 0; with one of them missing nothing is decided.

import type { BacktestDetail } from '../backtest/backtest.ts'
import type { ModelMeasures } from '../backtest/model-tally.ts'
import { type Interval, type MeasureName, measureNames } from '../statistics/bootstrap.ts'
import {
  type Column,
  drawSection,
  drawTable,
  type Say,
  sayMeasure,
  sayMoney,
} from './page-tables.ts'

type Row = { readonly title: string; readonly say: Say; readonly isBetterLow?: boolean }

const rows: Readonly<Record<MeasureName, Row>> = {
  averagePrecision: { title: 'average precision', say: sayMeasure },
  rocAuc: { title: 'ROC AUC', say: sayMeasure },
  cardPrecisionAt100: { title: 'card precision@100', say: sayMeasure },
  recallAtReview: { title: 'recall at the review threshold', say: sayMeasure },
  recallAtBlock: { title: 'recall at the block threshold', say: sayMeasure },
  costMinor: { title: 'total cost', say: sayMoney, isBetterLow: true },
}

export function drawModels({ models }: BacktestDetail): string {
  const [champion, ...challengers] = models
  const title = 'Champion and challengers'
  if (champion === undefined) return drawSection(title, 'No event was scored.')
  return drawSection(
    title,
    'How sure the figures are, and whether a challenger is better. A range holds 95 of 100 results when other days, or other customers, had been drawn from these (from 5 days and 30 customers on). Good: the whole range of a difference lies on the better side of 0, by days and by customers. All models are held to the same thresholds and the same cost table.',
    drawChampion(champion),
    challengers.length === 0 ? '<p>No challenger was scored.</p>' : '',
    ...challengers.map((challenger) => drawChallenger(challenger, champion)),
  )
}

const nameOf = ({ name, version }: ModelMeasures): string => `${name} ${version}`

function drawChampion(champion: ModelMeasures): string {
  const { days, customers } = champion.intervals
  return drawTable(measureNames, [
    { title: `champion: ${nameOf(champion)}`, say: (name) => rows[name].title, isText: true },
    { title: 'value', say: (name) => rows[name].say(champion[name]) },
    rangeColumn('range by days', (name) => days?.[name]),
    rangeColumn('range by customers', (name) => customers?.[name]),
  ])
}

function drawChallenger(challenger: ModelMeasures, champion: ModelMeasures): string {
  const { days = null, customers = null } = challenger.difference ?? {}
  const gainOf = (name: MeasureName): number | null => {
    const [own, other] = [challenger[name], champion[name]]
    return own === null || other === null ? null : own - other
  }
  return drawTable(measureNames, [
    { title: `challenger: ${nameOf(challenger)}`, say: (name) => rows[name].title, isText: true },
    { title: 'value', say: (name) => rows[name].say(challenger[name]) },
    { title: 'difference', say: (name) => sayGain(name, gainOf(name)) },
    {
      title: 'the challenger is',
      say: (name) => judge(name, [days?.[name], customers?.[name]]),
      isText: true,
    },
    rangeColumn('its range by days', (name) => days?.[name], sayGain),
    rangeColumn('by customers', (name) => customers?.[name], sayGain),
  ])
}

const sayGain = (name: MeasureName, value: number | null): string =>
  `${value !== null && value > 0 ? '+' : ''}${rows[name].say(value)}`

const rangeColumn = (
  title: string,
  rangeOf: (name: MeasureName) => Interval | null | undefined,
  say: (name: MeasureName, value: number) => string = (name, value) => rows[name].say(value),
): Column<MeasureName> => ({
  title,
  say: (name) => {
    const range = rangeOf(name)
    return range == null ? '–' : `${say(name, range.from)} to ${say(name, range.to)}`
  },
})

export function judge(
  name: MeasureName,
  ranges: readonly (Interval | null | undefined)[],
): 'better' | 'worse' | 'not told apart' {
  const isAbove = ranges.every((range) => range != null && range.from > 0)
  const isBelow = ranges.every((range) => range != null && range.to < 0)
  if (!isAbove && !isBelow) return 'not told apart'
  return isAbove === (rows[name].isBetterLow === true) ? 'worse' : 'better'
}
