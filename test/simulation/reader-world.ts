// A world of readers: one process that reads topics while things go wrong, started again when it
// ends.
//
// In: a seed, topics, what the process does. Out: whether it came to its end, and the first fault.
// A process may end by a WeirError while there is trouble (a named refusal); anything else is a
// fault.

import { WeirError } from '../../services/core/errors.ts'
import { EPOCH_MS } from '../support/batches.ts'
import { DAY_MS } from '../support/pipelines.ts'
import { createRandom, type Random } from '../support/random.ts'
import { type Brokers, createBrokers } from './brokers/brokers.ts'
import { createFate, type Troubles } from './fate.ts'
import { describeError } from './judge.ts'
import { createTrace, type Trace } from './trace.ts'
import { catchUnhandled } from './unhandled.ts'
import { createVirtualTime, type Life, newLife, type VirtualTime } from './virtual-time.ts'
import { type Call, createCall } from './wire.ts'

export const READER_START_MS = EPOCH_MS + 60 * DAY_MS
const READER_MS_MAX = 300_000

export type ReaderWorld = {
  readonly random: Random
  readonly time: VirtualTime
  readonly trace: Trace
  readonly brokers: Brokers
  readonly isCalm: () => boolean
  /** Told by the process when it has read all that it should have. */
  finish: () => void
  fault: string | null
}

export type ReaderEnd = {
  readonly seed: number
  readonly fault: string | null
  readonly starts: number
  readonly refusals: readonly string[]
  readonly virtualMs: number
  readonly hash: string
  readonly story: readonly string[]
}

export type ReaderOptions = {
  readonly topics: Readonly<Record<string, number>>
  readonly troubles: Troubles
  readonly calmFromMs: number
  readonly storyLines?: number
  /** Fills topics and makes what processes share. */
  readonly prepare: (world: ReaderWorld) => void
  /** A process; what it throws ends it. */
  readonly live: (world: ReaderWorld, call: Call, fail: (error: Error) => void) => Promise<void>
  readonly judge: (world: ReaderWorld) => string | null
}

export async function runReaderWorld(seed: number, options: ReaderOptions): Promise<ReaderEnd> {
  const { troubles, calmFromMs, storyLines = 60 } = options
  const random = createRandom(seed)
  const time = createVirtualTime(READER_START_MS, () => random.integer(0, 2 ** 30) / (2 ** 30 + 1))
  const trace = createTrace(time.nowMs, storyLines)
  const isCalm = (): boolean => time.nowMs() - READER_START_MS >= calmFromMs
  const calmTroubles = { lost: 0, unheard: 0, silent: 0, killed: 0, frozen: 0, slow: 0.01 }
  const fate = createFate(random, () => (isCalm() ? calmTroubles : troubles))
  const brokers = createBrokers({
    time,
    random,
    topics: options.topics,
    batchBytesMax: 1024 * 1024,
    slowDisconnect: () => (isCalm() ? 0 : 0.3),
    fetchRecordsMax: random.pick([3, 10, 40]),
  })
  const world: ReaderWorld = {
    random,
    time,
    trace,
    brokers,
    isCalm,
    finish: () => {
      isFinished = true
    },
    fault: null,
  }
  let isFinished = false
  let starts = 0
  let current: Life | null = null
  const refusals: string[] = []

  const end = (life: Life, error: Error, isKilled: boolean): void => {
    if (life.isDead) return
    life.isDead = true
    trace.tell(`${life.name} ${isKilled ? 'killed' : `ended: ${describeError(error)}`}`)
    if (!isKilled) {
      refusals.push(describeError(error))
      if (!(error instanceof WeirError)) world.fault ??= `ended by ${error.stack}`
    }
    time.after(random.integer(200, 3000), start, null)
  }
  const start = (): void => {
    const life = newLife(`reader.${starts++}`)
    current = life
    const kill = (killed: Life, why: string): void => end(killed, new Error(why), true)
    const call = createCall(life, { time, fate, trace, kill })
    const fail = (error: Error): void => end(life, error, false)
    time.live(life, () => void options.live(world, call, fail).catch(fail))
  }

  const unhandled = catchUnhandled((reason) => {
    trace.tell(`unhandled: ${reason instanceof Error ? reason.stack : reason}`)
    world.fault ??= `a rejection that nobody handled: ${describeError(reason)}`
  })
  try {
    options.prepare(world)
    if (random.chance(0.5)) scheduleFaults(world, calmFromMs)
    time.after(0, start, null)
    const isOver = (): boolean => isFinished || world.fault !== null
    await time.runUntil(isOver, READER_START_MS + READER_MS_MAX)
    if (!isOver()) world.fault = `not done after ${READER_MS_MAX / 60_000} minutes`
    world.fault ??= options.judge(world)
  } finally {
    if (current !== null) (current as Life).isDead = true
    unhandled.stop()
  }
  return {
    seed,
    fault: world.fault,
    starts,
    refusals,
    virtualMs: time.nowMs() - READER_START_MS,
    hash: trace.hash(),
    story: trace.lines(),
  }
}

function scheduleFaults({ random, time, brokers, trace }: ReaderWorld, untilMs: number): void {
  const set = (name: keyof Brokers['broken'], forMs: number): void => {
    const begin = (): void => {
      trace.tell(`# ${name} for ${forMs} ms`)
      brokers.broken[name] = time.nowMs() + forMs
    }
    time.after(random.integer(0, untilMs), begin, null)
  }
  while (random.chance(0.5)) set('fetchFailsUntilMs', random.pick([50, 50, 2000, 20_000]))
  if (random.chance(0.2)) set('awayUntilMs', random.pick([100, 5000, 30_000]))
  if (random.chance(0.2)) set('silentUntilMs', random.pick([100, 5000, 30_000]))
}

export function drawReaderTroubles(random: Random): Troubles {
  const rate = (most: number): number => (random.chance(0.5) ? 0 : random.integer(1, 10) * most)
  return {
    lost: rate(0.004),
    unheard: rate(0.004),
    silent: rate(0.0005),
    killed: rate(0.001),
    frozen: rate(0.0003),
    slow: rate(0.02),
  }
}
