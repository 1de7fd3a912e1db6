// The drain end to end on the shared stack: a small backlog, a scorer as a process, every proof.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DrainCase, runDrain } from '../../../../load/bench/cases/drain.ts'
import {
  type BenchEnvironment,
  openBenchEnvironment,
} from '../../../../load/bench/environment/bench-environment.ts'
import {
  type BenchResult,
  findOffences,
  formatResult,
  noteCircumstances,
} from '../../../../load/bench/page/bench-result.ts'
import { stages } from '../../../../services/pipeline/observe/signals.ts'
import { testStack } from '../../../support/stack.ts'

const events = 3_000

describe('bench drain', () => {
  let place: BenchEnvironment
  let result: DrainCase

  beforeAll(async () => {
    place = await openBenchEnvironment(await testStack())
    const options = { events, processes: 1, rehearsedEvents: 2_000, say: () => undefined }
    result = await runDrain(place, options)
  })

  afterAll(async () => {
    await place?.close()
  })

  it('drain - scores every transaction once, with the vectors of the ordered stream', () => {
    expect(result).toMatchObject({ events, exactShare: 1 })
    expect(result).toMatchObject({ missing: 0, duplicated: 0, ordinalGaps: 0 })
    expect(findOffences(result)).toEqual([])
  })

  it('drain - measures rates, batches and every stage', () => {
    const { eventsPerSecond, limitEventsPerSecond, ratio, batchMean } = result
    for (const figure of [eventsPerSecond, limitEventsPerSecond, batchMean]) {
      expect(figure).toBeGreaterThan(0)
    }
    expect(ratio).toBeCloseTo(eventsPerSecond / limitEventsPerSecond, 12)
    expect(Object.keys(result.stages)).toEqual(stages)
    for (const stage of stages) expect(result.stages[stage].microsPerEvent).toBeGreaterThan(0)
  })

  it('drain - measures only processes that it may look at', () => {
    const { cpuMicrosPerEvent, rssMaxMb } = result
    // The shared stack's servers belong to another process; the scorer is the bench's own.
    expect(cpuMicrosPerEvent).toMatchObject({ broker: null, redis: null })
    if (process.platform !== 'linux') return
    expect(cpuMicrosPerEvent.scorer).toBeGreaterThan(0)
    expect(rssMaxMb).toBeGreaterThan(10)
  })

  it('drain - prints the names that others script against', () => {
    const whole: BenchResult = { ...result, ...noteCircumstances(place) }
    const printed = JSON.parse(formatResult(whole))
    expect(printed).toMatchObject({
      case: 'drain',
      events,
      eventsPerSecond: expect.any(Number),
      limitEventsPerSecond: expect.any(Number),
      ratio: expect.any(Number),
      exactShare: 1,
      batchMean: expect.any(Number),
      machine: { cpu: expect.any(String), cores: expect.any(Number), node: process.version },
      commit: expect.any(String),
    })
    expect(Object.keys(printed)).toEqual(expect.arrayContaining(['cpuMicrosPerEvent', 'rssMaxMb']))
    expect(Object.keys(printed.cpuMicrosPerEvent)).toEqual(['scorer', 'broker', 'redis'])
    expect(formatResult(whole)).not.toContain('\n')
  })
})
