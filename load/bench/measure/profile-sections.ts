// The profiles' sections of docs/benchmarks.md.
//
// In: the results of `bench drain --profile` and `bench replay --profile`. Out: Markdown. Nothing
// is refused. Invariant: shares are of a thread's busy time; those too small to be missed are left
// out.

import { stages } from '../../../services/pipeline/observe/signals.ts'
import { showCount } from '../page/bars.ts'
import type { BenchResult } from '../page/bench-result.ts'
import { table } from '../page/markdown-table.ts'
import type { ThreadProfile } from './cpu-profile.ts'
import type { StageFigure } from './scorer-metrics.ts'

/** Less than this would not be missed. */
const shareShownMin = 0.005

type Of<Case extends BenchResult['case']> = Extract<BenchResult, { case: Case }>

export function renderProfile(profile: Of<'profile'>): readonly string[] {
  return [
    `## Where the time goes${nameUnlessBench(profile)}`,
    `From a drain of ${showCount(profile.events)} events with Node's profiler on, which costs time ` +
      'itself. A stage counts from the entry of a batch to its exit, waiting included, and stages ' +
      'work on different batches at once; a thread counts what it did itself, native code for the ' +
      'file that called it.',
    renderStages(profile.stages),
    `One round trip to the store took ${profile.storeRoundTripMeanMs.toFixed(1)} ms on average.`,
    ...profile.threads.flatMap(renderThread),
  ]
}

export function renderReplayProfile(profile: Of<'replay-profile'>): readonly string[] {
  const rows = profile.parts
    .filter(isWorthShowing)
    .map(({ part, share, microsPerEvent }) => [part, showPercent(share), microsPerEvent.toFixed(2)])
  return [
    `## Where a replay's time goes${nameUnlessBench(profile)}`,
    `From a replay of ${showCount(profile.events)} transactions, ` +
      `${profile.isScoring ? 'with scores' : 'features alone'}, with Node's profiler on, from the first ` +
      "batch to the last measure of the report. Parts are the main thread's own time: what a stage " +
      'calls counts for the stage, waiting does not count. Scores are computed in one worker, rows ' +
      'are written in another.',
    table(['Part', 'Self time', 'us/transaction'], rows),
    ...profile.threads.flatMap(renderThread),
  ]
}

const nameUnlessBench = ({ pipeline }: { readonly pipeline: string }): string =>
  pipeline === 'bench' ? '' : ` (${pipeline})`

function renderStages(figures: Readonly<Record<(typeof stages)[number], StageFigure>>): string {
  const rows = stages.map((stage) => [
    stage,
    showMicros(figures[stage].microsPerEvent),
    showCount(figures[stage].batchMean),
  ])
  return table(['Stage', 'us/event', 'Events per batch'], rows)
}

function renderThread(thread: ThreadProfile): readonly string[] {
  const { busyShare, busyMicrosPerEvent } = thread
  const rows = (shares: readonly { share: number; microsPerEvent: number }[], names: string[][]) =>
    shares.map((row, i) => [...names[i]!, showPercent(row.share), row.microsPerEvent.toFixed(2)])
  const shownFiles = thread.files.filter(isWorthShowing)
  const shownFunctions = thread.functions.filter(isWorthShowing)
  const files = rows(
    shownFiles,
    shownFiles.map(({ file }) => [`\`${file}\``]),
  )
  const functions = rows(
    shownFunctions,
    shownFunctions.map((row) => [
      `\`${row.function}\``,
      `\`${row.file}${row.line > 0 ? `:${row.line}` : ''}\``,
    ]),
  )
  return [
    `### Thread: ${thread.thread}`,
    `Busy ${showPercent(busyShare)} of the time, ${showMicros(busyMicrosPerEvent)} us/event.`,
    table(['File', 'Self time', 'us/event'], files),
    table(['Function', 'Place', 'Self time', 'us/event'], functions),
  ]
}

const isWorthShowing = ({ share }: { readonly share: number }): boolean => share >= shareShownMin

const showMicros = (micros: number): string => micros.toFixed(1)
const showPercent = (share: number): string => `${(share * 100).toFixed(1)} %`
