// A schedule carried out: fault after fault, each recovered from before the next one is due.
//
// In: the schedule, a place under traffic, what may be hurt. Out: a line per fault, and the
// journal: what was done, how long recovery took. Refused: a fault that cannot be done, and one
// that is not recovered from in time; the error says which. Invariant: a hurried fault is not
// waited for, any other ends with everything committed that had come in by its end.

import { setTimeout as pause } from 'node:timers/promises'
import { untilCaughtUp } from './caught-up.ts'
import type { ChaosEnvironment } from './chaos-environment.ts'
import type { ChaosWorld } from './fault.ts'
import type { ScheduledFault } from './fault-schedule.ts'

export type Journal = {
  readonly faults: number
  readonly faultsByKind: Readonly<Record<string, number>>
  /** From the end of a fault until all that had come in by then was committed. */
  readonly recoveryMsMean: number
  readonly recoveryMsMax: number
}

type StrikeOptions = {
  readonly campaign: string
  readonly schedule: readonly ScheduledFault[]
  /** From the first moment to the end of the traffic, also when the faults are over earlier. */
  readonly seconds: number
  readonly place: ChaosEnvironment
  readonly world: ChaosWorld
  readonly say: (line: string) => void
  readonly stop: AbortSignal
}

export const recoveryMsLimit = 120_000

export function strikeFaults(options: StrikeOptions): {
  readonly done: Promise<void>
  readonly journal: () => Journal
} {
  const kinds: string[] = []
  const recoveries: number[] = []
  const done = strikeAll(options, {
    struck: (kind) => kinds.push(kind),
    recovered: (ms) => recoveries.push(ms),
  })
  done.catch(() => undefined)
  return { done, journal: () => sumUp(kinds, recoveries) }
}

type Notes = {
  readonly struck: (kind: string) => void
  readonly recovered: (ms: number) => void
}

async function strikeAll(options: StrikeOptions, notes: Notes): Promise<void> {
  const { campaign, schedule, seconds, place, say, stop } = options
  await untilCaughtUp(place, recoveryMsLimit)
  const startedMs = Date.now()
  for (const [i, scheduled] of schedule.entries()) {
    await pauseUntil(Math.max(startedMs + scheduled.dueMs, Date.now()) + scheduled.pauseMs, stop)
    if (stop.aborted) return
    const { words } = scheduled.fault
    try {
      const outcome = await strikeOne(scheduled, options, notes)
      const at = `${((Date.now() - startedMs) / 1000).toFixed(1).padStart(7)} s`
      say(`${at}  ${campaign.padEnd(16)}  ${i + 1}/${schedule.length}  ${words}; ${outcome}`)
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new Error(`fault ${i + 1} (${words}): ${reason}`, { cause })
    }
  }
  await pauseUntil(startedMs + 1000 * seconds, stop)
}

async function strikeOne(
  { fault, isHurried }: ScheduledFault,
  { place, world }: StrikeOptions,
  notes: Notes,
): Promise<string> {
  const struckMs = Date.now()
  await fault.strike(world)
  const endedMs = Date.now()
  notes.struck(fault.kind)
  const lasted = secondsBetween(struckMs, endedMs)
  if (isHurried) return `${lasted}, not waited for`
  await untilCaughtUp(place, recoveryMsLimit)
  const recoveredMs = Date.now()
  notes.recovered(recoveredMs - endedMs)
  return `${lasted}, recovered in ${secondsBetween(endedMs, recoveredMs)}`
}

const secondsBetween = (fromMs: number, toMs: number): string =>
  `${((toMs - fromMs) / 1000).toFixed(1)} s`

/** Or until somebody wants to stop. */
async function pauseUntil(timeMs: number, stop: AbortSignal): Promise<void> {
  const leftMs = timeMs - Date.now()
  if (leftMs > 0) await pause(leftMs, undefined, { signal: stop }).catch(() => undefined)
}

function sumUp(kinds: readonly string[], recoveries: readonly number[]): Journal {
  const faultsByKind: Record<string, number> = {}
  for (const kind of kinds) faultsByKind[kind] = (faultsByKind[kind] ?? 0) + 1
  const sum = recoveries.reduce((total, ms) => total + ms, 0)
  return {
    faults: kinds.length,
    faultsByKind,
    recoveryMsMean: Math.round(sum / Math.max(1, recoveries.length)),
    recoveryMsMax: Math.max(0, ...recoveries),
  }
}
