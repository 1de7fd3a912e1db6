// Lateness buckets: borders belong to the lower bucket, nothing falls out.

import { describe, expect, it } from 'vitest'
import {
  countLateness,
  latenessBoundsMs,
  latenessBuckets,
} from '../../../services/pipeline/observe/lateness-buckets.ts'

describe('observe - lateness', () => {
  it('has one name more than bounds', () => {
    expect(latenessBuckets).toHaveLength(latenessBoundsMs.length + 1)
  })

  it('puts a border into the lower bucket and the rest above', () => {
    const borders = latenessBoundsMs.flatMap((boundMs) => [boundMs, boundMs + 1])
    expect(countLateness(Float64Array.from(borders))).toEqual([1, 2, 2, 2, 2, 2, 2, 1])
    expect(countLateness(new Float64Array(0))).toEqual([0, 0, 0, 0, 0, 0, 0, 0])
  })
})
