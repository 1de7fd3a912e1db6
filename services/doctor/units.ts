// Numbers as people read them in findings: durations and sizes.

const steps = [
  { unit: 'd', ms: 86_400_000 },
  { unit: 'h', ms: 3_600_000 },
  { unit: 'm', ms: 60_000 },
  { unit: 's', ms: 1000 },
] as const

/** `30d 1h`: at most two units, rounded down; below a second in ms. */
export function inWords(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)} ms`
  const words: string[] = []
  let rest = durationMs
  for (const { unit, ms } of steps) {
    const count = Math.floor(rest / ms)
    rest -= count * ms
    if (count > 0 && words.length < 2) words.push(`${count}${unit}`)
  }
  return words.join(' ')
}

const sizes = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'] as const

export function inBytes(bytes: number): string {
  const step = bytes < 1024 ? 0 : Math.min(sizes.length - 1, Math.floor(Math.log2(bytes) / 10))
  const value = bytes / 1024 ** step
  return `${step === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${sizes[step]}`
}
