// `bench isolation`: what a replay on the same machine takes of live scoring, with and without
// nice.
//
//   round: alone ─► beside a replay ─► beside a niced replay;  next round: the same backwards
//
// In: a place, lengths. Out: for each company the throughput of a drain and the latencies at a
// fixed rate, and their ratios to those of the same round alone. Refused: what drain, latency and
// replay refuse. Invariants: each measurement is that of `bench drain` or `bench latency`, in a
// place of its own on the same stack; companies take turns, so that a change of the machine's mood
// meets all.

import { type BenchEnvironment, usePlace } from '../environment/bench-environment.ts'
import { prefill } from '../environment/prefill-environment.ts'
import { medianOf } from '../measure/quantiles.ts'
import type { HistoryFiles } from '../verify/feature-sql.ts'
import { drainBacklog } from './drain-backlog.ts'
import { type LatencyOptions, runLatency } from './latency.ts'
import { rehearse } from './rehearse.ts'
import { type Priority, replayBeside } from './replay-beside.ts'
import { openReplayHistory } from './replay-history.ts'

export const companies = ['alone', 'replay', 'nicedReplay'] as const
export type Company = (typeof companies)[number]

export type LiveFigures = {
  readonly eventsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Mean of both measurements, from the scorer's start to its end; null where live is alone. */
  readonly replayedPerSecond: number | null
}

/** Medians of the rounds. */
export type CompanyFigures = LiveFigures & {
  /** Of the same round's figure alone; so is p99Ratio. */
  readonly throughputRatio: number
  readonly p99Ratio: number
}

export type IsolationCase = Omit<LatencyOptions, 'say'> & {
  readonly case: 'isolation'
  /** Of each backlog. */
  readonly events: number
  /** Transactions of the history that is replayed. */
  readonly history: number
  readonly rounds: number
  readonly lost: number
  readonly duplicated: number
  readonly companies: Readonly<Record<Company, CompanyFigures>>
}

export type IsolationOptions = LatencyOptions & {
  readonly events: number
  readonly history: number
  readonly rounds: number
}

type Measured = LiveFigures & { readonly lost: number; readonly duplicated: number }
type Rounds = Readonly<Record<Company, readonly LiveFigures[]>>

const priorities: Readonly<Record<Company, Priority | null>> = {
  alone: null,
  replay: 'usual',
  nicedReplay: 'lowest',
}

export async function runIsolation(
  place: BenchEnvironment,
  { say, ...lengths }: IsolationOptions,
): Promise<IsolationCase> {
  const files = openReplayHistory(lengths.history, say)
  await rehearse(place, lengths.rehearsedEvents, say)
  const rounds: Record<Company, Measured[]> = { alone: [], replay: [], nicedReplay: [] }
  for (let round = 1; round <= lengths.rounds; round++) {
    for (const company of round % 2 === 1 ? companies : companies.toReversed()) {
      const measured = await measureLive(place, files, lengths, priorities[company])
      rounds[company].push(measured)
      const { eventsPerSecond, p99Ms } = measured
      const figures = `${Math.round(eventsPerSecond)} events/s, p99 ${p99Ms.toFixed(1)} ms`
      say(`round ${round} of ${lengths.rounds}, ${company}: ${figures}`)
    }
  }
  const all = Object.values(rounds).flat()
  return {
    case: 'isolation',
    ...lengths,
    lost: all.reduce((sum, { lost }) => sum + lost, 0),
    duplicated: all.reduce((sum, { duplicated }) => sum + duplicated, 0),
    companies: compareRounds(rounds),
  }
}

/** A drain and a latency run, each in a place of its own; what replays, replays beside both. */
async function measureLive(
  { stack, pipelineFile }: BenchEnvironment,
  files: HistoryFiles,
  { events, ...lengths }: Omit<IsolationOptions, 'say'>,
  priority: Priority | null,
): Promise<Measured> {
  const beside = async <T>(measure: () => Promise<T>) =>
    priority === null
      ? { measured: await measure(), replayedPerSecond: null }
      : replayBeside({ pipelineFile, files, priority }, measure)
  const drain = await usePlace(stack, pipelineFile, async (place) => {
    await prefill(place, events)
    return beside(() => drainBacklog(place, { events, processes: 1 }))
  })
  const options = { ...lengths, rehearsedEvents: 0, say: () => undefined }
  const latency = await usePlace(stack, pipelineFile, (place) =>
    beside(() => runLatency(place, options)),
  )
  const { p50Ms, p99Ms, lost, duplicated } = latency.measured
  const rates = [drain.replayedPerSecond, latency.replayedPerSecond]
  return {
    eventsPerSecond: events / drain.measured.seconds,
    p50Ms,
    p99Ms,
    replayedPerSecond: priority === null ? null : (rates[0]! + rates[1]!) / 2,
    lost,
    duplicated,
  }
}

export function compareRounds(rounds: Rounds): Readonly<Record<Company, CompanyFigures>> {
  const figuresOf = (company: Company): CompanyFigures => {
    const measured = rounds[company]
    const median = (read: (figures: LiveFigures) => number) => medianOf(measured.map(read))
    const ratio = (read: (figures: LiveFigures) => number) =>
      medianOf(measured.map((figures, i) => read(figures) / read(rounds.alone[i]!)))
    return {
      eventsPerSecond: median(({ eventsPerSecond }) => eventsPerSecond),
      throughputRatio: ratio(({ eventsPerSecond }) => eventsPerSecond),
      p50Ms: median(({ p50Ms }) => p50Ms),
      p99Ms: median(({ p99Ms }) => p99Ms),
      p99Ratio: ratio(({ p99Ms }) => p99Ms),
      replayedPerSecond:
        company === 'alone' ? null : median(({ replayedPerSecond }) => replayedPerSecond!),
    }
  }
  return {
    alone: figuresOf('alone'),
    replay: figuresOf('replay'),
    nicedReplay: figuresOf('nicedReplay'),
  }
}
