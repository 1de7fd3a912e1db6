// Bytes by a seed, for readers that must stand anything.

/** Numbers of mulberry32: the same for the same seed, everywhere. */
export function randomOf(seed: number) {
  let state = seed
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (end: number): number => Math.floor(next() * end)
  const bytes = (length: number): Buffer => Buffer.from(Array.from({ length }, () => below(256)))
  /** One to three bytes are others, and sometimes the end is cut off. */
  const changed = (original: Buffer): Buffer => {
    const copy = Buffer.from(original)
    for (let left = 1 + below(3); left > 0; left--) copy[below(copy.length)] = below(256)
    return below(4) === 0 ? copy.subarray(0, below(copy.length)) : copy
  }
  return { below, bytes, changed }
}
