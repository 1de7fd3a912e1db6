// Preloaded into a process under measurement (`node --import`): what it used, written when it ends.
//
// In: `?to=<file>` behind its own address. Out: a Footprint as JSON in that file. Nothing is
// refused. Invariants: all threads count, children do not; the peak is that of this program alone,
// not of the moment of the fork, when it was a copy of its parent.

import { writeFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import { readPeakMemoryMb } from './process-usage.ts'

export type Footprint = {
  readonly userMicros: number
  readonly systemMicros: number
  /** null where there is no /proc. */
  readonly rssMaxMb: number | null
}

const to = new URL(import.meta.url).searchParams.get('to')

if (isMainThread && to !== null) {
  process.on('exit', () => {
    const { user, system } = process.cpuUsage()
    const rssMaxMb = readPeakMemoryMb(process.pid)
    const footprint: Footprint = { userMicros: user, systemMicros: system, rssMaxMb }
    writeFileSync(to, JSON.stringify(footprint))
  })
}
