// How the handbook's models do by its protocol, beside the published figures.
//
//   npm run train -- --config training/handbook.yaml        (and handbook-best.yaml), then
//   node dev/launch.mjs load/handbook/main.ts [--write]
//
// In: the folders of both trainings (.weir/training/...) and the data set (WEIR_DATA, or
// ../shared/data). Out: a table on stdout, and with --write in docs/handbook.md. Refused: a
// training that is not there, and one whose report counts another card precision than is counted
// here, on the same scores.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { describeMachine } from '../bench/measure/machine.ts'
import { type JudgedRow, leaveOutKnown, type Measures, measure, takeWeek } from './protocol.ts'
import { readTable } from './read-table.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const dataFolder = process.env.WEIR_DATA ?? join(root, '../shared/data')
const page = join(root, 'docs/handbook.md')

const protocol = {
  trainFromMs: Date.UTC(2018, 6, 25),
  testFromMs: Date.UTC(2018, 7, 8),
  testToMs: Date.UTC(2018, 7, 15),
}

const published: readonly (readonly [string, Measures])[] = [
  [
    'logistic regression, published',
    { rocAuc: 0.871, averagePrecision: 0.606, cardPrecision: 0.291 },
  ],
  ['random forest, published', { rocAuc: 0.867, averagePrecision: 0.658, cardPrecision: 0.287 }],
  ['XGBoost, published', { rocAuc: 0.862, averagePrecision: 0.639, cardPrecision: 0.273 }],
]

const models = [
  { name: 'handbook', what: 'Weir, the same 15 features' },
  { name: 'handbook-best', what: 'Weir, the richer table' },
]

const { values } = parseArgs({ options: { write: { type: 'boolean' } } })
const rows: (readonly [string, Measures])[] = [...published]
for (const { name, what } of models) rows.push([what, await measureModel(name)])
const table = toTable(rows)
process.stdout.write(`${table}\n`)
if (values.write === true) writePage(table)

async function measureModel(name: string): Promise<Measures> {
  const folder = join(root, '.weir/training', name, 'backtest/handbook-2018-08-08')
  if (!existsSync(folder)) {
    throw new Error(`${folder} is missing: npm run train -- --config training/${name}.yaml`)
  }
  const judged = await readJudged(join(folder, 'scored.parquet'))
  const report = JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8'))
  const { cardPrecision } = measure(takeWeek(judged, protocol))
  if (Math.abs(cardPrecision - report.cardPrecisionAt100) > 1e-12) {
    throw new Error(
      `${folder}: card precision of all customers: found ${report.cardPrecisionAt100} in the report, ` +
        `expected ${cardPrecision} as counted here`,
    )
  }
  return measure(leaveOutKnown(judged, protocol))
}

/** Both files hold every transaction once. */
async function readJudged(scoredFile: string): Promise<JudgedRow[]> {
  const scored = await readTable(scoredFile, ['transactionId', 'eventTime', 'score', 'isFraud'])
  const [ids, times, scores, verdicts] = [...scored.values()]
  const known = await readTable(join(dataFolder, 'handbook/transactions.parquet'), [
    'transaction_id',
    'customer_id',
  ])
  const [knownIds, customers] = [...known.values()]
  const customerOf = new Map(knownIds!.map((id, i) => [id, String(customers![i])]))
  return ids!.map((id, i) => ({
    eventTimeMs: times![i]!,
    customerId: customerOf.get(id)!,
    isFraud: verdicts![i] === 1,
    score: scores![i]!,
  }))
}

function toTable(rows: readonly (readonly [string, Measures])[]): string {
  const lines = rows.map(([what, { rocAuc, averagePrecision, cardPrecision }]) => {
    const figures = [rocAuc, averagePrecision, cardPrecision].map((value) => value.toFixed(3))
    return `| ${[what, ...figures].join(' | ')} |`
  })
  return ['| model | AUC | average precision | CP@100 |', '|---|---|---|---|', ...lines].join('\n')
}

function writePage(table: string): void {
  const [begin, end] = ['<!-- results: written by load/handbook -->', '<!-- end of results -->']
  const [before, rest] = readFileSync(page, 'utf8').split(begin)
  const after = rest?.split(end)[1]
  if (after === undefined) throw new Error(`${page}: found no place for the results (${begin})`)
  const { cpu, cores, node } = describeMachine()
  const where = `Trained and scored on ${cpu}, ${cores} cores, Node ${node}.`
  writeFileSync(page, `${before}${begin}\n\n${table}\n\n${where}\n\n${end}${after}`)
}
