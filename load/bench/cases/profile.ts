// `bench drain --profile`: the same drain with Node's sampling profiler on, and where the time
// went.
//
// In: a place. Out: per thread of the scorer the functions and files by self time, in microseconds
// per event, and the stages' times. Refused: a scorer that wrote no profile. Invariant: the
// profiler costs time, so no throughput is given; the raw profiles are removed.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Stage } from '../../../services/pipeline/observe/signals.ts'
import type { BenchEnvironment } from '../environment/bench-environment.ts'
import { prefill } from '../environment/prefill-environment.ts'
import {
  type CpuProfile,
  summarizeProfiles,
  type ThreadProfile,
  type Work,
} from '../measure/cpu-profile.ts'
import type { StageFigure } from '../measure/scorer-metrics.ts'
import { drainBacklog } from './drain-backlog.ts'
import { rehearse } from './rehearse.ts'

export type ProfileCase = {
  readonly case: 'profile'
  readonly events: number
  readonly stages: Readonly<Record<Stage, StageFigure>>
  readonly storeRoundTripMeanMs: number
  readonly threads: readonly ThreadProfile[]
}

export type ProfileOptions = {
  readonly events: number
  readonly rehearsedEvents: number
  readonly say: (line: string) => void
}

const mergingLanes: Work = ['services/lanes/merge-lanes.ts']

export async function runProfile(
  place: BenchEnvironment,
  options: ProfileOptions,
): Promise<ProfileCase> {
  const { events, rehearsedEvents, say } = options
  await rehearse(place, rehearsedEvents, say)
  say(`prefilling ${events} transactions`)
  await prefill(place, events)
  say('draining with the profiler on')
  const { result, profiles } = await profileProcess((nodeFlags) =>
    drainBacklog(place, { events, processes: 1, nodeFlags }),
  )
  const threads = summarizeProfiles(profiles, events, mergingLanes)
  const { stages, storeRoundTripMeanMs } = result
  return { case: 'profile', events, stages, storeRoundTripMeanMs, threads }
}

/** Runs a Node process with the flags of the profiler, in a folder that is gone afterwards. */
export async function profileProcess<T>(
  run: (nodeFlags: readonly string[], folder: string) => Promise<T>,
): Promise<{ readonly result: T; readonly profiles: readonly CpuProfile[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-bench-'))
  try {
    const result = await run(['--cpu-prof', '--cpu-prof-dir', folder], folder)
    const files = readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'))
    const profiles = files.sort().map((name): CpuProfile => {
      return JSON.parse(readFileSync(join(folder, name), 'utf8'))
    })
    return { result, profiles }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
