// A lane's own small state as the metadata string of its committed offset.
//
//   {"v":1,"watermarkMs":<highest event time>,"brake":[events, flagged, eventsBefore, flaggedBefore]}
//
// It is committed in the same transaction as the offset, so after a crash a redelivered event meets
// exactly the lateness and the brake of the first time. A string that is not ours (set by hand, or
// by another version) is a fresh start, and said so: never a guess.

import type { Brake } from '../records.ts'

export type LaneMemory = {
  /** Highest event time of the lane so far, ms; -1 before the first event. */
  readonly watermarkMs: number
  readonly brake: Brake
}

const VERSION = 1

export const freshMemory = (): LaneMemory => ({
  watermarkMs: -1,
  brake: { events: 0, flagged: 0, eventsBefore: 0, flaggedBefore: 0 },
})

export function encodeLaneMemory({ watermarkMs, brake }: LaneMemory): string {
  const counts = [brake.events, brake.flagged, brake.eventsBefore, brake.flaggedBefore]
  return JSON.stringify({ v: VERSION, watermarkMs, brake: counts })
}

/** null = the string is not a lane memory of this version. */
export function decodeLaneMemory(metadata: string): LaneMemory | null {
  let parsed: unknown
  try {
    parsed = JSON.parse(metadata)
  } catch {
    return null
  }
  if (typeof parsed !== 'object' || parsed === null) return null
  const { v, watermarkMs, brake } = parsed as Record<string, unknown>
  if (v !== VERSION || !Number.isSafeInteger(watermarkMs) || !Array.isArray(brake)) return null
  if (brake.length !== 4 || !brake.every((count) => Number.isSafeInteger(count))) return null
  const [events, flagged, eventsBefore, flaggedBefore] = brake as [number, number, number, number]
  return {
    watermarkMs: watermarkMs as number,
    brake: { events, flagged, eventsBefore, flaggedBefore },
  }
}
