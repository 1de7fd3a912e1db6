// Text to a 52-bit integer that a double holds exactly: for `distinct` over text fields, for the
// place of a key among the buckets, and for sampling by transaction id.
//
// Two 32-bit FNV-1a lanes with different offsets, each finished by an avalanche step so that the
// low bits may be used alone. Not cryptographic: it spreads well and is the same on every machine,
// which is all that is asked of it here.

const PRIME = 0x01000193
const OFFSET_HIGH = 0x811c9dc5
const OFFSET_LOW = 0x2f0b4c47

function avalanche(hash: number): number {
  let mixed = hash ^ (hash >>> 16)
  mixed = Math.imul(mixed, 0x85ebca6b)
  mixed ^= mixed >>> 13
  mixed = Math.imul(mixed, 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

export function hashToInteger(text: string, seed = 0): number {
  let high = OFFSET_HIGH ^ seed
  let low = OFFSET_LOW ^ seed
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    high = Math.imul(high ^ code, PRIME)
    low = Math.imul(low ^ (code + i), PRIME)
  }
  return (avalanche(high) & 0xfffff) * 2 ** 32 + avalanche(low)
}

/** One 32-bit lane of the same hash, for choosing buckets: half the work. */
export function hashToBucket(text: string, buckets: number): number {
  let hash = OFFSET_HIGH
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), PRIME)
  return avalanche(hash) % buckets
}

/** A number in [0, 1) that depends on the text and the seed alone. */
export const hashToShare = (text: string, seed = 0): number => hashToInteger(text, seed) / 2 ** 52
