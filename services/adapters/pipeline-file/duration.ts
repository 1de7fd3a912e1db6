// Durations as the pipeline file writes them: `500ms`, `30s`, `5m`, `1h`, `7d`.
//
// Comes in: a text that the JSON Schema has already accepted. Goes out: whole milliseconds.
// Invariant: `formatDuration` gives the shortest text that parses back to the same milliseconds.

const unitsMs = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const
type Unit = keyof typeof unitsMs

export const dayMs = unitsMs.d

export function parseDuration(text: string): number {
  const match = /^(\d+)(ms|s|m|h|d)$/.exec(text)
  return match === null ? Number.NaN : Number(match[1]) * unitsMs[match[2] as Unit]
}

export function formatDuration(durationMs: number): string {
  const units = Object.entries(unitsMs)
  const [unit, unitMs] = units.find(([, ms]) => durationMs % ms === 0) ?? ['ms', 1]
  return `${durationMs / unitMs}${durationMs === 0 ? 's' : unit}`
}
