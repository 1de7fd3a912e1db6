// A graph is tried out in a process of its own, so that a poisoned one cannot take the caller down.
//
// In: verified files, rows to compare, runs to time. Out: for each step what was found or what is
// wrong. A process that ends or hangs inside ONNX Runtime leaves the steps that it had answered;
// the others say how it ended. Refused: nothing. Invariant: no process outlives the call.

import { fork } from 'node:child_process'
import { limits } from '../../core/limits.ts'
import type { Golden } from '../models/golden-vectors.ts'
import type { ModelFiles } from '../models/model-files.ts'

export type Trial = {
  readonly files: ModelFiles
  /** Rows with scores of the training library, besides the golden ones. */
  readonly parity: Golden | null
  /** Rows at the ends of what features can be; null for none. */
  readonly extremes: Float32Array | null
  /** Runs of so many rows that are timed; null for none. */
  readonly latencyRows: number | null
}

export const trialSteps = [
  'load',
  'loadGpu',
  'output',
  'golden',
  'goldenGpu',
  'extremes',
  'extremesGpu',
  'parity',
  'parityGpu',
  'latency',
] as const
export type TrialStep = (typeof trialSteps)[number]

/**
 * The number that was found: 0 for a graph that loads, columns, largest difference, rows without
 * a score, or p99 in ms; and the scores of extremes, by row.
 */
type TrialAnswer =
  | { readonly value: number; readonly scores?: Float32Array }
  | { readonly fault: string }
export type TrialMessage = { readonly step: TrialStep; readonly answer: TrialAnswer }
export type TrialReport = ReadonlyMap<TrialStep, TrialAnswer>

export async function tryGraph(
  trial: Trial,
  msMax: number = limits.modelTrialMsMax,
): Promise<TrialReport> {
  const report = new Map<TrialStep, TrialAnswer>()
  const child = fork(new URL('./graph-trial-process.ts', import.meta.url), {
    serialization: 'advanced',
    execArgv: [],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    timeout: msMax,
    killSignal: 'SIGKILL',
  })
  child.on('message', ({ step, answer }: TrialMessage) => report.set(step, answer))
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('close', (code, signal) => {
      // Only the time-out above ends it from here.
      const how = `the process that opened the graph ended: ${signal ?? `exit code ${code}`}`
      resolve(child.killed ? `the graph had not answered after ${msMax} ms` : how)
    })
  })
  child.send(trial, () => undefined)
  const fault = await ended
  for (const step of trialSteps) {
    if (report.has(step) || !isAsked(step, trial)) continue
    report.set(step, { fault })
  }
  return report
}

export function isAsked(step: TrialStep, trial: Trial): boolean {
  const { files, parity, extremes, latencyRows } = trial
  if (step === 'loadGpu' || step === 'goldenGpu') return files.gpu !== null
  if (step === 'extremes') return extremes !== null
  if (step === 'extremesGpu') return extremes !== null && files.gpu !== null
  if (step === 'parity') return parity !== null
  if (step === 'parityGpu') return parity !== null && files.gpu !== null
  if (step === 'latency') return latencyRows !== null
  return true
}
