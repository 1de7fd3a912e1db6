// docs/benchmarks.md from the results that are kept beside it.
//
// In: results. Out: the page's text. Nothing is refused; a case that was not run is not on the
// page. Invariant: no figure on the page is typed by hand but those of the peers, which were
// measured before Weir existed and say so; a test proves the page against docs/benchmarks/.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryFolder } from '../../../dev/stack/repository.ts'
import { companies } from '../cases/isolation.ts'
import { renderProfile, renderReplayProfile } from '../measure/profile-sections.ts'
import { judge, showCount } from './bars.ts'
import { type BenchResult, nameOf } from './bench-result.ts'
import { renderCodecs } from './codec-section.ts'
import { renderCrossover } from './crossover-section.ts'
import { table } from './markdown-table.ts'
import { renderRollbacks, renderSwaps } from './swaps-section.ts'
import { renderVerdicts } from './verdicts-section.ts'

export const benchmarksPage = join(repositoryFolder, 'docs', 'benchmarks.md')
/** The words of the page that no result changes: how it is measured, and the peers. */
const method = join(repositoryFolder, 'load', 'bench', 'page', 'method.md')

type Of<Case extends BenchResult['case']> = Extract<BenchResult, { case: Case }>

export function renderBenchmarks(results: readonly BenchResult[]): string {
  const of = <Case extends BenchResult['case']>(name: Case) =>
    results.filter((result): result is Of<Case> => result.case === name)
  const sections = [
    '# Benchmarks',
    'Written by `npm run bench -- <case> --write` from the results in `docs/benchmarks/`.',
    '## Against the bars',
    renderBars(results),
    '## Where the figures come from',
    renderCircumstances(results),
    ...section('## Drain', of('drain'), renderDrains),
    ...section('## Latency', of('latency'), renderLatencies),
    ...section('## Replay', of('replay'), renderReplays),
    ...section('## Live scoring beside a replay', of('isolation'), renderIsolations),
    ...section('## Hot entities', of('fold'), renderFolds),
    ...section('## Graphs and providers', of('crossover'), (found) =>
      found.map(renderCrossover).join('\n\n'),
    ),
    ...section('## Swaps of models under load', of('swaps'), renderSwaps),
    ...section('## Rollback of a bad model', of('rollback'), renderRollbacks),
    ...section('## Verdicts of a rollout', of('verdicts'), (found) =>
      found.map(renderVerdicts).join('\n\n'),
    ),
    ...section('## Compression', of('codec'), (found) => found.map(renderCodecs).join('\n\n')),
    ...section('## Pass-through limit', of('limit'), renderLimits),
    ...of('profile').flatMap(renderProfile),
    ...of('replay-profile').flatMap(renderReplayProfile),
    readFileSync(method, 'utf8').trim(),
  ]
  return `${sections.join('\n\n')}\n`
}

const section = <T>(title: string, found: readonly T[], render: (found: readonly T[]) => string) =>
  found.length === 0 ? [] : [title, render(found)]

function renderBars(results: readonly BenchResult[]): string {
  const rows = results.flatMap((result) =>
    judge(result).map(({ figure, measured, bar, goal, verdict }) => [
      nameOf(result),
      figure,
      measured,
      bar,
      goal,
      verdict.includes('missed') ? `**${verdict}**` : verdict,
    ]),
  )
  return table(['Run', 'Figure', 'Measured', 'Bar', 'Goal', 'Verdict'], rows)
}

function renderCircumstances(results: readonly BenchResult[]): string {
  const rows = results.map((result) => {
    const { machine, date, commit, stack } = result
    const { cpu, cores, memoryGb, kernel, node, loadBefore } = machine
    const hardware = `${cpu}, ${cores} cores, ${memoryGb} GB`
    return [nameOf(result), date, commit, hardware, kernel, node, stack, String(loadBefore)]
  })
  const columns = ['Run', 'Date', 'Commit', 'Machine', 'Kernel', 'Node', 'Stack', 'Load before']
  return table(columns, rows)
}

function renderDrains(drains: readonly Of<'drain'>[]): string {
  const figures: readonly (readonly [string, (drain: Of<'drain'>) => string])[] = [
    ['events', ({ events }) => showCount(events)],
    ['scorers', ({ processes }) => String(processes)],
    ['rehearsed before', ({ rehearsedEvents }) => showCount(rehearsedEvents)],
    ['events/s', ({ eventsPerSecond }) => showCount(eventsPerSecond)],
    ['pass-through limit, records/s', (drain) => showCount(drain.limitEventsPerSecond)],
    ['drain / limit', ({ ratio }) => ratio.toFixed(3)],
    ['CPU of the scorer, us/event', (drain) => showMicros(drain.cpuMicrosPerEvent.scorer)],
    ['CPU of the broker, us/event', (drain) => showMicros(drain.cpuMicrosPerEvent.broker)],
    ['CPU of Redis, us/event', (drain) => showMicros(drain.cpuMicrosPerEvent.redis)],
    [
      'peak memory of a scorer, MB',
      ({ rssMaxMb }) => (rssMaxMb === null ? '' : showCount(rssMaxMb)),
    ],
    ['events per batch, mean', ({ batchMean }) => showCount(batchMean)],
    ['exact vectors, share', ({ exactShare }) => String(exactShare)],
    ['missing', ({ missing }) => String(missing)],
    ['duplicated', ({ duplicated }) => String(duplicated)],
    ['gaps in ordinals', ({ ordinalGaps }) => String(ordinalGaps)],
  ]
  const rows = figures.map(([figure, show]) => [figure, ...drains.map(show)])
  return table(['Figure', ...drains.map(nameOf)], rows)
}

function renderLatencies(latencies: readonly Of<'latency'>[]): string {
  const rows = latencies.map((latency) => [
    nameOf(latency),
    showCount(latency.rate),
    `${latency.seconds} s after ${latency.warmUpSeconds} s`,
    ...[latency.p50Ms, latency.p95Ms, latency.p99Ms, latency.p999Ms].map(showMs),
    String(latency.lost),
    showMs(latency.behindMaxMs),
  ])
  const quantiles = ['p50 ms', 'p95 ms', 'p99 ms', 'p99.9 ms']
  const columns = ['Run', 'events/s', 'Measured', ...quantiles, 'Lost', 'Generator behind, max ms']
  const stages = latencies.flatMap((latency) =>
    (['produce', 'score', 'publish'] as const).map((stage) => [
      nameOf(latency),
      stageWords[stage],
      showMs(latency.stagesP50Ms[stage]),
      showMs(latency.stagesP99Ms[stage]),
    ]),
  )
  const usage = latencies.map((latency) => [
    nameOf(latency),
    showCount(latency.batchMean),
    ...[latency.cpuMicrosPerEvent.scorer, latency.cpuMicrosPerEvent.broker].map(showMicros),
    showMicros(latency.cpuMicrosPerEvent.redis),
  ])
  const cpu = ['Scorer, CPU us/event', 'Broker, CPU us/event', 'Redis, CPU us/event']
  return [
    table(columns, rows),
    table(['Run', 'Stage', 'p50 ms', 'p99 ms'], stages),
    table(['Run', 'Events per batch', ...cpu], usage),
  ].join('\n\n')
}

const stageWords = {
  produce: 'due to stored by the broker',
  score: 'stored to scored',
  publish: 'scored to visible',
} as const

function renderFolds(folds: readonly Of<'fold'>[]): string {
  const rows = folds.flatMap((fold) =>
    fold.rows.map((row) => [
      showCount(row.eventsPerEntity),
      showCount(row.entities),
      showMicros(row.microsPerEvent),
      showMicros(row.unfoldedMicrosPerEvent),
      showMicros(row.cpuMicrosPerEvent.scorer),
      showMicros(row.cpuMicrosPerEvent.redis),
      showCount(row.stateBytesMax),
      showCount(row.memoryBytesMax),
    ]),
  )
  const columns = [
    'Events per terminal and day',
    'Terminals',
    'us/event',
    'Without folding',
    'Scorer, CPU us/event',
  ]
  return [
    'Events of a day, dealt out to fewer and fewer terminals: the enrich stage over Redis, in batches of ' +
      '1,000, windows from a minute to 30 days with tails (`load/bench/pipelines/hot-terminal.yaml`).',
    table(
      [...columns, 'Redis, CPU us/event', 'State of a terminal, bytes', 'In Redis, bytes'],
      rows,
    ),
  ].join('\n\n')
}

function renderReplays(replays: readonly Of<'replay'>[]): string {
  const mb = (peak: number | null) => (peak === null ? '' : showCount(peak))
  const rows = replays.flatMap((replay) => {
    const { features, events, featuresOnly, scored, sql } = replay
    const kinds = [['features', featuresOnly] as const, ['scored', scored] as const]
    const own = kinds.flatMap(([kind, rate]) =>
      rate === null
        ? []
        : [
            [
              nameOf(replay),
              kind,
              String(features),
              showCount(events),
              showCount(rate.eventsPerSecond),
              showMicros(rate.userMicrosPerEvent + rate.systemMicrosPerEvent),
              mb(rate.rssMaxMb),
              mb(rate.longRssMaxMb),
            ],
          ],
    )
    if (sql === null) return own
    const query = [String(features), showCount(events), showCount(sql.eventsPerSecond), '', '', '']
    return [...own, [nameOf(replay), 'features, SQL (DuckDB)', ...query]]
  })
  const columns = ['Run', 'Out', 'Features', 'Transactions', 'Transactions/s', 'CPU us/transaction']
  return table([...columns, 'Peak MB', 'Peak MB, 4 times the history'], rows)
}

function renderIsolations(isolations: readonly Of<'isolation'>[]): string {
  const sections = isolations.map((isolation) => {
    const { events, rate, seconds, warmUpSeconds, history, rounds } = isolation
    const rows = companies.map((company) => {
      const figures = isolation.companies[company]
      const { replayedPerSecond } = figures
      return [
        companyWords[company],
        showCount(figures.eventsPerSecond),
        figures.throughputRatio.toFixed(2),
        showMs(figures.p50Ms),
        showMs(figures.p99Ms),
        figures.p99Ratio.toFixed(2),
        replayedPerSecond === null ? '' : showCount(replayedPerSecond),
      ]
    })
    const live = ['Drain, events/s', '/ alone', 'p50 ms', 'p99 ms', '/ alone']
    return [
      `${nameOf(isolation)}: medians of ${rounds} rounds, each a drain of ${showCount(events)} events and ` +
        `${seconds} s after ${warmUpSeconds} s at ${showCount(rate)} events/s; beside it replays ` +
        `of ${showCount(history)} transactions with scores, one after the other.`,
      table(['Live scoring', ...live, 'Replayed, transactions/s'], rows),
    ].join('\n\n')
  })
  return sections.join('\n\n')
}

const companyWords = {
  alone: 'alone',
  replay: 'beside a replay',
  nicedReplay: 'beside a replay of the lowest priority',
} as const

function renderLimits(limits: readonly Of<'limit'>[]): string {
  const rows = limits.map((limit) => [
    nameOf(limit),
    showCount(limit.stockEventsPerSecond),
    showCount(limit.limitEventsPerSecond),
    limit.ratio.toFixed(2),
    showMicros(limit.cpuMicrosPerEvent.stock),
    showMicros(limit.cpuMicrosPerEvent.accelerated),
  ])
  const columns = ['Run', 'Stock, records/s', 'Accelerated, records/s', 'Ratio']
  return table([...columns, 'Stock, CPU us', 'Accelerated, CPU us'], rows)
}

const showMs = (ms: number): string => ms.toFixed(1)
const showMicros = (micros: number | null): string => (micros === null ? '' : micros.toFixed(1))
