// The process that opens a graph on trial: one message in, one answer out for each step that is
// asked for.
//
// Sessions are opened and checked by the scorer's own code, on the CPU; the graph for GPUs is run
// there as well, which proves its numbers and not its speed. Refused: nothing; what a step throws
// is its answer. Invariant: a step that fails does not keep the next one from its answer.

import { errorTable, WeirError } from '../../core/errors.ts'
import type { Golden } from '../models/golden-vectors.ts'
import type { Graph, ModelFiles } from '../models/model-files.ts'
import { readOutputColumns } from './graph-shape.ts'
import {
  isAsked,
  type Trial,
  type TrialMessage,
  type TrialStep,
  trialSteps,
} from './graph-trial.ts'
import { type ModelSession, openModelSession } from './model-session.ts'
import { openGraph } from './open-graph.ts'
import { isScore } from './worker-messages.ts'

const onCpu = { providers: ['cpu'], isRequired: false, workers: 1 } as const
const runsRehearsed = 10
const runsTimed = 200
const extremesAtOnce = 1000

type Found = { readonly value: number; readonly scores?: Float32Array }

const steps: Readonly<Record<TrialStep, (trial: Trial) => Promise<number | Found>>> = {
  load: ({ files }) => loadGraph(files, files.cpu),
  loadGpu: ({ files }) => loadGraph(files, files.gpu!),
  output: ({ files }) => readOutputColumns(files, files.cpu),
  golden: ({ files }) => measureDifference(files, files.golden),
  goldenGpu: ({ files }) => measureDifference(asGpu(files), files.golden),
  extremes: ({ files, extremes }) => scoreExtremes(files, extremes!),
  extremesGpu: ({ files, extremes }) => scoreExtremes(asGpu(files), extremes!),
  parity: ({ files, parity }) => measureDifference(files, parity!),
  parityGpu: ({ files, parity }) => measureDifference(asGpu(files), parity!),
  latency: ({ files, latencyRows }) => measureLatency(files, latencyRows!),
}

/** The graph for GPUs in the place of the one for CPUs. */
const asGpu = (files: ModelFiles): ModelFiles => ({ ...files, cpu: files.gpu! })

async function loadGraph({ manifest }: ModelFiles, graph: Graph): Promise<number> {
  await openGraph(graph, manifest, { intraOpNumThreads: 1 })
  return 0
}

/** Rows on which the graph gives no score, or nothing at all. */
async function scoreExtremes(files: ModelFiles, vectors: Float32Array): Promise<Found> {
  const { score } = await openModelSession(files, onCpu)
  const width = files.manifest.featureSet.names.length
  const scores = new Float32Array(vectors.length / width)
  for (let row = 0; row < scores.length; row += extremesAtOnce) {
    const count = Math.min(extremesAtOnce, scores.length - row)
    const part = vectors.slice(row * width, (row + count) * width)
    scores.set(await score(part, count).catch(() => oneByOne(score, part, count)), row)
  }
  return { value: scores.reduce((sum, found) => sum + (isScore(found) ? 0 : 1), 0), scores }
}

/** NaN for a row that the graph does not run. */
async function oneByOne(
  score: ModelSession['score'],
  vectors: Float32Array,
  count: number,
): Promise<Float32Array> {
  const width = vectors.length / count
  const scores = new Float32Array(count)
  for (let row = 0; row < count; row++) {
    const vector = vectors.slice(row * width, (row + 1) * width)
    const [found] = await score(vector, 1).catch(() => [Number.NaN])
    scores[row] = found ?? Number.NaN
  }
  return scores
}

async function measureDifference(files: ModelFiles, { vectors, scores, count }: Golden) {
  const { score } = await openModelSession(files, onCpu)
  const found = await score(vectors, count)
  let largest = 0
  for (let row = 0; row < count; row++) {
    const difference = Math.abs(found[row]! - scores[row]!)
    // A score that is no number is as far off as can be.
    largest = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(largest, difference)
  }
  return largest
}

/** p99 of a run of so many golden rows, in ms. */
async function measureLatency(files: ModelFiles, rows: number): Promise<number> {
  const { score } = await openModelSession(files, onCpu)
  const vectors = repeatRows(files, rows)
  for (let run = 0; run < runsRehearsed; run++) await score(vectors, rows)
  const times = await timeRuns(score, vectors, rows)
  return times.sort((a, b) => a - b)[Math.ceil(runsTimed * 0.99) - 1]!
}

function repeatRows({ manifest, golden }: ModelFiles, rows: number): Float32Array {
  const width = manifest.featureSet.names.length
  const vectors = new Float32Array(rows * width)
  for (let row = 0; row < rows; row++) {
    const from = (row % golden.count) * width
    vectors.set(golden.vectors.subarray(from, from + width), row * width)
  }
  return vectors
}

async function timeRuns(score: ModelSession['score'], vectors: Float32Array, rows: number) {
  const times: number[] = []
  for (let run = 0; run < runsTimed; run++) {
    const startedMs = performance.now()
    await score(vectors, rows)
    times.push(performance.now() - startedMs)
  }
  return times
}

const describe = (error: Error): string =>
  error instanceof WeirError
    ? error.message.replace(`${error.code}: ${errorTable[error.code].sentence} `, '')
    : error.message

const send = (message: TrialMessage): Promise<void> =>
  new Promise((resolve) => process.send!(message, () => resolve()))

process.once('message', async (trial: Trial) => {
  for (const step of trialSteps) {
    if (!isAsked(step, trial)) continue
    const answer = await steps[step](trial).then(
      (found) => (typeof found === 'number' ? { value: found } : found),
      (error: Error) => ({ fault: describe(error) }),
    )
    await send({ step, answer })
  }
  process.disconnect()
})
