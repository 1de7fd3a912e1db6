// What happened in a world, line by line: a hash that two runs of one seed must share, and the end
// of the story for whoever looks for the cause of a failure.

const FNV_PRIME = 0x01000193
const FNV_START = 0x811c9dc5

export type Trace = {
  readonly tell: (line: string) => void
  /** The last lines, oldest first. */
  readonly lines: () => readonly string[]
  readonly hash: () => string
}

export function createTrace(nowMs: () => number, linesMax: number): Trace {
  const startMs = nowMs()
  const lines: string[] = []
  let [low, high] = [FNV_START, FNV_START]
  return {
    tell: (text) => {
      const line = `${(nowMs() - startMs).toFixed(1).padStart(9)}  ${text}`
      for (let i = 0; i < line.length; i++) {
        low = Math.imul(low ^ line.charCodeAt(i), FNV_PRIME)
        high = Math.imul(high ^ (line.charCodeAt(i) + i), FNV_PRIME)
      }
      lines.push(line)
      if (lines.length > 2 * linesMax) lines.splice(0, lines.length - linesMax)
    },
    lines: () => lines.slice(-linesMax),
    hash: () => [low, high].map((part) => (part >>> 0).toString(16).padStart(8, '0')).join(''),
  }
}
