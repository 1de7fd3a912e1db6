// The scorers of a campaign, kept at their number as an orchestrator would keep them.
//
// In: how many, where they work. Out: those that run, to be armed and signalled; whoever ends is
// replaced after a pause that grows while they end young. Refused: nothing; how each of them ended
// is kept. Invariant: after stop() nothing is replaced any more, and all have ended.

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { repositoryFolder } from '../../dev/stack/repository.ts'
import type { Supervision } from '../../dev/stack/supervision.ts'
import { type ScorerProcess, startScorerProcess } from '../scorer/scorer-process.ts'
import type { ChaosEnvironment } from './chaos-environment.ts'
import { type FailOrder, reachedFileOf } from './fail-points.ts'

export type CrewMember = ScorerProcess & {
  /** Ready members only: before that it would not understand. */
  readonly arm: (order: FailOrder) => void
  /** Whether it has come to the point of its order. */
  readonly hasReached: () => boolean
}

export type Crew = {
  readonly running: () => readonly CrewMember[]
  /** Those whose health is good; asks them. */
  readonly ready: () => Promise<readonly CrewMember[]>
  readonly wanted: () => number
  readonly join: () => void
  /** From now on one less is wanted: this one, told so by the signal. */
  readonly leave: (member: CrewMember, signal: 'SIGTERM' | 'SIGKILL') => void
  /** How often members ended in which way. */
  readonly ends: () => Readonly<Record<string, number>>
  /**
   * Exits that no fault asked for, in words: of faults and of leaving, members end by a signal or
   * with 0.
   */
  readonly unasked: () => readonly string[]
  readonly stop: () => Promise<void>
}

type CrewOptions = {
  readonly place: ChaosEnvironment
  readonly supervision: Supervision
  readonly folder: string
  readonly size: number
  readonly sessionMs: number
}

const program = [join(repositoryFolder, 'load', 'chaos', 'armed-scorer.ts')]
const RESTART_PAUSE_MS = 300
const RESTART_PAUSE_MS_MAX = 3000
/** Who ends earlier is replaced later. */
const YOUNG_MS = 10_000

export function startCrew(options: CrewOptions): Crew {
  const members = new Set<CrewMember>()
  const ends = new Map<string, number>()
  const unasked: string[] = []
  const starts = new Set<Promise<void>>()
  let wanted = options.size
  let serial = 0
  let starting = 0
  let youngEnds = 0
  let isStopped = false

  const noteEnd = (member: CrewMember, how: string, startedMs: number): void => {
    members.delete(member)
    ends.set(how, (ends.get(how) ?? 0) + 1)
    if (/^exited with code [^0]/.test(how)) unasked.push(describeExit(member, how))
    youngEnds = Date.now() - startedMs < YOUNG_MS ? youngEnds + 1 : 0
    keepNumber()
  }

  const startOne = async (): Promise<void> => {
    await pause(Math.min(RESTART_PAUSE_MS_MAX, RESTART_PAUSE_MS * youngEnds))
    if (isStopped) return
    const startedMs = Date.now()
    const member = await startMember(options, `scorer-${++serial}`)
    members.add(member)
    void member.ended.then((how) => noteEnd(member, how, startedMs))
    if (isStopped) member.signal('SIGTERM')
  }

  const keepNumber = (): void => {
    while (!isStopped && members.size + starting < wanted) {
      starting++
      const start = startOne().finally(() => {
        starting--
        starts.delete(start)
        keepNumber()
      })
      starts.add(start)
      start.catch(() => undefined)
    }
  }

  keepNumber()
  return {
    running: () => [...members],
    ready: async () => {
      const found = [...members]
      const healths = await Promise.all(found.map((member) => member.health()))
      return found.filter((member, i) => healths[i]?.ready === true && member.isRunning())
    },
    wanted: () => wanted,
    join: () => {
      wanted++
      keepNumber()
    },
    leave: (member, signal) => {
      wanted--
      member.signal(signal)
    },
    ends: () => Object.fromEntries(ends),
    unasked: () => unasked,
    stop: async () => {
      isStopped = true
      await Promise.allSettled(starts)
      // A frozen one hears nothing until it goes on.
      for (const member of members) member.signal('SIGCONT')
      await Promise.all([...members].map((member) => member.stop()))
    },
  }
}

/** With what it said last: each of them has to be explained. */
function describeExit({ name, logFile }: CrewMember, how: string): string {
  const lines = existsSync(logFile) ? readFileSync(logFile, 'utf8').trim().split('\n') : []
  const last = lines.findLast((line) => /"level":"(?:error|fatal)"|WEIR_|Error/.test(line))
  return `${name} ${how}, and nobody had asked for it: ${(last ?? 'it said nothing').slice(0, 600)}`
}

async function startMember(options: CrewOptions, name: string): Promise<CrewMember> {
  const { place, supervision, folder, sessionMs } = options
  const orderFile = join(folder, `${name}.order`)
  const scorer = await startScorerProcess({
    supervision,
    name,
    pipelineFile: place.pipelineFile,
    environment: {
      ...place.environment,
      WEIR_INSTANCE_ID: name,
      CHAOS_ORDER_FILE: orderFile,
      CHAOS_SESSION_MS: String(sessionMs),
    },
    logFile: join(folder, `${name}.log`),
    program,
  })
  return {
    ...scorer,
    arm: (order) => {
      rmSync(reachedFileOf(orderFile), { force: true })
      writeFileSync(orderFile, JSON.stringify(order))
      scorer.signal('SIGUSR2')
    },
    hasReached: () => existsSync(reachedFileOf(orderFile)),
  }
}
