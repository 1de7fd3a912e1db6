// `bench drain --profile`: the same drain with Node's sampling profiler on, and where the time went.
//
// In: a place. Out: per thread of the scorer the functions and files by self time, in microseconds
// per event, and the rooms' times. Refused: a scorer that wrote no profile. Invariant: the profiler
// costs time, so no throughput is given; the raw profiles are removed.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Room } from '../../services/pipeline/observe/happenings.ts'
import type { BenchPlace } from './bench-place.ts'
import { type CpuProfile, summarizeProfiles, type ThreadProfile } from './cpu-profile.ts'
import { drainBacklog } from './drain-backlog.ts'
import { prefill } from './prefill-place.ts'
import { rehearse } from './rehearse.ts'
import type { RoomFigure } from './scorer-metrics.ts'

export type ProfileCase = {
  readonly case: 'profile'
  readonly events: number
  readonly rooms: Readonly<Record<Room, RoomFigure>>
  readonly storeRoundTripMeanMs: number
  readonly threads: readonly ThreadProfile[]
}

export type ProfileOptions = {
  readonly events: number
  readonly rehearsedEvents: number
  readonly say: (line: string) => void
}

export async function runProfile(place: BenchPlace, options: ProfileOptions): Promise<ProfileCase> {
  const { events, rehearsedEvents, say } = options
  const folder = mkdtempSync(join(tmpdir(), 'weir-bench-'))
  try {
    await rehearse(place, rehearsedEvents, say)
    say(`prefilling ${events} transactions`)
    await prefill(place, events)
    say('draining with the profiler on')
    const nodeFlags = ['--cpu-prof', '--cpu-prof-dir', folder]
    const drained = await drainBacklog(place, { events, processes: 1, nodeFlags })
    const files = readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'))
    const profiles = files.sort().map((name): CpuProfile => {
      return JSON.parse(readFileSync(join(folder, name), 'utf8'))
    })
    const threads = summarizeProfiles(profiles, events)
    const { rooms, storeRoundTripMeanMs } = drained
    return { case: 'profile', events, rooms, storeRoundTripMeanMs, threads }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
