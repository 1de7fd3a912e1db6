// A graph is tried out in a process of its own, so that a poisoned one cannot take the caller down.
//
// In: verified files, rows to compare, runs to time. Out: for each step what was found or what is wrong. A
// process that ends or hangs inside ONNX Runtime leaves the steps that it had answered; the others say how it
// ended. Refused: nothing. Invariant: no process outlives the call.

import { fork } from 'node:child_process'
import type { Golden, ModelFiles } from './model-folder.ts'

/** A graph that has not answered by then is stuck; the largest one here takes a second. */
const trialDurationMaxMs = 120_000

export type Trial = {
  readonly files: ModelFiles
  /** Rows with scores of the training library, besides the golden ones. */
  readonly parity: Golden | null
  /** Runs of so many rows that are timed; null for none. */
  readonly latencyRows: number | null
}

export const trialSteps = ['output', 'golden', 'goldenGpu', 'parity', 'latency'] as const
export type TrialStep = (typeof trialSteps)[number]

/** The number that was found: columns, largest difference, or p99 in ms. */
export type TrialAnswer = { readonly value: number } | { readonly fault: string }
export type TrialMessage = { readonly step: TrialStep; readonly answer: TrialAnswer }
export type TrialReport = ReadonlyMap<TrialStep, TrialAnswer>

export async function tryGraph(trial: Trial): Promise<TrialReport> {
  const report = new Map<TrialStep, TrialAnswer>()
  const child = fork(new URL('./graph-trial-process.ts', import.meta.url), {
    serialization: 'advanced',
    execArgv: [],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    timeout: trialDurationMaxMs,
    killSignal: 'SIGKILL',
  })
  child.on('message', ({ step, answer }: TrialMessage) => report.set(step, answer))
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('close', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
  child.send(trial, () => undefined)
  const how = await ended
  for (const step of trialSteps) {
    if (report.has(step) || !isAsked(step, trial)) continue
    report.set(step, { fault: `the process that opened the graph ended: ${how}` })
  }
  return report
}

export function isAsked(step: TrialStep, { files, parity, latencyRows }: Trial): boolean {
  if (step === 'goldenGpu') return files.gpu !== null
  if (step === 'parity') return parity !== null
  if (step === 'latency') return latencyRows !== null
  return true
}
