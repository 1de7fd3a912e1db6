// A training config: what is trained, on which history, and how it is split.
//
//   text ─ schemas/training.schema.json ─► shape ─► times, names and gaps ─► TrainingConfig
//
// In: a YAML (or JSON) file. Out: the config, times in ms, defaults filled in, with its hash.
// Refused as TrainingFault, all faults at once, each with its line: what the schema does not know,
// a history that is not there, ranges out of the order of time, and gaps shorter than labels take.
// Invariant: where it passes, nothing that is trained on is later than what it is measured on.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Ajv, type ErrorObject } from 'ajv'
import { parseDuration } from '../services/adapters/pipeline-file/duration.ts'
import { parsePipelineDocument } from '../services/adapters/pipeline-file/pipeline-document.ts'
import {
  describeValue,
  type Fault,
  formatFault,
  type Path,
  quote,
  suggest,
} from '../services/adapters/pipeline-file/pipeline-fault.ts'
import { toCanonicalJson } from '../services/adapters/pipeline-file/pipeline-hashes.ts'
import { nearestName } from '../services/core/nearest-name.ts'
import { findSplitFaults } from './split-rules.ts'

/** Event times in [fromMs, toMs) of one history. */
export type Range = { readonly history: string; readonly fromMs: number; readonly toMs: number }
export type Fold = { readonly train: Range; readonly validate: Range }

export type Split = {
  readonly labelDelayMs: number
  readonly folds: readonly Fold[]
  /** Null: the model of the last fold is the final one. */
  readonly train: Range | null
  readonly test: readonly Range[]
}

export type HistorySpec = {
  readonly transactions?: readonly string[]
  readonly labels?: readonly string[]
  readonly generator?: Readonly<Record<string, unknown>> & { readonly start: string }
}

export type TrainingConfig = {
  readonly pipeline: string
  readonly model: {
    readonly name: string
    readonly version: string
    readonly folder: string | null
  }
  readonly out: string
  readonly cache: string
  readonly seed: number
  readonly createdAt: string
  readonly histories: Readonly<Record<string, HistorySpec>>
  readonly split: Split
  readonly objective: 'averagePrecision' | 'rocAuc'
  readonly boosting: Readonly<Record<string, number>>
  readonly search: {
    readonly grid: Readonly<Record<string, readonly number[]>>
    readonly draws: number | null
  }
  readonly rounds: { readonly max: number; readonly patience: number | null }
  readonly calibration: 'isotonic' | 'platt' | 'none'
  /** Shares of genuine events. */
  readonly thresholds: { readonly review: number; readonly block: number }
  readonly costs: string | null
  /** sha-256 of what it says, places (out, cache, model.folder, paths) left out. */
  readonly hash: string
}

type RangeText = { readonly history?: string; readonly from: string; readonly to: string }
type Rate = { readonly falsePositiveRate: number }

/** The file as the schema has it. */
export type ConfigFile = {
  readonly pipeline: string
  readonly model: { readonly name: string; readonly version: string; readonly folder?: string }
  readonly out: string
  readonly cache?: string
  readonly seed: number
  readonly createdAt: string
  readonly histories: Readonly<Record<string, HistorySpec>>
  readonly split: {
    readonly labelDelay: string
    readonly folds: readonly { readonly train: RangeText; readonly validate: RangeText }[]
    readonly train?: RangeText
    readonly test: readonly RangeText[]
  }
  readonly objective?: TrainingConfig['objective']
  readonly boosting?: Readonly<Record<string, number>>
  readonly search?: {
    readonly grid: Readonly<Record<string, readonly number[]>>
    readonly draws?: number
  }
  readonly rounds: { readonly max: number; readonly patience?: number }
  readonly calibration?: TrainingConfig['calibration']
  readonly thresholds?: { readonly review: Rate; readonly block: Rate }
  readonly costs?: string
}

export const schemaUrl = new URL('../schemas/training.schema.json', import.meta.url)
const matchesSchema = new Ajv({ allErrors: true, verbose: true }).compile<ConfigFile>(
  JSON.parse(readFileSync(schemaUrl, 'utf8')),
)

/** What a user did wrong, in words that need no stack. */
export class TrainingFault extends Error {}

export function loadTrainingConfig(
  path: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): TrainingConfig {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new TrainingFault(`${path} cannot be read: ${(cause as Error).message}`, { cause })
  }
  return readTrainingConfig(text, path, environment)
}

export function readTrainingConfig(
  text: string,
  source: string,
  environment: Readonly<Record<string, string | undefined>> = {},
): TrainingConfig {
  const document = parsePipelineDocument(text)
  const refuse = (faults: readonly Fault[]): never => {
    const located = [
      ...document.faults,
      ...faults.map((fault) => ({ ...fault, position: document.locate(fault.path, fault.at) })),
    ]
    const lines = located.map(
      (fault) => `${source}:${fault.position.line}:${fault.position.column}  ${formatFault(fault)}`,
    )
    const unique = [...new Set(lines)]
    const count = unique.length === 1 ? '1 fault' : `${unique.length} faults`
    throw new TrainingFault(`${count}:\n${unique.join('\n')}`)
  }
  if (!document.isReadable || document.faults.length > 0) return refuse([])
  const value = document.value
  if (!matchesSchema(value)) {
    return refuse((matchesSchema.errors ?? []).flatMap((error) => toFault(error) ?? []))
  }
  const faults = [
    ...findHistoryFaults(value),
    ...findSplitFaults(value),
    ...findThresholdFaults(value),
  ]
  if (faults.length > 0) return refuse(faults)
  return toConfig(value, environment)
}

const defaults = {
  cache: '.weir/training',
  objective: 'averagePrecision',
  calibration: 'isotonic',
  thresholds: { review: { falsePositiveRate: 0.01 }, block: { falsePositiveRate: 0.0005 } },
} as const

function toConfig(
  file: ConfigFile,
  environment: Readonly<Record<string, string | undefined>>,
): TrainingConfig {
  const place = (path: string): string => expandPath(path, environment)
  const { model, split, search, rounds } = file
  const thresholds = file.thresholds ?? defaults.thresholds
  const names = Object.keys(file.histories)
  const toRange = ({ history, from, to }: RangeText): Range => ({
    history: history ?? names[0]!,
    fromMs: Date.parse(from),
    toMs: Date.parse(to),
  })
  return {
    pipeline: place(file.pipeline),
    model: { ...model, folder: model.folder === undefined ? null : place(model.folder) },
    out: place(file.out),
    cache: place(file.cache ?? defaults.cache),
    seed: file.seed,
    createdAt: new Date(file.createdAt).toISOString(),
    histories: Object.fromEntries(
      Object.entries(file.histories).map(([name, spec]) => [name, placeFiles(spec, place)]),
    ),
    split: {
      labelDelayMs: parseDuration(split.labelDelay),
      folds: split.folds.map(({ train, validate }) => ({
        train: toRange(train),
        validate: toRange(validate),
      })),
      train: split.train === undefined ? null : toRange(split.train),
      test: split.test.map(toRange),
    },
    objective: file.objective ?? defaults.objective,
    boosting: file.boosting ?? {},
    search: { grid: search?.grid ?? {}, draws: search?.draws ?? null },
    rounds: { max: rounds.max, patience: rounds.patience ?? null },
    calibration: file.calibration ?? defaults.calibration,
    thresholds: {
      review: thresholds.review.falsePositiveRate,
      block: thresholds.block.falsePositiveRate,
    },
    costs: file.costs === undefined ? null : place(file.costs),
    hash: hashConfig(file),
  }
}

function placeFiles(spec: HistorySpec, place: (path: string) => string): HistorySpec {
  const { transactions, labels } = spec
  if (transactions === undefined) return spec
  return { transactions: transactions.map(place), labels: (labels ?? []).map(place) }
}

/** Files count by their content and the pipeline by its own hashes, wherever they lie. */
function hashConfig({ out: _out, cache: _cache, pipeline: _pipeline, ...rest }: ConfigFile) {
  const { folder: _folder, ...model } = rest.model
  const histories = Object.fromEntries(
    Object.entries(rest.histories).map(([name, { generator }]) => [name, generator ?? null]),
  )
  const { costs: _costs, ...said } = { ...rest, model, histories }
  return createHash('sha256').update(toCanonicalJson(said)).digest('hex')
}

/** `${NAME}` and `${NAME:-default}` at the front of a path, as a shell has them. */
function expandPath(path: string, environment: Readonly<Record<string, string | undefined>>) {
  return path.replace(/^\$\{(\w+)(?::-([^}]*))?\}/, (_all, name: string, fallback?: string) => {
    const value = environment[name] || fallback
    if (value !== undefined) return value
    throw new TrainingFault(`${path}: found ${name} not set, expected a folder in it`)
  })
}

function findHistoryFaults({ histories }: ConfigFile): readonly Fault[] {
  return Object.entries(histories).flatMap(([name, { transactions, labels, generator }]) => {
    const path = ['histories', name]
    const fault = (found: string, expected: string): Fault[] => [
      { path, at: 'value', found, expected },
    ]
    if (generator !== undefined && (transactions !== undefined || labels !== undefined)) {
      return fault('generator and files', 'one of the two')
    }
    if (generator !== undefined) return []
    if (transactions === undefined) return fault('no transactions', 'transactions and labels')
    if (labels === undefined) return fault('no labels', 'labels: nothing is learnt without them')
    return []
  })
}

function findThresholdFaults({ thresholds }: ConfigFile): readonly Fault[] {
  if (thresholds === undefined) return []
  const { review, block } = thresholds
  if (block.falsePositiveRate <= review.falsePositiveRate) return []
  return [
    {
      path: ['thresholds', 'block', 'falsePositiveRate'],
      at: 'value',
      found: describeValue(block.falsePositiveRate),
      expected: `${review.falsePositiveRate} or less, the rate of review: whoever is blocked is flagged`,
    },
  ]
}

/** One error of ajv as a fault; null where another error says it better. */
function toFault(error: ErrorObject): Fault | null {
  const schema = error.parentSchema as {
    readonly title?: string
    readonly properties?: Readonly<Record<string, unknown>>
    readonly enum?: readonly string[]
  }
  const path: Path = error.instancePath
    .split('/')
    .slice(1)
    .map((step) => (/^\d+$/.test(step) ? Number(step) : step))
  if (error.keyword === 'propertyNames') return null
  if (error.propertyName !== undefined) {
    const nearest = nearestName(error.propertyName, schema.enum ?? [])
    return {
      path: [...path, error.propertyName],
      at: 'key',
      found: quote(error.propertyName),
      expected: schema.title ?? 'another name',
      ...suggest(nearest),
    }
  }
  if (error.keyword === 'additionalProperties') {
    const key = String(error.params.additionalProperty)
    const known = Object.keys(schema.properties ?? {})
    return {
      path: [...path, key],
      at: 'key',
      found: `unknown key ${quote(key)}`,
      expected: `one of ${known.join(', ')}`,
      ...suggest(nearestName(key, known)),
    }
  }
  if (error.keyword === 'required') {
    const found = `only ${Object.keys(error.data as object).join(', ') || 'an empty map'}`
    return { path, at: 'value', found, expected: `the key ${error.params.missingProperty}` }
  }
  const expected = schema.title ?? error.message ?? ''
  return { path, at: 'value', found: describeValue(error.data), expected }
}
