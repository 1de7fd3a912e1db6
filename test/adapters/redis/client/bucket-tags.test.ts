// The slots of keys, and tags that spread evenly over them for ever.
// cluster-trouble.test.ts asks real servers for slots.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bucketTags } from '../../../../services/adapters/redis/client/bucket-tags.ts'
import { keySlot, slotCount } from '../../../../services/adapters/redis/client/key-slot.ts'

const prefix = 'weir:card-fraud:3efe9640-16'

test('key slots - are those of the reference', () => {
  expect(keySlot('123456789')).toBe(0x31c3)
  expect(keySlot('')).toBe(0)
  expect(keySlot('foo{bar}baz')).toBe(keySlot('bar'))
  expect(keySlot('foo{}{bar}')).not.toBe(keySlot('bar'))
  expect(keySlot('foo{{bar}}zap')).toBe(keySlot('{bar'))
  expect(keySlot('foo{bar}{zap}')).toBe(keySlot('bar'))
  expect(keySlot('}{bar')).not.toBe(keySlot('bar'))
})

describe('bucket tags', () => {
  test('bucket tags - never change: they are the places of data', () => {
    expect(bucketTags(prefix, 16).slice(0, 4)).toEqual([
      `${prefix}:0.06ov`,
      `${prefix}:1.01me`,
      `${prefix}:2.01rh`,
      `${prefix}:3.064s`,
    ])
    expect(bucketTags('weir:handbook:00000000-1', 1)).toEqual(['weir:handbook:00000000-1:0.03df'])
  })

  test('bucket tags - lie in the middle of equal parts of the slots', () => {
    const text = fc.string({ unit: fc.constantFrom(...'abcxyz0189-_.:'), maxLength: 80 })
    const property = fc.property(text, fc.integer({ min: 1, max: 1024 }), (name, buckets) => {
      const tags = bucketTags(name, buckets)
      expect(tags).toHaveLength(buckets)
      for (const [bucket, tag] of tags.entries()) {
        expect(tag.startsWith(`${name}:${bucket}.`)).toBe(true)
        expect(keySlot(`{${tag}}fence`)).toBe(Math.floor(((bucket + 0.5) * slotCount) / buckets))
      }
    })
    fc.assert(property, { numRuns: 100, verbose: 1 })
  })

  test('bucket tags - spread evenly over any number of masters, as plain numbers do not', () => {
    const plain = Array.from({ length: 16 }, (_, bucket) => `${prefix}:${bucket}`)
    for (let masters = 1; masters <= 16; masters++) {
      const counts = countPerMaster(bucketTags(prefix, 16), masters)
      expect(Math.max(...counts), `${masters} masters`).toBe(Math.ceil(16 / masters))
      expect(Math.min(...counts), `${masters} masters`).toBe(Math.floor(16 / masters))
    }
    expect(Math.max(...countPerMaster(plain, 6))).toBeGreaterThan(3)
  })
})

/** Masters with equal ranges, as `redis-cli --cluster create` deals them out. */
function countPerMaster(tags: readonly string[], masters: number): number[] {
  const counts = new Array<number>(masters).fill(0)
  for (const tag of tags) {
    const slot = keySlot(`{${tag}}0:c-17`)
    const master = counts.findIndex((_, i) => slot < Math.round(((i + 1) * slotCount) / masters))
    counts[master]!++
  }
  return counts
}
