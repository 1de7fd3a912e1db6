// What the figures have to reach, as data: the bar that must hold and the goal behind it.
//
// In: a result. Out: a verdict per bar that concerns it. Invariant: a figure that misses its bar is
// called missed, whatever the machine was doing; the machine stands beside it.

import type { BenchResult } from './bench-result.ts'

type Bar = {
  readonly figure: string
  readonly read: (result: BenchResult) => number | undefined
  readonly better: 'higher' | 'lower'
  readonly bar: number | null
  readonly goal: number | null
  readonly show: (value: number) => string
}

type Verdict = {
  readonly figure: string
  readonly measured: string
  readonly bar: string
  readonly goal: string
  readonly verdict: 'goal met' | 'bar met, goal missed' | 'bar met' | 'missed'
}

export const showCount = (value: number): string => Math.round(value).toLocaleString('en-US')
const showShare = (value: number): string => value.toFixed(2)
const showMs = (value: number): string => `${value.toFixed(1)} ms`
const showExact = (value: number): string => (value === 1 ? '1' : value.toPrecision(6))

type Of<Case extends BenchResult['case']> = Extract<BenchResult, { case: Case }>

const of =
  <Case extends BenchResult['case']>(
    names: readonly Case[],
    read: (result: Of<Case>) => number | undefined,
  ) =>
  (result: BenchResult): number | undefined =>
    (names as readonly string[]).includes(result.case) ? read(result as Of<Case>) : undefined

const bars: readonly Bar[] = [
  {
    figure: 'drain / pass-through limit',
    read: of(['drain'], ({ ratio }) => ratio),
    better: 'higher',
    bar: 0.2,
    goal: 0.35,
    show: showShare,
  },
  {
    figure: 'drain, events/s',
    read: of(['drain'], ({ eventsPerSecond }) => eventsPerSecond),
    better: 'higher',
    bar: null,
    goal: 50_000,
    show: showCount,
  },
  {
    figure: 'share of vectors that are exact',
    read: of(['drain'], ({ exactShare }) => exactShare),
    better: 'higher',
    bar: 1,
    goal: null,
    show: showExact,
  },
  {
    figure: 'missing + duplicated + gaps in ordinals',
    read: of(
      ['drain'],
      ({ missing, duplicated, ordinalGaps }) => missing + duplicated + ordinalGaps,
    ),
    better: 'lower',
    bar: 0,
    goal: null,
    show: showCount,
  },
  {
    figure: 'latency p99 at 2,000 events/s',
    read: of(['latency'], ({ rate, p99Ms }) => (rate === 2_000 ? p99Ms : undefined)),
    better: 'lower',
    bar: 60,
    goal: 25,
    show: showMs,
  },
  {
    figure: 'events lost or seen twice',
    read: of(['latency', 'isolation', 'swaps'], ({ lost, duplicated }) => lost + duplicated),
    better: 'lower',
    bar: 0,
    goal: null,
    show: showCount,
  },
  {
    figure: 'state of a terminal with a million events a day, bytes',
    read: of(['fold'], ({ rows }) => rows.at(-1)!.stateBytesMax),
    better: 'lower',
    bar: 8_192,
    goal: null,
    show: showCount,
  },
  {
    figure: 'events/s with folding / without',
    read: of(['fold'], ({ foldedToUnfolded }) => foldedToUnfolded),
    better: 'higher',
    bar: 0.9,
    goal: null,
    show: showShare,
  },
  {
    figure: 'cost per event, hottest terminal / quietest',
    read: of(['fold'], ({ hotToQuiet }) => hotToQuiet),
    better: 'lower',
    bar: 1.1,
    goal: null,
    show: showShare,
  },
  {
    figure: 'p99 while models are swapped / in quiet',
    read: of(['swaps'], ({ p99Ratio }) => p99Ratio),
    better: 'lower',
    bar: 2,
    goal: 1.2,
    show: showShare,
  },
  {
    figure: 'memory after all swaps / after a fifth of them',
    read: of(['swaps'], ({ memoryMb: { early, late } }) =>
      early === null || late === null ? undefined : late / early,
    ),
    better: 'lower',
    bar: 1.2,
    goal: 1.05,
    show: showShare,
  },
  {
    figure: 'false alarms of a rollout over alpha',
    read: of(
      ['verdicts'],
      ({ sameRate, atTheLimit, alpha }) =>
        Math.max(sameRate.convicted, atTheLimit.convicted) / alpha,
    ),
    better: 'lower',
    bar: 1,
    goal: null,
    show: showShare,
  },
  {
    figure: 'replay with scores, transactions/s',
    read: of(['replay'], ({ scored }) => scored?.eventsPerSecond),
    better: 'higher',
    bar: 40_000,
    goal: 80_000,
    show: showCount,
  },
  {
    figure: 'peak memory, 4 times the history / the history',
    read: of(['replay'], ({ featuresOnly: { rssMaxMb, longRssMaxMb } }) =>
      rssMaxMb === null || longRssMaxMb === null ? undefined : longRssMaxMb / rssMaxMb,
    ),
    better: 'lower',
    bar: 1.5,
    goal: null,
    show: showShare,
  },
  {
    figure: 'rows that differ from SQL',
    read: of(['replay'], ({ sql }) => sql?.differing),
    better: 'lower',
    bar: 0,
    goal: null,
    show: showCount,
  },
]

/** Several processes have a bar of their own: they wait for each other only within bounds. */
const exactShareOfSeveral = 0.999

export function judge(result: BenchResult): readonly Verdict[] {
  const isSeveral = result.case === 'drain' && result.processes > 1
  return bars.flatMap((row): Verdict[] => {
    const value = row.read(result)
    if (value === undefined) return []
    const bar = isSeveral && row.bar === 1 ? exactShareOfSeveral : row.bar
    const { figure, goal, show } = row
    const reaches = (wanted: number | null): boolean =>
      wanted === null || (row.better === 'higher' ? value >= wanted : value <= wanted)
    const shown = (wanted: number | null): string =>
      wanted === null ? '' : `${row.better === 'higher' ? '>=' : '<='} ${show(wanted)}`
    const verdict = verdictOf(reaches, bar, goal)
    return [{ figure, measured: show(value), bar: shown(bar), goal: shown(goal), verdict }]
  })
}

function verdictOf(
  reaches: (wanted: number | null) => boolean,
  bar: number | null,
  goal: number | null,
): Verdict['verdict'] {
  if (!reaches(bar)) return 'missed'
  if (goal === null) return 'bar met'
  if (reaches(goal)) return 'goal met'
  return bar === null ? 'missed' : 'bar met, goal missed'
}
