// The bench's small parts: processes, metrics, quantiles, profiles, bars and the world's dates.

import { describe, expect, it } from 'vitest'
import { repositoryFolder } from '../../../dev/stack/repository.ts'
import { compareRounds } from '../../../load/bench/cases/isolation.ts'
import { readProgress } from '../../../load/bench/cases/replay-beside.ts'
import { findStartMs } from '../../../load/bench/environment/prefill-environment.ts'
import {
  type CpuProfile,
  summarizeParts,
  summarizeProfiles,
} from '../../../load/bench/measure/cpu-profile.ts'
import { readCpuMicros, readPeakMemoryMb } from '../../../load/bench/measure/process-usage.ts'
import { quantileOf, sortValues } from '../../../load/bench/measure/quantiles.ts'
import { readScorerFigures } from '../../../load/bench/measure/scorer-metrics.ts'
import { judge } from '../../../load/bench/page/bars.ts'
import { type BenchResult, findOffences } from '../../../load/bench/page/bench-result.ts'
import { stages } from '../../../services/pipeline/observe/signals.ts'
import { DAY_MS } from '../../support/pipelines.ts'

describe.runIf(process.platform === 'linux')('process usage', () => {
  it('readCpuMicros - reads what this process used', () => {
    const { user, system } = process.cpuUsage()
    const read = readCpuMicros(process.pid)!
    // The kernel counts in ticks of 10 ms and may be one behind for user and one for system.
    expect(read).toBeGreaterThanOrEqual(user + system - 20_000)
    const after = process.cpuUsage()
    expect(read).toBeLessThanOrEqual(after.user + after.system + 20_000)
  })

  it('readPeakMemoryMb - lies between what this process holds and its highest ever', () => {
    const peakMb = readPeakMemoryMb(process.pid)!
    expect(peakMb).toBeGreaterThan(process.memoryUsage().rss / 2e6)
    // The system's maximum also counts the moment of the fork, when it was its parent's copy.
    expect(peakMb).toBeLessThan(process.resourceUsage().maxRSS / (1e6 / 1_024) + 10)
  })

  it('readCpuMicros - is null for a process that is not there or not ours', () => {
    expect([readCpuMicros(undefined), readCpuMicros(2 ** 30)]).toEqual([null, null])
    expect([readPeakMemoryMb(undefined), readPeakMemoryMb(2 ** 30)]).toEqual([null, null])
  })
})

describe('scorer metrics', () => {
  const text = (batches: number, events: number, seconds: number): string =>
    [
      `weir_batch_events_sum ${events}`,
      `weir_batch_events_count ${batches}`,
      `weir_store_round_trip_duration_seconds_sum ${seconds}`,
      `weir_store_round_trip_duration_seconds_count ${batches}`,
      ...stages.flatMap((stage) => [
        `weir_stage_duration_seconds_sum{stage="${stage}"} ${seconds}`,
        `weir_stage_batch_events_sum{stage="${stage}"} ${events}`,
        `weir_stage_batch_events_count{stage="${stage}"} ${batches}`,
      ]),
    ].join('\n')

  it('readScorerFigures - divides the sums of all scorers', () => {
    const figures = readScorerFigures([text(1, 100, 0.5), text(3, 300, 0.3)])
    expect(figures.batchMean).toBe(100)
    expect(figures.stages.enrich).toEqual({ microsPerEvent: 2_000, batchMean: 100 })
    expect(figures.storeRoundTripMeanMs).toBeCloseTo(200, 9)
  })

  it('readScorerFigures - refuses a page without a metric that it needs', () => {
    const page = text(1, 1, 1).replace('weir_batch_events_sum', 'weir_renamed_sum')
    expect(() => readScorerFigures([page])).toThrow('found no weir_batch_events_sum in /metrics')
  })
})

describe('quantiles', () => {
  it('quantileOf - gives the value at the nearest rank', () => {
    const sorted = sortValues(Array.from({ length: 1_000 }, (_, i) => 1_000 - i))
    expect([0, 0.5, 0.99, 0.999, 1].map((q) => quantileOf(sorted, q))).toEqual([
      1, 500, 990, 999, 1_000,
    ])
    expect(quantileOf(sortValues([]), 0.5)).toBeNaN()
  })
})

describe('cpu profiles', () => {
  const node = (id: number, functionName: string, file: string, children: number[] = []) => ({
    id,
    callFrame: {
      functionName,
      url: file === '' ? '' : `file://${repositoryFolder}${file}`,
      lineNumber: 9,
    },
    children,
  })
  const main: CpuProfile = {
    nodes: [
      node(1, '(root)', '', [2, 3, 6]),
      node(2, 'load', 'services/cli/main.ts'),
      node(3, 'mergeLanes', 'services/lanes/merge-lanes.ts', [4]),
      node(4, 'decode', 'services/pipeline/decode/decode.ts'),
      node(6, '(idle)', ''),
    ],
    startTime: 1_000,
    samples: [2, 3, 4, 6, 2, 4, 2],
    timeDeltas: [0, 100, 10, 20, 30, 40, 50],
  }
  const worker: CpuProfile = {
    nodes: [node(1, '(root)', '', [2]), node(2, 'run', 'services/adapters/onnx/onnx-worker.ts')],
    startTime: 1_000,
    samples: [2, 2, 2],
    timeDeltas: [0, 105, 35],
  }

  const work = ['services/lanes/merge-lanes.ts']

  it('summarizeProfiles - counts self time between the first and the last sample at work', () => {
    // At work from 1,100 (mergeLanes) to 1,200 (decode, the last): load counts only inside.
    const [first] = summarizeProfiles([worker, main], 10, work)
    const shares = first!.functions.map(({ function: name, microsPerEvent }) => [
      name,
      microsPerEvent,
    ])
    expect(shares).toEqual([
      ['decode', 7],
      ['load', 4],
      ['mergeLanes', 1],
    ])
    expect(first).toMatchObject({ thread: 'main', busyMicrosPerEvent: 12 })
    expect(first!.functions[0]).toMatchObject({
      file: 'services/pipeline/decode/decode.ts',
      line: 10,
    })
    expect(first!.files[0]!.share).toBeCloseTo(7 / 12, 12)
  })

  it('summarizeProfiles - counts native code for the file that called it', () => {
    const native = {
      ...node(5, 'writeBuffer', ''),
      callFrame: { functionName: 'writeBuffer', url: '', lineNumber: -1 },
    }
    const nodes = main.nodes.map((one) => (one.id === 4 ? { ...one, children: [5] } : one))
    const [first] = summarizeProfiles(
      [{ ...main, nodes: [...nodes, native], samples: [2, 3, 5, 6, 2, 4, 2] }],
      10,
      work,
    )
    expect(first!.functions).toContainEqual(
      expect.objectContaining({
        function: 'writeBuffer (native)',
        file: 'services/pipeline/decode/decode.ts',
        microsPerEvent: 2,
      }),
    )
  })

  it('summarizeProfiles - gives the other threads in the same window', () => {
    const [, second] = summarizeProfiles([worker, main], 10, work)
    expect(second).toMatchObject({ thread: 'worker 1', busyMicrosPerEvent: 3.5 })
  })

  it('summarizeProfiles - begins with the work, not with the loading of its module', () => {
    const nodes = main.nodes.map((one) => {
      const body = { ...node(2, '', 'services/lanes/merge-lanes.ts').callFrame, lineNumber: 0 }
      return one.id === 2 ? { ...one, callFrame: body } : one
    })
    const [first] = summarizeProfiles([{ ...main, nodes }], 10, work)
    expect(first).toMatchObject({ busyMicrosPerEvent: 12 })
  })

  it('summarizeParts - counts what a part calls for the part, and the collector by itself', () => {
    const nodes = [
      ...main.nodes.map((one) => (one.id === 4 ? { ...one, children: [5, 7] } : one)),
      node(5, 'append', 'services/adapters/memory/log.ts'),
      node(7, '(garbage collector)', ''),
    ]
    const profile = { ...main, nodes, samples: [2, 3, 5, 7, 2, 4, 2] }
    const parts = [{ part: 'decode', places: ['services/pipeline/decode/'] }]
    const found = summarizeParts([worker, profile], { events: 10, work, parts })
    // append for 20, decode for 50; load for 40 and mergeLanes for 10 have no part; 30 collected.
    expect(found.map(({ part, microsPerEvent }) => [part, microsPerEvent])).toEqual([
      ['decode', 7],
      ['the rest', 5],
      ['garbage collection', 3],
    ])
    expect(found.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 12)
  })

  it('summarizeProfiles - refuses profiles of something else', () => {
    expect(() => summarizeProfiles([worker], 1, work)).toThrow('found no sample inside')
  })
})

describe('live scoring beside a replay', () => {
  const live = (eventsPerSecond: number, p99Ms: number, replayedPerSecond: number | null) => ({
    eventsPerSecond,
    p50Ms: p99Ms / 2,
    p99Ms,
    replayedPerSecond,
  })

  it('compareRounds - holds each round against the same round alone', () => {
    // The machine was twice as fast in the second and third round.
    const compared = compareRounds({
      alone: [live(10, 40, null), live(20, 20, null), live(20, 20, null)],
      replay: [live(5, 80, 7), live(10, 40, 9), live(4, 100, 8)],
      nicedReplay: [live(9, 44, 1), live(18, 22, 2), live(20, 20, 3)],
    })
    expect(compared.alone).toMatchObject({ throughputRatio: 1, p99Ratio: 1, p99Ms: 20 })
    expect(compared.alone.replayedPerSecond).toBeNull()
    expect(compared.replay).toMatchObject({ eventsPerSecond: 5, throughputRatio: 0.5, p99Ratio: 2 })
    expect(compared.nicedReplay).toMatchObject({ throughputRatio: 0.9, replayedPerSecond: 2 })
  })

  it('readProgress - finds how far a replay came, at its end or on the way', () => {
    const way = '2500 of 60000 transactions, 2415/s, at 2026-01-01T11:02:17.037Z, 24 s left\n'
    const end = '60000 transactions, 0 rejected, 3.3 s (18302/s) into run\n'
    expect([way, way + end, 'weir: ended\n'].map(readProgress)).toEqual([2_500, 60_000, 0])
  })
})

describe('bars', () => {
  const drain = {
    case: 'drain',
    ratio: 0.3,
    eventsPerSecond: 60_000,
    exactShare: 0.9995,
    missing: 0,
    duplicated: 0,
    ordinalGaps: 0,
    processes: 1,
  } as unknown as BenchResult
  const verdictsOf = (result: BenchResult) => judge(result).map(({ verdict }) => verdict)

  it('judge - says goal, bar or missed, and never more than was reached', () => {
    expect(verdictsOf(drain)).toEqual(['bar met, goal missed', 'goal met', 'missed', 'bar met'])
    const lower = { ...drain, ratio: 0.19, eventsPerSecond: 49_999, missing: 1 } as BenchResult
    expect(verdictsOf(lower)).toEqual(['missed', 'missed', 'missed', 'missed'])
  })

  it('judge - asks less of the vectors where several processes share the lanes', () => {
    expect(verdictsOf({ ...drain, processes: 2 } as BenchResult)[2]).toBe('bar met')
  })

  it('judge - has no bar for another rate than that of the bar', () => {
    const latency = { case: 'latency', rate: 500, p99Ms: 9, lost: 0, duplicated: 0 }
    const figures = judge(latency as unknown as BenchResult).map(({ figure }) => figure)
    expect(figures).toEqual(['events lost or seen twice'])
  })

  it('judge - lets nothing be lost beside a replay', () => {
    const isolation = { case: 'isolation', lost: 1, duplicated: 0 } as unknown as BenchResult
    expect(verdictsOf(isolation)).toEqual(['missed'])
    expect(findOffences(isolation)).toEqual(['lost: 1, expected 0'])
  })

  it('judge - holds a replay to its speed, its memory and SQL', () => {
    const rate = { eventsPerSecond: 41_000, rssMaxMb: 500, longRssMaxMb: 800 }
    const replay = { case: 'replay', featuresOnly: rate, scored: rate, sql: { differing: 1 } }
    const judged = [replay, { ...replay, scored: null, sql: null }] as unknown as BenchResult[]
    expect(judged.map(verdictsOf)).toEqual([
      ['bar met, goal missed', 'missed', 'missed'],
      ['missed'],
    ])
    expect(judged.map(findOffences)).toEqual([['rows that differ from SQL: 1, expected 0'], []])
  })
})

describe('the world of a backlog', () => {
  it('findStartMs - ends in the past, at most a week before now, on the same week day', () => {
    for (const now of ['2025-03-01', '2026-01-02', '2026-07-31', '2031-12-31'].map(Date.parse)) {
      const startMs = findStartMs(35, now)
      const endMs = startMs + 35 * DAY_MS
      expect(endMs).toBeLessThanOrEqual(now)
      expect(endMs).toBeGreaterThan(now - 7 * DAY_MS)
      expect(new Date(startMs).getUTCDay()).toBe(4)
    }
  })
})
