// `bench drain`: how fast a backlog is scored, exactly once, and whether the features are right.
//
//   prefill ─► limit ─► scorers, from the first claim of a lane to the last commit ─► limit ─► proof
//
// In: a place. Out: the case's figures. Counted are all prefilled transactions over the time from the
// first claim of a lane, when fetching begins, to the moment when the group's committed offsets reach
// the topic's end: start-up (modules, model, joining the group) is left out, cold code is not.
// Refused: scorers that end or stop committing. Invariant: nothing else of the bench runs meanwhile
// but the question for the committed offsets, every 20 ms.

import { setTimeout as pause } from 'node:timers/promises'
import type { Room } from '../../services/pipeline/observe/happenings.ts'
import type { BenchPlace } from './bench-place.ts'
import { measureLimit, rateOf } from './limit.ts'
import { prefill } from './prefill-place.ts'
import { readCpuMicros, readPeakMemoryMb } from './process-usage.ts'
import { computeReference } from './reference-vectors.ts'
import { type RoomFigure, readScorerFigures } from './scorer-metrics.ts'
import { type ScorerProcess, startScorerProcess } from './scorer-process.ts'
import { verifyScored } from './verify-scored.ts'

export type DrainCase = {
  readonly case: 'drain'
  readonly events: number
  readonly eventsPerSecond: number
  readonly limitEventsPerSecond: number
  readonly ratio: number
  /** Share of vectors equal to those of the perfectly ordered stream. */
  readonly exactShare: number
  /** null where the process is not ours to look at. */
  readonly cpuMicrosPerEvent: Readonly<Record<'scorer' | 'broker' | 'redis', number | null>>
  /** Of the scorer that held the most. */
  readonly rssMaxMb: number | null
  readonly batchMean: number
  readonly missing: number
  readonly duplicated: number
  readonly ordinalGaps: number
  readonly seconds: number
  readonly processes: number
  readonly rooms: Readonly<Record<Room, RoomFigure>>
  readonly storeRoundTripMeanMs: number
}

export type DrainOptions = {
  readonly events: number
  readonly processes: number
  readonly say: (line: string) => void
}

export type BacklogOptions = {
  readonly events: number
  readonly processes: number
  readonly nodeFlags?: readonly string[]
}

const pollMs = 20
const silenceMsMax = 60_000

export async function runDrain(place: BenchPlace, options: DrainOptions): Promise<DrainCase> {
  const { events, processes, say } = options
  say(`prefilling ${events} transactions`)
  await prefill(place, events)
  say('measuring the pass-through limit')
  const limits = [await measureLimit(place, events)]
  say(`draining with ${processes === 1 ? 'one scorer' : `${processes} scorers`}`)
  const drained = await drainBacklog(place, { events, processes })
  limits.push(await measureLimit(place, events))
  say('comparing every vector with the perfectly ordered stream')
  const { scored: _, ...verdict } = await verifyScored(place, await computeReference(place))
  const { seconds, usage, ...figures } = drained
  const eventsPerSecond = events / seconds
  const limitEventsPerSecond = rateOf(limits)
  const ratio = eventsPerSecond / limitEventsPerSecond
  const rates = { eventsPerSecond, limitEventsPerSecond, ratio }
  return { case: 'drain', events, ...rates, ...usage, ...verdict, seconds, processes, ...figures }
}

export async function drainBacklog(place: BenchPlace, options: BacklogOptions) {
  const { events, processes, nodeFlags = [] } = options
  const scorers = Array.from({ length: processes }, (_, i) =>
    startScorerProcess({ place, name: `scorer-${i}`, nodeFlags }),
  )
  try {
    const startedMs = await Promise.race(scorers.map(({ claimed }) => claimed))
    const before = readUsage(place, scorers)
    const failed = scorers.map((scorer) => scorer.failed)
    await Promise.race([awaitCommits(place, events), ...failed])
    const seconds = (Date.now() - startedMs) / 1_000
    const usage = compareUsage(before, readUsage(place, scorers), events)
    const texts = await Promise.all(scorers.map(({ readMetrics }) => readMetrics()))
    return { seconds, usage, ...readScorerFigures(texts) }
  } finally {
    await Promise.all(scorers.map(({ stop }) => stop()))
  }
}

async function awaitCommits({ admin, groupId, definition }: BenchPlace, events: number) {
  const topics = [definition.topics.transactions]
  let committed = -1
  let progressMs = Date.now()
  for (;;) {
    const [topic] = await admin.fetchOffsets({ groupId, topics })
    const offsets = topic!.partitions.map(({ offset }) => Math.max(0, Number(offset)))
    const now = offsets.reduce((sum, offset) => sum + offset, 0)
    if (now >= events) return
    if (now > committed) progressMs = Date.now()
    committed = Math.max(committed, now)
    if (Date.now() - progressMs > silenceMsMax) {
      throw new Error(`the drain stopped at ${committed} of ${events} transactions`)
    }
    await pause(pollMs)
  }
}

function readUsage({ stack }: BenchPlace, scorers: readonly ScorerProcess[]) {
  const peaks = scorers.map(({ pid }) => readPeakMemoryMb(pid))
  return {
    scorer: sumOf(scorers.map(({ pid }) => readCpuMicros(pid))),
    broker: readCpuMicros(stack.servers?.kafka.pid()),
    redis: readCpuMicros(stack.servers?.redis.pid()),
    rssMaxMb: peaks.reduce((a, b) => (a === null || b === null ? null : Math.max(a, b)), 0),
  }
}

type Usage = ReturnType<typeof readUsage>

function compareUsage(before: Usage, after: Usage, events: number) {
  const each = (name: 'scorer' | 'broker' | 'redis') => {
    const [from, to] = [before[name], after[name]]
    return from === null || to === null ? null : (to - from) / events
  }
  const cpuMicrosPerEvent = { scorer: each('scorer'), broker: each('broker'), redis: each('redis') }
  return { cpuMicrosPerEvent, rssMaxMb: after.rssMaxMb }
}

const sumOf = (values: readonly (number | null)[]): number | null =>
  values.reduce((sum, value) => (sum === null || value === null ? null : sum + value), 0)
