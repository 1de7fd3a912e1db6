// Faults of scorers: they die or freeze at a chosen moment of a batch, come and go.
//
// In: what was drawn. Out: the fault done. Refused: a crew of which nobody is ready in time. A
// scorer that ended otherwise before it came to its point has had its fault, too.

import { setTimeout as pause } from 'node:timers/promises'
import type { Crew, CrewMember } from './crew.ts'
import type { FailOrder, FailPoint } from './fail-points.ts'
import { type ChaosWorld, drawMs, type FaultMaker } from './fault.ts'

const READY_MS_MAX = 60_000
const REACH_MS_MAX = 60_000
const LOOK_EVERY_MS = 25
const CREW_MAX = 4

/** Killed in the act: what it had begun is in the store, in an open transaction, or committed. */
export const killAt =
  (point: FailPoint): FaultMaker =>
  (random) => {
    const nth = random.integer(1, 4)
    const which = random.uniform()
    return {
      kind: `kill ${point}`,
      words: `SIGKILL ${point}, time ${nth}, member ${which.toFixed(2)}`,
      strike: async ({ crew }) => {
        const member = await pick(crew, which)
        await untilReached(member, { point, nth, signal: 'SIGKILL' })
        await member.ended
      },
    }
  }

/** A zombie: it wakes up in the middle of a batch of lanes that are somebody else's by then. */
export const freezeAt =
  (point: FailPoint): FaultMaker =>
  (random) => {
    const nth = random.integer(1, 4)
    const which = random.uniform()
    const beyondMs = drawMs(random, 500, 2500)
    return {
      kind: `freeze ${point}`,
      words: `SIGSTOP ${point}, time ${nth}, member ${which.toFixed(2)}, ${beyondMs} ms beyond its session`,
      strike: async ({ crew, sessionMs }) => {
        const member = await pick(crew, which)
        await untilReached(member, { point, nth, signal: 'SIGSTOP' })
        await pause(sessionMs + beyondMs)
        member.signal('SIGCONT')
      },
    }
  }

/** At no chosen moment. */
export const killOutOfTheBlue: FaultMaker = (random) => {
  const which = random.uniform()
  return {
    kind: 'kill',
    words: `SIGKILL, member ${which.toFixed(2)}`,
    strike: async ({ crew }) => {
      const member = await pick(crew, which)
      member.signal('SIGKILL')
      await member.ended
    },
  }
}

type Move = { readonly kind: 'join' | 'leave' | 'crash'; readonly which: number; pauseMs: number }

/** Two to four scorers join and leave, each before the group has settled from the one before. */
export const storm: FaultMaker = (random) => {
  const moves = Array.from({ length: random.integer(3, 6) }, (): Move => {
    const kind = (['join', 'join', 'leave', 'crash'] as const)[random.integer(0, 3)]!
    return { kind, which: random.uniform(), pauseMs: drawMs(random, 100, 1500) }
  })
  return {
    kind: 'storm',
    words: `storm: ${moves.map(({ kind, pauseMs }) => `${kind}, ${pauseMs} ms`).join(', ')}`,
    strike: async (world) => {
      for (const move of moves) {
        await make(world, move)
        await pause(move.pauseMs)
      }
      await backTo(world, 2)
    },
  }
}

async function make({ crew }: ChaosWorld, { kind, which }: Move): Promise<void> {
  if (kind === 'join') {
    if (crew.wanted() < CREW_MAX) crew.join()
    return
  }
  const members = crew.running()
  if (crew.wanted() <= 1 || members.length === 0) return
  const member = members[Math.floor(which * members.length)]!
  crew.leave(member, kind === 'leave' ? 'SIGTERM' : 'SIGKILL')
}

async function backTo({ crew }: ChaosWorld, size: number): Promise<void> {
  while (crew.wanted() < size) crew.join()
  while (crew.wanted() > size) crew.leave(await pick(crew, 0), 'SIGTERM')
}

/** One of those that are ready; waits until there is one. */
async function pick(crew: Crew, which: number): Promise<CrewMember> {
  const deadlineMs = Date.now() + READY_MS_MAX
  for (;;) {
    const ready = await crew.ready()
    if (ready.length > 0) return ready[Math.floor(which * ready.length)]!
    if (Date.now() > deadlineMs) {
      throw new Error(`no scorer was ready within ${READY_MS_MAX / 1000} s`)
    }
    await pause(LOOK_EVERY_MS)
  }
}

async function untilReached(member: CrewMember, order: FailOrder): Promise<void> {
  member.arm(order)
  const deadlineMs = Date.now() + REACH_MS_MAX
  while (member.isRunning() && !member.hasReached()) {
    if (Date.now() > deadlineMs) {
      const detail = `did not come to ${order.point} within ${REACH_MS_MAX / 1000} s`
      throw new Error(`${member.name} ${detail}; its log is ${member.logFile}`)
    }
    await pause(LOOK_EVERY_MS)
  }
}
