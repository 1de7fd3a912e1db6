// The gates before traffic, as a table: what each looks at, what it found, its limit, its verdict.
//
// In: the evidence of a model's folder, the pipeline's features, limits, backtests. Out: one row
// for each gate, in the table's order. Refused: nothing. Invariants: every gate is asked, whatever
// the others say; what could not be looked at because something before it is wrong has failed;
// skipped is only what nobody asked for.

import { basename, dirname } from 'node:path'
import { goldenDifferenceMax } from '../adapters/models/golden-vectors.ts'
import type { TrialStep } from '../adapters/onnx/graph-trial.ts'
import { isScore } from '../adapters/onnx/worker-messages.ts'
import { featureSetFaults, type ModelManifest } from '../models/manifest.ts'
import { type BacktestTerms, judgeBias, judgeMetrics } from './backtest-gates.ts'
import type { ExtremeRows } from './extreme-rows.ts'
import type { ModelEvidence } from './model-evidence.ts'

export type GateVerdict = 'passed' | 'failed' | 'skipped'
export type GateOutcome = {
  readonly verdict: GateVerdict
  /** What was found; of a skipped gate, why. */
  readonly found: string
  readonly limit: string
}
export type GateRow = GateOutcome & { readonly gate: string }

export type Judgement = {
  /** What the verdicts are about. */
  readonly manifestSha256: string
  /** Null where the manifest is not in order. */
  readonly model: { readonly name: string; readonly version: string } | null
  readonly isPassed: boolean
  readonly gates: readonly GateRow[]
}

export type GateTerms = BacktestTerms & {
  readonly sizeBytesMax: number
  /** The pipeline's feature names in order; null where no pipeline file was given. */
  readonly features: readonly string[] | null
  readonly isSigned: boolean
  readonly latency: { readonly rows: number; readonly budgetMs: number } | null
}

type Gate = (evidence: ModelEvidence, terms: GateTerms) => GateOutcome

const gateTable = {
  manifest: ({ manifest, folder }) => {
    const limit = 'model-manifest.md, name and version of its folder'
    if ('fault' in manifest) return failed(manifest.fault, limit)
    const { name, version } = manifest.value
    const place = `${basename(dirname(folder))}/${basename(folder)}`
    return judge(place === `${name}/${version}`, `${name}/${version} in ${place}`, limit)
  },
  signature: ({ signature }, { isSigned }) => {
    const limit = isSigned ? 'a key of WEIR_MODEL_KEYS' : 'none asked for'
    if ('fault' in signature) return failed(signature.fault, limit)
    if (signature.value !== null) return passed(`key ${signature.value.slice(0, 16)}`, limit)
    return { verdict: 'skipped', found: 'no signature of a trusted key', limit }
  },
  size: withManifest((_, { files }, { sizeBytesMax }) => {
    const bad = files.filter(({ sizeBytes }) => sizeBytes === null || sizeBytes > sizeBytesMax)
    const shown = (bad.length === 0 ? files : bad).map(
      ({ path, sizeBytes }) => `${path} ${sizeBytes ?? 'missing'}`,
    )
    return judge(bad.length === 0, shown.join(', '), `${sizeBytesMax} bytes a file`)
  }),
  hashes: withManifest((_, { files }) => {
    const bad = files.flatMap(({ path, bytes }) =>
      'fault' in bytes ? [`${path}: ${bytes.fault}`] : [],
    )
    const found = bad.length === 0 ? `${files.length} files` : bad.join('; ')
    return judge(bad.length === 0, found, 'sha-256 of the manifest')
  }),
  features: withManifest((manifest, _, { features }) => {
    const { names, hash } = manifest.featureSet
    const limit = "the pipeline's names in its order"
    if (features === null) return { verdict: 'skipped', found: 'no --pipeline', limit }
    const faults = featureSetFaults(manifest, features)
    const found = `${names.length} features, ${hash.slice(0, 12)}`
    return judge(faults.length === 0, faults.length === 0 ? found : faults.join('; '), limit)
  }),
  'external data': withManifest((_, { files }) => {
    const graphs = files.flatMap(({ path, graph }) => (graph === null ? [] : [{ path, graph }]))
    const bad = graphs.flatMap(({ graph }) => ('fault' in graph ? [graph.fault] : []))
    const found = bad.length === 0 ? graphs.map(({ path }) => path).join(', ') : bad.join('; ')
    return judge(bad.length === 0, found, 'every tensor in the graph itself')
  }),
  opset: (evidence) => judgeOpsets(evidence),
  output: trialGate('output', '[n], [n, 1] or [n, 2]', (columns) => ({
    isRight: true,
    found: columns === 0 ? '[n]' : `[n, ${columns}]`,
  })),
  golden: trialGate('golden', `difference ${goldenDifferenceMax}`, judgeDifference),
  'golden gpu': trialGate('goldenGpu', `difference ${goldenDifferenceMax}`, judgeDifference),
  extremes: extremesGate('extremes'),
  'extremes gpu': extremesGate('extremesGpu'),
  parity: parityGate('parity'),
  'parity gpu': parityGate('parityGpu'),
  latency: (evidence, terms) => {
    const { latency } = terms
    const limit = latency === null ? 'none given' : `p99 ${latency.budgetMs} ms`
    return trialGate('latency', limit, (p99) => ({
      isRight: latency !== null && p99 <= latency.budgetMs,
      found: `p99 ${p99.toFixed(3)} ms for ${latency?.rows} rows`,
    }))(evidence, terms)
  },
  'backtest metrics': withManifest((manifest, _, terms) => judgeMetrics(idOf(manifest), terms)),
  'backtest bias': withManifest((manifest, _, terms) => judgeBias(idOf(manifest), terms)),
} satisfies Readonly<Record<string, Gate>>

export const judgeModel = (evidence: ModelEvidence, terms: GateTerms): readonly GateRow[] =>
  Object.entries<Gate>(gateTable).map(([gate, look]) => ({ gate, ...look(evidence, terms) }))

/** Why a step of the trial was not asked for; null where it was. */
function sayUnasked(
  step: TrialStep,
  { manifest, parity }: ModelEvidence,
  { latency, features }: GateTerms,
): string | null {
  const isOfGpu = step === 'goldenGpu' || step === 'parityGpu' || step === 'extremesGpu'
  if (isOfGpu && 'value' in manifest && manifest.value.files.gpu === undefined) {
    return 'the manifest names no gpu graph'
  }
  const isOfExtremes = step === 'extremes' || step === 'extremesGpu'
  if (isOfExtremes && features === null) return 'no --pipeline'
  const isOfParity = step === 'parity' || step === 'parityGpu'
  if (isOfParity && parity === null) return 'the manifest names no parity rows; no --parity'
  return step === 'latency' && latency === null ? 'no --latency-budget' : null
}

function parityGate(step: 'parity' | 'parityGpu'): Gate {
  const limit = `difference ${goldenDifferenceMax}`
  return (evidence, terms) => {
    const { parity, trial } = evidence
    const isAsked = sayUnasked(step, evidence, terms) === null
    if (isAsked && 'value' in trial && parity !== null && 'fault' in parity)
      return failed(parity.fault, limit)
    const count = parity !== null && 'value' in parity ? parity.value.count : 0
    return trialGate(step, limit, (difference) => {
      const { isRight, found } = judgeDifference(difference)
      return { isRight, found: `${found} of ${count} rows` }
    })(evidence, terms)
  }
}

/** The rows that are told; a model that fails at one end often fails at many. */
const extremesTold = 4

function extremesGate(step: 'extremes' | 'extremesGpu'): Gate {
  const limit = 'a score from 0 to 1 at the ends of every feature'
  return (evidence, terms) => {
    const { extremes, trial } = evidence
    const isOpened = 'value' in evidence.manifest && 'value' in trial
    if (isOpened && sayUnasked(step, evidence, terms) === null && extremes === null) {
      return failed("not run: the features are not the pipeline's", limit)
    }
    return trialGate(step, limit, (bad, scores) => ({
      isRight: bad === 0,
      found: bad === 0 ? `${extremes!.count} rows` : tellExtremes(extremes!, scores!),
    }))(evidence, terms)
  }
}

function tellExtremes({ names }: ExtremeRows, scores: Float32Array): string {
  const bad = names.flatMap((name, row) =>
    isScore(scores[row]!) ? [] : [`${name}: scores ${scores[row]}`],
  )
  const rest = bad.length > extremesTold ? `; ${bad.length} of ${names.length} rows in all` : ''
  return bad.slice(0, extremesTold).join('; ') + rest
}

function trialGate(
  step: TrialStep,
  limit: string,
  look: (
    value: number,
    scores?: Float32Array,
  ) => { readonly isRight: boolean; readonly found: string },
): Gate {
  return (evidence, terms) => {
    const { trial } = evidence
    const reason = sayUnasked(step, evidence, terms)
    if (reason !== null) return { verdict: 'skipped', found: reason, limit }
    if ('fault' in trial) return failed(`not opened: ${trial.fault}`, limit)
    const answer = trial.value.get(step)
    if (answer === undefined || 'fault' in answer)
      return failed(answer?.fault ?? 'no answer', limit)
    const { isRight, found } = look(answer.value, answer.scores)
    return judge(isRight, found, limit)
  }
}

function withManifest(
  look: (manifest: ModelManifest, evidence: ModelEvidence, terms: GateTerms) => GateOutcome,
): Gate {
  return (evidence, terms) => {
    const { manifest } = evidence
    if ('value' in manifest) return look(manifest.value, evidence, terms)
    return failed('the manifest is not in order', 'a manifest')
  }
}

function judgeDifference(difference: number) {
  return {
    isRight: difference <= goldenDifferenceMax,
    found: `largest ${difference.toPrecision(3)}`,
  }
}

/** Whether the runtime has kernels is asked by loading; a table of versions is soon wrong. */
function judgeOpsets({ files, trial }: ModelEvidence): GateOutcome {
  const limit = "loaded by the scorer's ONNX Runtime"
  if ('fault' in trial) return failed(`not opened: ${trial.fault}`, limit)
  const loaded = files.flatMap(({ role, path, graph }) => {
    if (graph === null || 'fault' in graph) return []
    const answer = trial.value.get(role === 'cpu' ? 'load' : 'loadGpu')
    const asked = [...graph.value.opsets].map((one) => one.join(' ')).join(', ')
    const isRight = answer !== undefined && 'value' in answer
    const fault = answer !== undefined && 'fault' in answer ? answer.fault : 'no answer'
    return [{ isRight, text: `${path} ${asked}${isRight ? '' : `: ${fault}`}` }]
  })
  const bad = loaded.filter(({ isRight }) => !isRight)
  const shown = (bad.length === 0 ? loaded : bad).map(({ text }) => text).join('; ')
  return judge(bad.length === 0, shown, limit)
}

const idOf = ({ name, version, files }: ModelManifest) => ({
  name,
  version,
  sha256: files.cpu.sha256,
})

const passed = (found: string, limit: string): GateOutcome => ({ verdict: 'passed', found, limit })
const failed = (found: string, limit: string): GateOutcome => ({ verdict: 'failed', found, limit })
const judge = (isRight: boolean, found: string, limit: string): GateOutcome =>
  isRight ? passed(found, limit) : failed(found, limit)
