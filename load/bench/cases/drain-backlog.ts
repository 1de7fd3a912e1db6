// A backlog through scorers of its own, from the first claim of a lane to the last commit.
//
// In: a place whose input topic is filled with exactly `events` records. Out: seconds, CPU per
// event and peak memory of the processes, and the scorers' own figures. Start-up is left out
// (modules, model, joining the group), cold code is not. Refused: scorers that end or stop
// committing. Invariant: nothing else of the bench runs meanwhile but the question for the
// committed offsets.

import { setTimeout as pause } from 'node:timers/promises'
import type { BenchEnvironment } from '../environment/bench-environment.ts'
import { startBenchScorers } from '../environment/bench-scorers.ts'
import { compareReadings, readProcesses, type Usage } from '../measure/process-usage.ts'
import { readScorerFigures, type ScorerFigures } from '../measure/scorer-metrics.ts'

type BacklogOptions = {
  readonly events: number
  readonly processes: number
  readonly nodeFlags?: readonly string[]
}

type Drained = ScorerFigures & Usage & { readonly seconds: number }

const pollMs = 20
const silenceMsMax = 60_000

export async function drainBacklog(
  place: BenchEnvironment,
  options: BacklogOptions,
): Promise<Drained> {
  const { events, processes, nodeFlags = [] } = options
  const scorers = await startBenchScorers(place, processes, nodeFlags)
  try {
    const startedMs = await scorers.untilFirstClaim()
    const before = readProcesses(place.stack, scorers.all)
    await Promise.race([awaitCommits(place, events), scorers.failed])
    const seconds = (Date.now() - startedMs) / 1_000
    const usage = compareReadings(before, readProcesses(place.stack, scorers.all), events)
    const texts = await Promise.all(scorers.all.map(({ readMetrics }) => readMetrics()))
    return { seconds, ...usage, ...readScorerFigures(texts) }
  } finally {
    await scorers.stop()
  }
}

/** Resolves when the offsets that the group has committed reach the end of the topic. */
async function awaitCommits({ admin, groupId, definition }: BenchEnvironment, events: number) {
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
