// The report of whole replays: the page stands alone, names are documented, what is missing is
// said.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readCostFile } from '../../services/adapters/event-files/cost-file.ts'
import { loadPipelineFile } from '../../services/adapters/pipeline-file/pipeline-file.ts'
import { readManifest } from '../../services/adapters/pipeline-file/pipeline-manifest.ts'
import { defaultCosts } from '../../services/backtest/cost-table.ts'
import { judge } from '../../services/pages/page-models.ts'
import { composePage } from '../../services/pages/report-page.ts'
import { createRanking } from '../../services/statistics/ranking-measures.ts'
import { repositoryPath } from '../adapters/pipeline-file/pipeline-text.ts'
import { replaySmall, shippedPipeline, smallHistory } from '../replay/replay-world.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const page = readFileSync(repositoryPath('docs/reference/backtest-report.md'), 'utf8')
const rowsOf = (text: string): string[] =>
  [...text.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name!)

describe('report page', () => {
  test('report - has what the reference lists, and a page that loads nothing', async () => {
    const run = await replaySmall(smallHistory(31, 9), { isScoring: true })
    const report = JSON.parse(run.read('report.json'))
    expect(rowsOf(page.split('\n## ')[0]!)).toEqual(Object.keys(report.backtest))
    const models = page.split('\n## Champion and challengers\n')[1]!.split('\n## ')[0]!
    expect(rowsOf(models)).toEqual(Object.keys(report.backtest.models[0]))
    expect(report.unmeasured).toBeNull()
    expect(report.cardPrecisionAt100).toBeGreaterThan(0)
    expect(report.backtest.days).toHaveLength(9)
    expect(report.backtest.models[0].intervals.days.rocAuc.from).toBeLessThan(report.rocAuc)
    expect(report.backtest.drift).toHaveLength(shippedPipeline().features.length)
    const html = run.read('report.html')
    expect(html).not.toMatch(/<script|<link|src=|href=|url\(|@import|NaN|undefined|Infinity/)
    expect(html.match(/<svg /g)!.length).toBeGreaterThan(6)
    const manifest = JSON.parse(run.read('manifest.json'))
    expect(manifest.outputs['report.html'].sha256).toMatch(/^[0-9a-f]{64}$/)
  })

  test.each(['no labels', 'frauds alone', 'no events'])(
    'report - says why with %s',
    async (what) => {
      const { transactions, labels } = smallHistory(32, 2)
      const frauds = labels.filter(({ isFraud }) => isFraud)
      const stolen = new Set(frauds.map(({ transactionId }) => transactionId))
      const one = frauds[0]!
      const given = {
        'no labels': { transactions, labels: [] },
        'frauds alone': {
          transactions: transactions.filter(({ transactionId }) => stolen.has(transactionId)),
          labels: [one],
        },
        'no events': { transactions: [], labels: [] },
      }[what]!
      const narrowed =
        what === 'frauds alone'
          ? {
              ...given,
              transactions: given.transactions.filter((t) => t.transactionId === one.transactionId),
            }
          : given
      const run = await replaySmall(narrowed, { isScoring: true })
      expect(run.report).toMatchObject({ rocAuc: null, averagePrecision: null })
      expect(run.report.unmeasured).toMatch(
        { 'no labels': /label/, 'frauds alone': /every/, 'no events': /scored/ }[what]!,
      )
      expect(run.read('report.json')).not.toContain('NaN')
      expect(run.read('report.html')).toContain(run.report.unmeasured!)
      expect(run.read('report.html')).not.toMatch(/NaN|undefined|Infinity/)
    },
  )

  test('report - measures the asked days alone and warms up before them', async () => {
    const history = smallHistory(33, 8)
    const beginMs = Math.floor(history.transactions[0]!.eventTime / 86_400_000) * 86_400_000
    const measureFromMs = beginMs + 3 * 86_400_000
    const measureToMs = beginMs + 5 * 86_400_000
    const whole = await replaySmall(history, { isScoring: true })
    const part = await replaySmall(history, { isScoring: true, measureFromMs, measureToMs })
    const inside = history.transactions.filter(
      ({ eventTime }) => eventTime >= measureFromMs && eventTime < measureToMs,
    )
    expect(part.report.backtest!.events).toBe(inside.length)
    expect(part.report.measured).toBeLessThan(whole.report.measured)
    expect(part.bytes.equals(whole.bytes)).toBe(true)
    const pick = ({ report }: typeof part) =>
      report.backtest!.days.map(({ day, alerts }) => [day, alerts])
    expect(pick(part)).toEqual(pick(whole).slice(3, 5))
  })

  test('report - compares a challenger with the champion on the same events', async () => {
    const definition = shippedPipeline()
    const { champion } = definition.model
    const model = { champion, challengers: [champion] }
    const run = await replaySmall(smallHistory(34, 6), {
      isScoring: true,
      definition: { ...definition, model },
    })
    const [first, second] = run.report.backtest!.models
    expect(second).toMatchObject({ role: 'challenger', averagePrecision: first!.averagePrecision })
    expect(second!.difference!.days!.averagePrecision).toEqual({ from: 0, to: 0 })
  })

  test('report - shows each challenger beside the champion, and names no winner by chance', async () => {
    const definition = loadPipelineFile(repositoryPath('test/replay/golden/two-models.yaml'), {
      manifestReader: readManifest,
      baseFolder: repositoryPath('.'),
    })
    const run = await replaySmall(smallHistory(36, 12), { isScoring: true, definition })
    const rows = await run.rows()
    const labelled = rows.filter(({ isFraud }) => typeof isFraud === 'boolean')
    const ranking = createRanking()
    for (const row of labelled) ranking.add(Number(row.score_1), row.isFraud === true)
    const [champion, challenger] = run.report.backtest!.models
    expect(challenger!.averagePrecision).toBe(ranking.measure().averagePrecision)
    expect(challenger!.averagePrecision).not.toBe(champion!.averagePrecision)
    expect(rows.some((row) => row.score !== row.score_1)).toBe(true)
    const { challengers, model } = JSON.parse(run.read('manifest.json'))
    expect([model.column, challengers[0].column]).toEqual(['score', 'score_1'])
    expect(run.read('report.html')).toContain('challenger: challenger 1')
    expect(
      judge('rocAuc', [
        { from: 0.1, to: 0.2 },
        { from: -0.1, to: 0.2 },
      ]),
    ).toBe('not told apart')
    expect(judge('rocAuc', [{ from: 0.1, to: 0.2 }, null])).toBe('not told apart')
    expect(
      judge('costMinor', [
        { from: 1, to: 2 },
        { from: 1, to: 2 },
      ]),
    ).toBe('worse')
    expect(
      judge('rocAuc', [
        { from: 1, to: 2 },
        { from: 1, to: 2 },
      ]),
    ).toBe('better')
  })

  test('report - escapes what comes from outside', async () => {
    const { report } = await replaySmall(smallHistory(35, 1), { isScoring: true })
    const html = composePage('<img src=x>', report)!
    expect(html).not.toContain('<img')
    expect(html).toContain('&#60;img')
  })
})

describe('cost table', () => {
  const written = (text: string): string => {
    const path = join(temporaryFolder(), 'costs.yaml')
    writeFileSync(path, text)
    return path
  }

  test('costs - are read from YAML and from JSON, and the page lists the defaults', () => {
    const costs = { reviewMinor: 250, falseBlockMinor: 900, lostShare: 0.4 }
    expect(readCostFile(written(JSON.stringify(costs)))).toEqual(costs)
    expect(readCostFile(written('reviewMinor: 250\nfalseBlockMinor: 900\nlostShare: 0.4'))).toEqual(
      costs,
    )
    const rows = page.split('\n## Cost table\n')[1]!.matchAll(/^\| `(\w+)` \| (\S+) \|/gm)
    const listed = Object.fromEntries([...rows].map(([, key, value]) => [key, Number(value)]))
    expect(listed).toEqual(defaultCosts)
  })

  test.each([
    [
      'lostShare: 2\nreviewMinor: 1\nfalseBlockMinor: 1',
      /lostShare: found 2, expected a number from 0 to 1/,
    ],
    ['reviewMinor: 1\nlostShare: 1', /falseBlockMinor: found nothing/],
    ['reviewMinor: 1\nlostShare: 1\nfalseBlockMinor: 1\nreviews: 3', /found the key reviews/],
    ['- 3', /found no map/],
    ['a: [', /costs\.yaml/],
  ])('costs - refuses %j', (text, fault) => {
    expect(() => readCostFile(written(text))).toThrow(fault)
  })
})
