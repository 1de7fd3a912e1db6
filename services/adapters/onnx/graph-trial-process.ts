// The process that opens a graph on trial: one message in, one answer out for each step that is asked for.
//
// Sessions are opened and checked by the scorer's own code, on the CPU; the graph for GPUs is run there
// as well, which proves its numbers and not its speed. Refused: nothing; what a step throws is its answer.
// Invariant: a step that fails does not keep the next one from its answer.

import { errorTable, WeirError } from '../../core/errors.ts'
import { readOutputColumns } from './graph-shape.ts'
import {
  isAsked,
  type Trial,
  type TrialMessage,
  type TrialStep,
  trialSteps,
} from './graph-trial.ts'
import type { Golden, ModelFiles } from './model-folder.ts'
import { type ModelSession, openModelSession } from './model-session.ts'

const onCpu = { providers: ['cpu'], isRequired: false, workers: 1 } as const
const runsRehearsed = 10
const runsTimed = 200

const steps: Readonly<Record<TrialStep, (trial: Trial) => Promise<number>>> = {
  output: ({ files }) => readOutputColumns(files, files.cpu),
  golden: ({ files }) => measureDifference(files, files.golden),
  goldenGpu: ({ files }) => measureDifference(asGpu(files), files.golden),
  parity: ({ files, parity }) => measureDifference(files, parity!),
  parityGpu: ({ files, parity }) => measureDifference(asGpu(files), parity!),
  latency: ({ files, latencyRows }) => measureLatency(files, latencyRows!),
}

/** The graph for GPUs in the place of the one for CPUs. */
const asGpu = (files: ModelFiles): ModelFiles => ({ ...files, cpu: files.gpu! })

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
      (value) => ({ value }),
      (error: Error) => ({ fault: describe(error) }),
    )
    await send({ step, answer })
  }
  process.disconnect()
})
