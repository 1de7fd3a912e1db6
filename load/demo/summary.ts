// What a demo ends with: the conservation equation, two events to look at, and where to go on.
//
// In: the settlement, the faults, the examples, names. Out: lines of text. Nothing is measured or
// asked here: what the lines say was found by settlement.ts and outcome-watch.ts.

import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'
import type {
  FraudAlertRecord,
  ScoredTransactionRecord,
} from '../../services/pipeline/publish/output-records.ts'
import { formatCount } from './live-table.ts'
import type { Settlement } from './settlement.ts'

export type DemoResult = Settlement & {
  readonly seconds: number
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  readonly eventsPerSecond: number
  readonly faults: readonly string[]
}

type SummaryParts = {
  readonly result: DemoResult
  readonly definition: PipelineDefinition
  readonly scored: ScoredTransactionRecord | null
  readonly alert: FraudAlertRecord | null
  readonly logFolder: string
}

export function summaryLines({
  result,
  definition,
  scored,
  alert,
  logFolder,
}: SummaryParts): string[] {
  return [
    ...conservationLines(result),
    ...exampleLines(
      'A scored event',
      definition.topics.scored,
      scored && named(scored, definition),
    ),
    ...exampleLines('An alert', definition.topics.alerts, alert && rounded(alert)),
    ...directionLines(definition, logFolder),
  ]
}

function conservationLines(result: DemoResult): string[] {
  const { received, scored, rejected, diverted, difference, lag, labels } = result
  const terms = [received, scored, rejected, diverted].map(formatCount)
  const names = ['received', 'scored', 'rejected', 'diverted']
  const width = (i: number) => Math.max(names[i]!.length, terms[i]!.length)
  const equation = (parts: readonly string[]) => {
    const [left, ...right] = parts.map((part, i) => part.padStart(width(i)))
    return `  ${left}  =  ${right.join('  +  ')}`
  }
  const { p50Ms, p99Ms, flagged, alerts } = result
  const share = scored === 0 ? 0 : (100 * flagged) / scored
  return [
    '',
    'Conservation, counted in the topics by a reader of committed records:',
    '',
    equation(names),
    `${equation(terms)}     difference ${difference}, lag ${lag}`,
    '',
    `  ${formatCount(flagged)} flagged (${share.toFixed(2)} %), ${formatCount(alerts)} alerts, ` +
      `${formatCount(labels)} labels learnt from`,
    `  end to end p50 ${milliseconds(p50Ms)}, p99 ${milliseconds(p99Ms)} over the whole run`,
    ...verdictLines(result.faults),
  ]
}

const milliseconds = (value: number | null): string =>
  value === null ? 'unknown' : `${value.toFixed(1)} ms`

const verdictLines = (faults: readonly string[]): string[] =>
  faults.length === 0
    ? ["  the scorer's own books say the same", '']
    : ['', ...faults.map((fault) => `  FAULT: ${fault}`), '']

function exampleLines(title: string, topic: string, event: object | null): string[] {
  if (event === null) return [`${title} (topic ${topic}): none`, '']
  return [`${title} (topic ${topic}):`, '', ...JSON.stringify(event, null, 2).split('\n'), '']
}

function directionLines({ topics }: PipelineDefinition, logFolder: string): string[] {
  const { transactions, labels, scored, alerts, driftSamples, rejected, late } = topics
  const inputs = [transactions, ...(labels === null ? [] : [labels])]
  const outputs = [scored, alerts, driftSamples, rejected, late]
  return [
    'Where to look next',
    '',
    `  read     ${inputs.join(', ')}`,
    ...outputs.map((topic, i) => `  ${i === 0 ? 'written' : '       '}  ${topic}`),
    `  logs     ${logFolder}`,
    '  more     npm run demo -- --seconds 60 --rate 3000',
    '           npm run stack -- up                    a stack that stays; prints its endpoints',
    '           npm run weir -- topics apply           topics and schemas on it',
    '           npm run weir -- score                  the scorer; http://localhost:9464/metrics',
    '           npm run bench -- drain                 how fast',
    '  pages    README.md, docs/, pipelines/card-fraud.yaml',
  ]
}

/** Each feature beside its name, so that the vector can be read. */
function named(event: ScoredTransactionRecord, { features, entities }: PipelineDefinition): object {
  const vector = features.map(({ name }, i) => [name, event.features[i]!])
  const ordinals = entities.map(({ name }, i) => [name, event.ordinals[i]!])
  return rounded({
    ...event,
    features: Object.fromEntries(vector),
    ordinals: Object.fromEntries(ordinals),
  })
}

/** Float32 values as short as they are exact to the eye. */
const rounded = (event: object): object =>
  JSON.parse(
    JSON.stringify(event, (_key, value: unknown) =>
      typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value,
    ),
  ) as object
