// The latency case on the shared stack, and its book-keeping by itself. No test looks at how long
// anything took.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBook, type LatencyCase, runLatency } from '../../../../load/bench/cases/latency.ts'
import {
  type BenchEnvironment,
  openBenchEnvironment,
} from '../../../../load/bench/environment/bench-environment.ts'
import { findOffences } from '../../../../load/bench/page/bench-result.ts'
import type { DueMessage } from '../../../../load/generator/schedule.ts'
import { testStack } from '../../../support/stack.ts'

describe('bench latency', () => {
  let place: BenchEnvironment
  let result: LatencyCase

  beforeAll(async () => {
    place = await openBenchEnvironment(await testStack())
    const lengths = { seconds: 2, warmUpSeconds: 1, rehearsedEvents: 0 }
    const options = { rate: 200, ...lengths, say: () => undefined }
    result = await runLatency(place, options)
  })

  afterAll(async () => {
    await place?.close()
  })

  it('latency - sees every event once and counts those after the warm-up', () => {
    expect(result).toMatchObject({ case: 'latency', rate: 200, seconds: 2, lost: 0, duplicated: 0 })
    expect(result.events).toBe(400)
    expect(findOffences(result)).toEqual([])
  })

  it('latency - gives quantiles in order', () => {
    const { p50Ms, p95Ms, p99Ms, p999Ms } = result
    expect(p50Ms).toBeGreaterThan(0)
    expect([p50Ms, p95Ms, p99Ms, p999Ms]).toEqual(
      [p50Ms, p95Ms, p99Ms, p999Ms].toSorted((a, b) => a - b),
    )
  })
})

describe('bench latency, its book', () => {
  const due = (transactionId: string, dueMs: number): DueMessage => ({
    kind: 'transaction',
    key: 'c',
    value: null,
    timeMs: 0,
    transactionId,
    poison: null,
    dueMs,
  })
  const scored = (transactionId: string) => ({
    transactionId,
    brokerTime: 1_010,
    scoredTime: 1_020,
  })

  it('createBook - counts from the due time, with the warm-up left out', () => {
    const book = createBook(1_000)
    book.expect([due('warm', 0), due('a', 1_000), due('b', 1_001)])
    book.see(scored('warm'), 5_000)
    book.see(scored('a'), 1_030)
    book.see(scored('b'), 1_041)
    const { p50Ms, p999Ms, events, lost, stagesP50Ms } = book.close()
    expect({ p50Ms, p999Ms, events, lost }).toEqual({ p50Ms: 30, p999Ms: 40, events: 2, lost: 0 })
    expect(stagesP50Ms).toEqual({ produce: 9, score: 10, publish: 10 })
  })

  it('createBook - tells what was never seen and what was seen twice', () => {
    const book = createBook(0)
    book.expect([due('a', 0), due('b', 1)])
    book.see(scored('a'), 10)
    book.see(scored('a'), 11)
    book.see(scored('stranger'), 12)
    expect(book.waiting()).toBe(1)
    expect(book.close()).toMatchObject({ lost: 1, duplicated: 2, events: 1, p50Ms: 10 })
  })
})
