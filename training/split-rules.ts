// Which ranges of time may serve for what.
//
//   fold      train ──── labelDelay ────► validate
//   final     train ──── labelDelay ────► the moment the model is made = the first test range begins
//   and           validate ─ labelDelay ─►┘
//
// In: a config whose shape is sound. Out: faults. Refused: unknown histories, times that do not
// exist, empty ranges, and any gap in which labels of the earlier range could not have come in yet.

import { parseDuration } from '../services/adapters/pipeline-file/duration.ts'
import { type Fault, type Path, quote, suggest } from '../services/adapters/pipeline-file/pipeline-fault.ts'
import { nearestName } from '../services/core/nearest-name.ts'
import type { ConfigFile } from './training-config.ts'

type Placed = {
  readonly path: Path
  readonly history?: string
  readonly from: string
  readonly to: string
}

export function findSplitFaults(file: ConfigFile): readonly Fault[] {
  const { split } = file
  const at = (range: Omit<Placed, 'path'>, ...path: Path): Placed => {
    return { ...range, path: ['split', ...path] }
  }
  const folds = split.folds.map(({ train, validate }, i) => ({
    train: at(train, 'folds', i, 'train'),
    validate: at(validate, 'folds', i, 'validate'),
  }))
  const train = split.train === undefined ? [] : [at(split.train, 'train')]
  const tests = split.test.map((range, i) => at(range, 'test', i))
  const all = [...folds.flatMap((fold) => [fold.train, fold.validate]), ...train, ...tests]
  const broken = [
    ...all.flatMap((range) => findRangeFaults(range, Object.keys(file.histories))),
    ...findTimeFaults(file),
  ]
  if (broken.length > 0) return broken
  const labelDelayMs = parseDuration(split.labelDelay)
  const madeAt = tests.reduce((a, b) => (Date.parse(a.from) <= Date.parse(b.from) ? a : b))
  const before = (earlier: Placed, later: Placed, what: string): readonly Fault[] =>
    findGapFaults(earlier, later, { what, labelDelayMs, labelDelay: split.labelDelay })
  return [
    ...folds.flatMap((fold) => [
      ...before(fold.train, fold.validate, 'the validation'),
      ...before(fold.validate, madeAt, 'the first test'),
    ]),
    ...train.flatMap((range) => before(range, madeAt, 'the first test')),
  ]
}

function findRangeFaults(range: Placed, names: readonly string[]): readonly Fault[] {
  const { path, history, from, to } = range
  if (history === undefined && names.length > 1) {
    const expected = `the key history, one of ${names.join(', ')}`
    return [{ path, at: 'value', found: 'no history', expected }]
  }
  if (history !== undefined && !names.includes(history)) {
    return [
      {
        path: [...path, 'history'],
        at: 'value',
        found: quote(history),
        expected: `one of ${names.join(', ')}`,
        ...suggest(nearestName(history, names)),
      },
    ]
  }
  const unreal = (['from', 'to'] as const).filter((key) => !isTime(range[key]))
  if (unreal.length > 0) return unreal.map((key) => toTimeFault([...path, key], range[key]))
  if (Date.parse(from) < Date.parse(to)) return []
  return [{ path: [...path, 'to'], at: 'value', found: to, expected: `a time after ${from}` }]
}

function findTimeFaults({ createdAt, histories }: ConfigFile): readonly Fault[] {
  const starts = Object.entries(histories).flatMap(([name, { generator }]) =>
    generator === undefined
      ? []
      : [{ path: ['histories', name, 'generator', 'start'], text: generator.start }],
  )
  return [{ path: ['createdAt'], text: createdAt }, ...starts]
    .filter(({ text }) => !isTime(text))
    .map(({ path, text }) => toTimeFault(path, text))
}

const isTime = (text: string): boolean => {
  const timeMs = Date.parse(text)
  // 2026-02-30 parses as March.
  return Number.isFinite(timeMs) && new Date(timeMs).toISOString().startsWith(text.slice(0, 10))
}

const toTimeFault = (path: Path, text: string): Fault => ({
  path,
  at: 'value',
  found: quote(text),
  expected: 'a day and time that exist',
})

type GapRule = {
  readonly what: string
  readonly labelDelayMs: number
  readonly labelDelay: string
}

function findGapFaults(earlier: Placed, later: Placed, rule: GapRule): readonly Fault[] {
  const readyMs = Date.parse(earlier.to) + rule.labelDelayMs
  if (readyMs <= Date.parse(later.from)) return []
  const latest = new Date(Date.parse(later.from) - rule.labelDelayMs).toISOString()
  return [
    {
      path: [...earlier.path, 'to'],
      at: 'value',
      found: earlier.to,
      expected: `${latest} or earlier: split.labelDelay (${rule.labelDelay}) before ${rule.what} begins`,
    },
  ]
}
