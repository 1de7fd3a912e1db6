// `bench replay --profile`: one replay with Node's sampling profiler on, and where the time went.
//
// In: a pipeline file, how many transactions. Out: the main thread's own time by parts of the
// pipeline, and per thread the functions and files by self time, in microseconds per transaction.
// Refused: a replay that fails or wrote no profile. Invariants: what counts begins with the first
// batch and ends with the report's last measure; the profiler costs time, so no rate is given.

import { stages } from '../../../services/pipeline/observe/signals.ts'
import {
  type Part,
  type PartShare,
  summarizeParts,
  summarizeProfiles,
  type ThreadProfile,
  type Work,
} from '../measure/cpu-profile.ts'
import { profileProcess } from './profile.ts'
import type { ReplayBenchOptions } from './replay.ts'
import { openReplayHistory } from './replay-history.ts'
import { replayOnce } from './replay-process.ts'

export type ReplayProfileCase = {
  readonly case: 'replay-profile'
  readonly events: number
  readonly isScoring: boolean
  /** Of the main thread. */
  readonly parts: readonly PartShare[]
  readonly threads: readonly ThreadProfile[]
}

const work: Work = ['services/replay/replay-batches.ts', 'services/replay/report/']

/** The first that fits: a stage's port counts for the stage, whatever folder it lives in. */
const parts: readonly Part[] = [
  ...stages.map((stage) => ({ part: stage, places: [`services/pipeline/${stage}/`] })),
  { part: 'report', places: ['services/replay/report/'] },
  {
    part: 'rows to the writing thread',
    places: ['services/adapters/event-files/parquet-features.ts'],
  },
  {
    part: 'reading files',
    places: ['services/adapters/file/', 'node_modules/hyparquet', 'wasm:'],
  },
  { part: 'merging and handing on', places: ['services/replay/', 'services/pipeline/'] },
]

export async function runReplayProfile(
  options: Omit<ReplayBenchOptions, 'definition' | 'runs'>,
): Promise<ReplayProfileCase> {
  const { pipelineFile, events, isFeaturesOnly, say } = options
  const files = openReplayHistory(events, say)
  const isScoring = !isFeaturesOnly
  say('replaying with the profiler on')
  const { profiles } = await profileProcess((nodeFlags, folder) =>
    replayOnce({ pipelineFile, files, isScoring, folder, nodeFlags }),
  )
  return {
    case: 'replay-profile',
    events,
    isScoring,
    parts: summarizeParts(profiles, { events, work, parts }),
    threads: summarizeProfiles(profiles, events, work),
  }
}
