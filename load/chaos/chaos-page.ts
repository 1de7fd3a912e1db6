// What a run of chaos says: a table for people, docs/reference/chaos.md from the result that is
// kept.
//
// In: a result. Out: lines, the page's text, the kept result beside the page. Nothing is refused.
// Invariant: no figure on the page is typed by hand; a test proves the page against what is kept.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryFolder } from '../../dev/stack/repository.ts'
import { describeMachine, findCommit, type Machine } from '../bench/measure/machine.ts'
import { campaigns } from './campaigns.ts'
import type { CampaignResult } from './run-campaign.ts'
import type { ChaosResult } from './run-chaos.ts'

type KeptResult = ChaosResult & {
  readonly date: string
  readonly commit: string
  readonly machine: Machine
}

const pageFile = join('docs', 'reference', 'chaos.md')
const keptFile = join('docs', 'reference', 'chaos.json')
/** The words of the page that no result changes. */
const wordsFile = join(repositoryFolder, 'load', 'chaos', 'method.md')

export function writePage(result: ChaosResult): string {
  const date = new Date().toISOString().slice(0, 10)
  const kept = { ...result, date, commit: findCommit(), machine: describeMachine() }
  writeFileSync(join(repositoryFolder, keptFile), `${JSON.stringify(kept, null, 2)}\n`)
  writeFileSync(join(repositoryFolder, pageFile), renderPage(kept))
  return pageFile
}

export const readKept = (): KeptResult =>
  JSON.parse(readFileSync(join(repositoryFolder, keptFile), 'utf8')) as KeptResult

/** Faults end scorers by signals, and leaving ones end with 0: any other code was nobody's wish. */
const countUnasked = (ends: CampaignResult['ends']): number =>
  Object.entries(ends).reduce((sum, [how, times]) => (/code [^0]/.test(how) ? sum + times : sum), 0)

const show = (count: number): string => count.toLocaleString('en')
const showSeconds = (ms: number): string => (ms / 1000).toFixed(1)

type Column = readonly [title: string, show: (result: CampaignResult) => string]

const columns: readonly Column[] = [
  ['campaign', ({ campaign }) => campaign],
  ['faults', ({ faults }) => show(faults)],
  ['received', ({ received }) => show(received)],
  ['scored', ({ scored }) => show(scored)],
  ['rejected', ({ rejected }) => show(rejected)],
  ['diverted', ({ diverted }) => show(diverted)],
  ['difference', ({ difference }) => show(difference)],
  ['missing', ({ missing }) => show(missing)],
  ['doubled', ({ duplicated }) => show(duplicated)],
  ['parity differences', ({ parityDifferences }) => show(parityDifferences)],
  ['ordinal gaps', ({ ordinalGaps }) => show(ordinalGaps)],
  ['unverified', ({ unverified }) => show(unverified)],
  ['unasked exits', ({ ends }) => show(countUnasked(ends))],
  ['recovery s, mean', ({ recoveryMsMean }) => showSeconds(recoveryMsMean)],
  ['recovery s, max', ({ recoveryMsMax }) => showSeconds(recoveryMsMax)],
  ['outcome', ({ failures }) => (failures.length === 0 ? 'clean' : 'FAILED')],
]

export function tableOf({ campaigns: results }: ChaosResult): readonly string[] {
  const rows = [
    columns.map(([title]) => title),
    ...results.map((result) => columns.map(([, cell]) => cell(result))),
  ]
  const widths = columns.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  const lines = rows.map((row) => row.map((cell, i) => pad(cell, widths[i]!, i)).join('  '))
  const failures = results.flatMap(({ campaign, failures }) =>
    failures.map((failure) => `${campaign}: ${failure}`),
  )
  return [...lines, ...failures]
}

/** Names to the left, figures to the right. */
const pad = (cell: string, width: number, column: number): string =>
  column === 0 ? cell.padEnd(width) : cell.padStart(width)

export function renderPage(kept: KeptResult): string {
  const { seed, seconds, rate, faults, received, date, commit, machine } = kept
  const { cpu, cores, memoryGb } = machine
  const command = `npm run chaos -- --seed ${seed} --seconds ${seconds} --rate ${rate} --write`
  const sections = [
    '# What happens if ...: the campaigns and their outcome',
    `Written by \`${command}\` on ${date}, commit ${commit}, ${cpu}, ${cores} cores, ${memoryGb} GB. ` +
      `${show(faults)} faults under load, ${show(received)} messages.`,
    markdownTable(
      columns.map(([title]) => title),
      kept.campaigns.map((result) => columns.map(([, cell]) => cell(result))),
    ),
    ...failureLines(kept),
    readFileSync(wordsFile, 'utf8').trim(),
    '## The campaigns',
    markdownTable(
      ['campaign', 'what happens', 'brokers', 'seconds per fault'],
      Object.entries(campaigns).map(([name, { says, brokers, secondsPerFault }]) => [
        name,
        says,
        String(brokers),
        String(secondsPerFault),
      ]),
    ),
    '## The faults of this run',
    markdownTable(
      ['campaign', 'fault', 'times'],
      kept.campaigns.flatMap(({ campaign, faultsByKind }) =>
        Object.entries(faultsByKind)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([kind, times]) => [campaign, kind, show(times)]),
      ),
    ),
  ]
  return `${sections.join('\n\n')}\n`
}

function failureLines({ campaigns: results }: ChaosResult): readonly string[] {
  const failed = results.filter(({ failures }) => failures.length > 0)
  if (failed.length === 0) return []
  const lines = failed.flatMap(({ campaign, failures }) =>
    failures.map((failure) => `- ${campaign}: ${failure}`),
  )
  return ['What went wrong:', lines.join('\n')]
}

function markdownTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n')
}
