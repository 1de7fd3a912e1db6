// The scorer's entry point: a pipeline file in, a process that scores until it is told to stop.
//
// SIGTERM and SIGINT drain within limits.drainMsMax: no more events are taken, batches in flight
// commit, lanes are given back. Exit codes: 0 drained, 1 trouble that a restart may cure, 2 refused
// at start (pipeline file, settings, model).

import { loadPipelineFile } from '../adapters/pipeline-file/pipeline-file.ts'
import { readManifest } from '../adapters/pipeline-file/pipeline-manifest.ts'
import { limits } from '../core/limits.ts'
import { readSettings } from '../core/settings.ts'
import { type ScorerOptions, startScorer } from './start-scorer.ts'

export async function runScorer(pipelineFile: string, options: ScorerOptions = {}): Promise<void> {
  const settings = readSettings(process.env)
  const definition = loadPipelineFile(pipelineFile, {
    manifestReader: readManifest,
    topicPrefix: settings.topicPrefix,
  })
  const scorer = await startScorer(definition, settings, options)
  const stop = (signal: NodeJS.Signals): void => {
    // Whatever hangs: the broker ends our transactions, the group our membership.
    setTimeout(() => process.exit(1), limits.drainMsMax).unref()
    void scorer.drain(signal)
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
  try {
    await scorer.ended
  } catch {
    // Already told as a signal. What is uncommitted is read again by whoever comes next.
    process.exit(1)
  }
}
