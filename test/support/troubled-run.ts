// A random stream through one or two scorers in memory while things go wrong.
//
// In: a seed, what may go wrong and how often. Out: the run, once every message is committed and
// the scorers are drained; it throws when they are not done after many turns, or could not get over
// something. The seed decides all: stream, batch borders, troubles and their moments.

import { setImmediate as turn } from 'node:timers/promises'
import { createMemoryLogStore } from '../../services/adapters/memory/memory-log-store.ts'
import { limits } from '../../services/core/limits.ts'
import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'
import { planFeatures } from '../../services/pipeline/enrich/feature-plan.ts'
import { type Observe, observeNothing } from '../../services/pipeline/observe/signals.ts'
import { streams } from '../../services/pipeline/records.ts'
import { lanesPipeline } from './lanes-pipeline.ts'
import {
  createMemoryBroker,
  type Fate,
  type MemoryBroker,
  type MemoryLane,
  type MemoryMember,
} from './memory-broker.ts'
import {
  createMemoryScorer,
  flakyClassifier,
  flakyStore,
  type MemoryScorer,
} from './memory-scorer.ts'
import { randomLanes } from './memory-stream.ts'
import { createRandom, type Random } from './random.ts'

export type Trouble = {
  /** Chance of a delivery not to be heard of again, and then to have been committed or not. */
  readonly doubt: number
  readonly storeFailure: number
  readonly modelFailure: number
  /** Chance of the broker to be away when a lane is opened. */
  readonly away: number
  /** Chance per turn that lanes change hands between two scorers. */
  readonly move: number
  /** So much comes at once that several batches are on their way at the same time. */
  readonly isFlooded: boolean
}

export const noTrouble: Trouble = {
  doubt: 0,
  storeFailure: 0,
  modelFailure: 0,
  away: 0,
  move: 0,
  isFlooded: false,
}

export type TroubledRun = {
  readonly definition: PipelineDefinition
  readonly lanes: readonly MemoryLane[]
  readonly broker: MemoryBroker
  readonly scorers: readonly (MemoryScorer & { readonly member: MemoryMember })[]
}

export type TroubledOptions = {
  /** What hears the signals of each of the two scorers. */
  readonly observe?: (scorer: number) => Observe
  /** Called before the first assignment, and once per turn. */
  readonly started?: (run: TroubledRun) => void
  readonly eachTurn?: (run: TroubledRun) => void
}

const TURNS_MAX = 20_000
const FEW_EVENTS = [20, 160] as const
const MANY_EVENTS = [3 * limits.batchEventsWorthwhile, 6 * limits.batchEventsWorthwhile] as const

export async function runTroubled(
  seed: number,
  trouble: Trouble,
  options: TroubledOptions = {},
): Promise<TroubledRun> {
  const random = createRandom(seed)
  const run = prepare(random, trouble, options)
  const { broker, scorers, lanes } = run
  for (const { conductor } of scorers) await conductor.start()
  options.started?.(run)
  scorers[0]!.member.assign(lanes)
  for (let turns = 0; !broker.isDone() || isInFlight(run); turns++) {
    if (turns > TURNS_MAX) throw new Error(`seed ${seed}: not done after ${TURNS_MAX} turns`)
    throwFailures(run)
    options.eachTurn?.(run)
    if (random.chance(trouble.move)) moveLanes(random, run)
    await turn()
  }
  await Promise.all(scorers.map(({ conductor }) => conductor.drain()))
  throwFailures(run)
  return run
}

function prepare(random: Random, trouble: Trouble, { observe }: TroubledOptions): TroubledRun {
  const [least, most] = trouble.isFlooded ? MANY_EVENTS : FEW_EVENTS
  const lanes = randomLanes(random, random.integer(least, most))
  const definition = lanesPipeline(random)
  const shared = createMemoryLogStore(planFeatures(definition).kinds)
  const fate = (): Fate => {
    if (!random.chance(trouble.doubt)) return 'committed'
    return random.pick(['lost', 'committed_unheard'])
  }
  const broker = createMemoryBroker({
    lanes,
    random,
    fetchMax: trouble.isFlooded ? limits.batchEventsWorthwhile : random.pick([3, 40]),
    fate,
    isAway: () => random.chance(trouble.away),
  })
  const scorers = [0, 1].map((scorer) => {
    const member = broker.join()
    const store = flakyStore(shared, {
      failure: () => random.chance(trouble.storeFailure),
      hasEffect: () => random.chance(0.5),
      turns: () => random.integer(0, 6),
    })
    const running = createMemoryScorer({
      definition,
      member,
      store,
      classifier: flakyClassifier(() => random.chance(trouble.modelFailure)),
      askRegistry: async () => false,
      observe: observe?.(scorer) ?? observeNothing,
    })
    return { member, ...running }
  })
  return { definition, lanes, broker, scorers }
}

/** A delivery whose outcome was not heard is in flight until its lane has been claimed again. */
const isInFlight = ({ scorers }: TroubledRun): boolean =>
  scorers.some(({ conductor }) => streams.some((stream) => conductor.eventsInFlight(stream) > 0))

function throwFailures({ scorers }: TroubledRun): void {
  for (const { failure } of scorers) {
    const error = failure()
    if (error !== null) throw error
  }
}

/** Told first or told late: the old owner may still be at work when the new one claims. */
function moveLanes(random: Random, { scorers, lanes }: TroubledRun): void {
  const ofFirst = lanes.filter(() => random.chance(0.5))
  const shares = [ofFirst, lanes.filter((lane) => !ofFirst.includes(lane))]
  for (const index of random.chance(0.5) ? [0, 1] : [1, 0]) {
    if (random.chance(0.5)) scorers[index]!.member.revoke('rebalancing')
    scorers[index]!.member.assign(shares[index]!)
  }
}
