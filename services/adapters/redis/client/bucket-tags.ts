// The hash tags of a pipeline's buckets, so chosen that they spread evenly over a Redis Cluster.
//
// A cluster deals out 16384 slots in ranges of equal length. Tags that merely end in the bucket's
// number fall into them by chance: of 16 buckets, one of 3 masters gets 7 as a rule, up to 10.
// Bucket b of B therefore gets a tag whose slot is the middle of the b-th of B equal parts of all
// slots; so N masters with equal ranges get B/N buckets each, rounded up or down. In: what begins
// every key, and the number of buckets. Out: one tag per bucket, `prefix:b.spot`. Invariant: the
// same prefix and number give the same tags for ever: they are the places of data.

import { crc16, slotCount } from './key-slot.ts'

const SPOT_LENGTH = 4

export function bucketTags(prefix: string, buckets: number): readonly string[] {
  return Array.from({ length: buckets }, (_, bucket) => {
    const stem = `${prefix}:${bucket}.`
    return stem + spotTowards(middleSlot(bucket, buckets), stem)
  })
}

/** The middle of a bucket's share of the slots. */
const middleSlot = (bucket: number, buckets: number): number =>
  Math.floor(((bucket + 0.5) * slotCount) / buckets)

/**
 * CRC is linear: the checksum of stem + spot is that of the stem followed by as many zero bytes,
 * XOR the spot's own. So the spot that leads to a slot is found in one table, whatever the stem.
 */
function spotTowards(slot: number, stem: string): string {
  const before = crc16(new Uint8Array(SPOT_LENGTH), crc16(Buffer.from(stem)))
  spotsBySlot ??= listSpots()
  return spotsBySlot[(before ^ slot) % slotCount]!
}

let spotsBySlot: readonly string[] | undefined

/** For each slot the first of the texts 0000, 0001, ... zzzz that has it. */
function listSpots(): readonly string[] {
  const spots = new Array<string>(slotCount)
  let found = 0
  for (let number = 0; found < slotCount; number++) {
    const spot = number.toString(36).padStart(SPOT_LENGTH, '0')
    const slot = crc16(Buffer.from(spot)) % slotCount
    if (spots[slot] !== undefined) continue
    spots[slot] = spot
    found++
  }
  return spots
}
