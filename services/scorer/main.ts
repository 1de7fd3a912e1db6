// The scorer's entry point: a pipeline file in, a process that scores until it is told to stop.
//
// SIGTERM and SIGINT drain within limits.drainMsMax: no more events are taken, batches in flight
// commit, lanes are given back. A start that waits for what is away ends at once. Exit codes: 0
// drained or not wanted any more, 1 trouble that a restart may cure, 2 what it does not help
// (pipeline file, settings, model, offsets that are gone). What nobody handled is told as `failed`,
// with its cause; then the scorer drains and ends with 1.

import { loadPipelineFile } from '../adapters/pipeline-file/pipeline-file.ts'
import { readManifest } from '../adapters/pipeline-file/pipeline-manifest.ts'
import { exitCodeOf } from '../core/exit-code.ts'
import { limits } from '../core/limits.ts'
import { readSettings } from '../core/settings.ts'
import { type Scorer, type ScorerOptions, startScorer } from './start-scorer.ts'
import { onStrayFailure } from './stray-failures.ts'

export async function runScorer(pipelineFile: string, options: ScorerOptions = {}): Promise<void> {
  const settings = readSettings(process.env)
  const definition = loadPipelineFile(pipelineFile, {
    manifestReader: readManifest,
    topicPrefix: settings.topicPrefix,
  })
  const stopping = new AbortController()
  let scorer: Scorer | null = null
  const stop = (signal: NodeJS.Signals): void => {
    // Whatever hangs: the broker ends our transactions, the group our membership.
    setTimeout(() => process.exit(1), limits.drainMsMax).unref()
    stopping.abort(signal)
    void scorer?.drain(signal)
  }
  let hasStrayed = false
  onStrayFailure((error) => {
    hasStrayed = true
    setTimeout(() => process.exit(1), limits.drainMsMax).unref()
    if (scorer !== null) void scorer.giveUp(error)
    else {
      process.stderr.write(`${error.stack ?? error.message}\n`)
      process.exit(1)
    }
  })
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
  const { signal } = stopping
  try {
    scorer = await startScorer(definition, settings, { ...options, signal })
  } catch (error) {
    if (!signal.aborted) throw error
    // No lane was claimed; what was being opened ends with the process.
    process.exit(0)
  }
  // Told while the group was being joined.
  if (signal.aborted) void scorer.drain(String(signal.reason))
  try {
    await scorer.ended
  } catch (error) {
    // Already told as a signal. What is uncommitted is read again by whoever comes next.
    process.exit(exitCodeOf(error))
  }
  // A client that kafkajs starts again while it is closed must not turn a good end into a late one.
  process.exit(hasStrayed ? 1 : 0)
}
