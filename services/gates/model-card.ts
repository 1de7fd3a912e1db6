// A model's card: what its manifest says, in sections for people, as text and as a page.
//
// In: a manifest, the hash of its bytes, what is known of its signatures. Out: sections of rows,
// lines of text, a page that needs nothing but itself. Nothing is refused. Invariants: no clock, no
// path, every text escaped: the same manifest gives the same bytes; a field that training adds
// tomorrow is shown without a change here.

import type { ModelManifest } from '../models/manifest.ts'
import { drawSection, drawTable, sayCount, sayMeasure } from '../pages/page-tables.ts'
import type { LifeStep } from '../roster/model-life.ts'
import { drawPage } from './model-page.ts'

export type CardSource = {
  readonly manifest: ModelManifest
  readonly manifestSha256: string
  /** One sentence. */
  readonly signature: string
  /** Of the ledger of a pipeline; absent = not asked for. */
  readonly life?: readonly LifeStep[]
}

type CardSection = {
  readonly title: string
  readonly sentence: string
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

export const composeCard = (source: CardSource): readonly CardSection[] =>
  sections.map((compose) => compose(source)).concat(composeLife(source))

const sections: readonly ((source: CardSource) => CardSection)[] = [
  ({ manifest: { createdAt, files, input, output, featureSet }, manifestSha256, signature }) => ({
    title: 'Files',
    sentence: `Written ${createdAt}. ${signature}`,
    head: ['file', 'is', 'sha-256'],
    rows: [
      ['manifest.json', 'what this card shows', manifestSha256],
      [files.cpu.path, `graph for CPUs, ${input} to ${output}`, files.cpu.sha256],
      ...(files.gpu === undefined ? [] : [[files.gpu.path, 'graph for GPUs', files.gpu.sha256]]),
      [files.golden.path, 'golden vectors', files.golden.sha256],
      ...(files.parity === undefined
        ? []
        : [[files.parity.path, 'parity rows', files.parity.sha256]]),
      ['', `${featureSet.names.length} features`, featureSet.hash],
    ],
  }),
  ({ manifest: { training } }) => {
    const { lineage: _, rows, frauds, ...others } = training
    const share = rows === 0 ? '' : ` (${((100 * frauds) / rows).toPrecision(3)} %)`
    return {
      title: 'Training data',
      sentence: `${sayCount(rows)} payments, ${sayCount(frauds)} of them fraud${share}.`,
      head: ['field', 'value'],
      rows: flatten(others),
    }
  },
  ({ manifest: { metrics } }) => {
    const { averagePrecision, rocAuc, logisticRegression, ...others } = metrics
    return {
      title: 'Metrics',
      sentence:
        'Measured on time behind the training range, beside a logistic regression on the same rows.',
      head: ['measure', 'model', 'logistic regression'],
      rows: [
        [
          'averagePrecision',
          sayMeasure(averagePrecision),
          sayMeasure(logisticRegression.averagePrecision),
        ],
        ['rocAuc', sayMeasure(rocAuc), sayMeasure(logisticRegression.rocAuc)],
        ...flatten(others).map((row) => [...row, '']),
      ],
    }
  },
  ({ manifest: { thresholds } }) => ({
    title: 'Thresholds',
    sentence: "As training suggests them; the pipeline file's policy decides.",
    head: ['action', 'from score'],
    rows: flatten(thresholds),
  }),
  ({ manifest: { calibration } }) => ({
    title: 'Calibration',
    sentence: 'How scores were made probabilities.',
    head: ['field', 'value'],
    rows: flatten(calibration),
  }),
  ({ manifest: { biasTable } }) => {
    const head = [...new Set(biasTable.flatMap((row) => Object.keys(row)))]
    return {
      title: 'Bias',
      sentence:
        biasTable.length === 0
          ? 'Training wrote no error rates by segment: those of a backtest are in its report.'
          : 'Error rates by segment.',
      head,
      rows: biasTable.map((row) => head.map((name) => sayValue(row[name]))),
    }
  },
  ({ manifest: { reference } }) => ({
    title: 'Drift reference',
    sentence: 'What inputs and scores looked like in training; drift is measured against it.',
    head: ['feature', 'median', 'first edge', 'last edge', 'rows by bin'],
    rows: [
      ...reference.features.map(({ name, median, edges, counts }) => [
        name,
        sayValue(median),
        sayValue(edges[0]),
        sayValue(edges.at(-1)),
        drawBars(counts),
      ]),
      [
        '(score)',
        '',
        sayValue(reference.score.edges[0]),
        sayValue(reference.score.edges.at(-1)),
        drawBars(reference.score.counts),
      ],
    ],
  }),
  ({ manifest: { training } }) => ({
    title: 'Lineage',
    sentence:
      training.lineage === undefined
        ? 'Training wrote none.'
        : 'What went into it, by hash, and the libraries that made it.',
    head: ['field', 'value'],
    rows: flatten(training.lineage ?? {}),
  }),
]

const composeLife = ({ life }: CardSource): readonly CardSection[] =>
  life === undefined
    ? []
    : [
        {
          title: 'Life',
          sentence:
            life.length === 0
              ? 'The ledger of this pipeline never changed its part.'
              : 'Who let it score, and why, by the ledger of the pipeline.',
          head: ['epoch', 'when', 'who', 'from', 'to', 'why'],
          rows: life.map(({ epoch, whenMs, who, before, after, why }) => [
            String(epoch),
            new Date(whenMs).toISOString(),
            who,
            before,
            after,
            why,
          ]),
        },
      ]

/** Objects and lists within as dotted names. */
function flatten(fields: object, prefix = ''): string[][] {
  return Object.entries(fields).flatMap(([name, value]: [string, unknown]) =>
    typeof value === 'object' && value !== null
      ? flatten(value, `${prefix}${name}.`)
      : [[`${prefix}${name}`, sayValue(value)]],
  )
}

function sayValue(value: unknown): string {
  if (value === undefined || value === null) return '–'
  if (typeof value !== 'number' || Number.isInteger(value)) return String(value)
  return String(Number(value.toPrecision(5)))
}

const barsBySize = '▁▂▃▄▅▆▇█'

function drawBars(counts: readonly number[]): string {
  const largest = Math.max(1, ...counts)
  return counts.map((count) => barsBySize[Math.floor((count / largest) * 7)]).join('')
}

export function writeCard(
  { manifest: { name, version } }: CardSource,
  card: readonly CardSection[],
) {
  const lines = card.flatMap(({ title, sentence, head, rows }) => [
    '',
    title.toUpperCase(),
    sentence,
    ...(rows.length === 0 ? [] : layOut([head, ...rows])),
  ])
  return [`${name} ${version}`, ...lines].join('\n')
}

function layOut(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map(
    (row) =>
      `  ${row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd()}`,
  )
}

export function drawCard({ manifest }: CardSource, card: readonly CardSection[]): string {
  const title = `Model ${manifest.name} ${manifest.version}`
  const body = card.map(({ title: heading, sentence, head, rows }) =>
    drawSection(
      heading,
      sentence,
      ...(rows.length === 0 ? [] : [drawTable(rows, head.map(toColumn))]),
    ),
  )
  return drawPage(title, body.join('\n'))
}

const toColumn = (title: string, index: number) => ({
  title,
  say: (row: readonly string[]) => row[index]!,
  isText: true,
})
