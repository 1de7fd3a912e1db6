// A folder of `weir replay` in, whether the model that it measured may follow the champion out.
//
// In: run folders (manifest.json, report.json), the model's graph, margins. Out: the outcome of the
// two gates. Refused with WEIR_SETTINGS_INVALID: a folder that is no run of `weir replay` with a
// report. Invariants: a run of another graph than the model's proves nothing of it; two runs are
// compared only where they measured the same events; a measure that is null is a failure, never a
// pass.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BacktestDetail } from '../backtest/backtest.ts'
import { WeirError } from '../core/errors.ts'
import type { GateOutcome } from './model-gates.ts'

type Model = { readonly name: string; readonly version: string; readonly sha256: string }

type BacktestRun = {
  readonly folder: string
  /** The champion first. */
  readonly models: readonly Model[]
  readonly measured: number
  readonly frauds: number
  readonly backtest: BacktestDetail
}

export type BacktestTerms = {
  readonly run: BacktestRun | null
  /** Null: the champion of the run itself. */
  readonly championRun: BacktestRun | null
  readonly margin: number
  readonly biasRatioMax: number
  readonly biasGenuineMin: number
}

const comparedMeasures = [
  'averagePrecision',
  'rocAuc',
  'cardPrecisionAt100',
  'recallAtReview',
] as const

export function readBacktestRun(folder: string): BacktestRun {
  const manifest = readJson(join(folder, 'manifest.json')) as {
    readonly model?: Model | null
    readonly challengers?: readonly Model[]
  }
  const report = readJson(join(folder, 'report.json')) as Partial<BacktestRun>
  const { measured, frauds, backtest } = report
  const isWhole = measured !== undefined && frauds !== undefined && Array.isArray(backtest?.models)
  if (!isWhole || !manifest.model || !Array.isArray(manifest.challengers)) {
    const expected = 'expected a run of this version of `weir replay` with scores and labels'
    throw new WeirError('WEIR_SETTINGS_INVALID', `${folder}: found no backtest, ${expected}`)
  }
  const models = [manifest.model, ...manifest.challengers]
  return { folder, models, measured, frauds, backtest: backtest as BacktestDetail }
}

const isKnown = (value: number | null | undefined): value is number => typeof value === 'number'

function readJson(path: string): object {
  try {
    const document: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (typeof document === 'object' && document !== null) return document
    throw new Error('it is not an object')
  } catch (cause) {
    const detail = `${path} cannot be read: ${(cause as Error).message}`
    throw new WeirError('WEIR_SETTINGS_INVALID', detail, { cause })
  }
}

export function judgeMetrics(model: Model, terms: BacktestTerms): GateOutcome {
  const { run, championRun, margin } = terms
  const limit = `champion's - ${margin}`
  if (run === null) return { verdict: 'skipped', found: 'no --backtest', limit }
  const own = findMeasures(run, model)
  if (typeof own === 'string') return { verdict: 'failed', found: own, limit }
  const other = championRun ?? run
  if (other.models[0]!.sha256 === model.sha256) {
    const found = 'the champion of the run is this very graph'
    // Whoever names a run to compare with must not pass by naming the wrong one.
    return { verdict: championRun === null ? 'skipped' : 'failed', found, limit }
  }
  const unlike = describeUnlike(run, other)
  if (unlike !== null) return { verdict: 'failed', found: unlike, limit }
  const champion = other.backtest.models[0]!
  const isWorse = comparedMeasures.filter((measure) => {
    const [found, wanted] = [own[measure], champion[measure]]
    // A run of an older Weir may lack a measure: that is no pass either.
    return !isKnown(found) || !isKnown(wanted) || found < wanted - margin
  })
  const say = (value: number | null) => (isKnown(value) ? value.toFixed(4) : 'unknown')
  const shown = isWorse.length === 0 ? comparedMeasures : isWorse
  const found = shown.map((name) => `${name} ${say(own[name])}, champion ${say(champion[name])}`)
  return { verdict: isWorse.length === 0 ? 'passed' : 'failed', found: found.join('; '), limit }
}

/** The report's segments are the champion's, so the bias of a challenger is in a run of its own. */
export function judgeBias(model: Model, terms: BacktestTerms): GateOutcome {
  const { run, biasRatioMax, biasGenuineMin } = terms
  const limit = `${biasRatioMax} times the overall rate, from ${biasGenuineMin} genuine events`
  if (run === null) return { verdict: 'skipped', found: 'no --backtest', limit }
  const own = findMeasures(run, model)
  if (typeof own === 'string') return { verdict: 'failed', found: own, limit }
  if (own.role !== 'champion') {
    const found = 'it is a challenger of the run, whose segments are the champion’s'
    return { verdict: 'skipped', found, limit }
  }
  const { segments, thresholds } = run.backtest
  const overall = thresholds.find(({ name }) => name === 'review')?.falsePositiveRate ?? null
  if (overall === null) return { verdict: 'failed', found: 'no false-positive rate', limit }
  const all = Object.entries(segments).flatMap(([kind, rows]) =>
    rows.map((row) => ({ kind, ...row })),
  )
  const judged = all.filter(({ genuine }) => genuine >= biasGenuineMin)
  const bad = judged.filter(({ falsePositiveRate: rate }) => (rate ?? 0) > overall * biasRatioMax)
  const say = (rate: number | null) => `${(100 * (rate ?? 0)).toFixed(3)} %`
  const found =
    bad.length === 0
      ? `${judged.length} segments, ${say(overall)} overall`
      : bad
          .map(
            ({ kind, segment, falsePositiveRate }) =>
              `${kind} ${segment} ${say(falsePositiveRate)}`,
          )
          .join(', ')
  return { verdict: bad.length === 0 ? 'passed' : 'failed', found, limit }
}

function findMeasures({ models, backtest, folder }: BacktestRun, model: Model) {
  const index = models.findIndex(({ sha256 }) => sha256 === model.sha256)
  const measures = backtest.models[index]
  return measures ?? `${folder} measured no model with the graph ${model.sha256.slice(0, 12)}`
}

function describeUnlike(run: BacktestRun, other: BacktestRun): string | null {
  const say = ({ measured, frauds, backtest: { from, to, knownSince } }: BacktestRun) =>
    `${measured} events with ${frauds} frauds from ${from} to ${to}, known since ${knownSince}`
  const isSame = say(run) === say(other)
  return isSame ? null : `measured ${say(run)}; the champion ${say(other)}`
}
