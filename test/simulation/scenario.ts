// What a world consists of and what is going to befall it: all of it drawn from the seed, up front.
//
// In: chance. Out: sizes, rates of trouble, a schedule of what happens when, and at most one
// poison: an input or a model that fails whenever it is met. Each poison says how its world may
// end.

import type { ErrorCode } from '../../services/core/errors.ts'
import type { Random } from '../support/random.ts'
import { calm, type Troubles } from './fate.ts'

export const poisons = [
  /** The model makes NaN of one event. */
  'nan_score',
  /** One original is larger than what the output topics take. */
  'too_large',
  /** Every run of the model fails from some moment on. */
  'broken_model',
  /** Asking for a schema throws what only a defect throws. */
  'learning_defect',
] as const
export type Poison = (typeof poisons)[number]

/** The refusals that are the right end of a world; where there are none, difference 0 is. */
export function refusalsOf({ poison, isHuge }: Scenario): readonly ErrorCode[] {
  if (poison === 'broken_model') return ['WEIR_LANE_STUCK']
  if (poison === 'learning_defect') return ['WEIR_LANE_STUCK', 'WEIR_INTERNAL_INVARIANT']
  // Where somebody lowered a topic's ceiling below what a rejected record takes, nothing else is
  // left.
  return poison === 'too_large' && !isHuge ? ['WEIR_LANE_STUCK'] : []
}

export type Moment = {
  readonly atMs: number
  readonly what:
    | {
        readonly kind: 'kafka_away' | 'kafka_silent' | 'store_away' | 'fetch_fails'
        readonly forMs: number
      }
    | { readonly kind: 'store_restarts' | 'stop_scorer' | 'rebalance' }
}

export type Scenario = {
  readonly scorers: number
  readonly events: number
  readonly troubles: Troubles
  readonly modelFailure: number
  /** Chance of a client to take long to close its connections. */
  readonly slowDisconnect: number
  /** Nothing happens any more from here on, but for the poison. */
  readonly calmFromMs: number
  readonly schedule: readonly Moment[]
  readonly poison: Poison | null
  readonly hasLateSchema: boolean
  readonly registryAwayMs: number
  readonly losesStoreTail: boolean
  /**
   * What is too large is an original of 10 MiB, and topics take what Weir gives them; else all is
   * smaller.
   */
  readonly isHuge: boolean
  /** Batches are of a few events, and two of them on their way at once. */
  readonly isCrowded: boolean
}

const CALM_FROM_MS = [2000, 5000, 10_000, 30_000] as const

export function drawScenario(random: Random): Scenario {
  const calmFromMs = random.pick(CALM_FROM_MS)
  const rate = (most: number): number => (random.chance(0.5) ? 0 : random.integer(1, 10) * most)
  const troubles: Troubles = random.chance(0.1)
    ? calm
    : {
        lost: rate(0.003),
        unheard: rate(0.004),
        silent: rate(0.0005),
        killed: rate(0.0005),
        frozen: rate(0.0003),
        slow: rate(0.02),
      }
  const losesStoreTail = random.chance(0.3)
  const hasLateSchema = random.chance(0.2)
  const scenario: Scenario = {
    scorers: random.pick([1, 1, 2, 2, 3]),
    events: random.integer(10, 70),
    troubles,
    modelFailure: rate(0.01),
    slowDisconnect: random.pick([0, 0.1, 0.5]),
    calmFromMs,
    schedule: drawSchedule(random, calmFromMs, losesStoreTail),
    poison: random.chance(0.2) ? random.pick(poisons) : null,
    hasLateSchema,
    registryAwayMs: hasLateSchema ? random.integer(0, 20_000) : 0,
    losesStoreTail,
    isHuge: random.chance(0.1),
    isCrowded: false,
  }
  return random.chance(0.1) ? stopOften(random, scenario) : scenario
}

/** Scorers that are told to stop while their consumers crash and claims are on their way. */
function stopOften(random: Random, scenario: Scenario): Scenario {
  const { troubles, schedule } = scenario
  const moments = Array.from({ length: 8 }, () => random.integer(200, 6000)).flatMap(
    (atMs): readonly Moment[] => [
      { atMs, what: { kind: 'fetch_fails', forMs: 50 } },
      { atMs: atMs + random.integer(20, 400), what: { kind: 'stop_scorer' } },
    ],
  )
  return {
    ...scenario,
    calmFromMs: 10_000,
    slowDisconnect: 0.8,
    troubles: { ...troubles, killed: 0, silent: 0, unheard: 0.02, slow: 0.2 },
    schedule: [...schedule, ...moments],
  }
}

function drawSchedule(random: Random, untilMs: number, losesStoreTail: boolean): readonly Moment[] {
  const moments: Moment[] = []
  const add = (chance: number, draw: () => Moment['what']): void => {
    while (random.chance(chance)) moments.push({ atMs: random.integer(0, untilMs), what: draw() })
  }
  const away = (): number => random.pick([100, 1000, 5000, 20_000, 40_000])
  add(0.15, () => ({ kind: 'kafka_away', forMs: away() }))
  add(0.15, () => ({ kind: 'kafka_silent', forMs: away() }))
  add(0.15, () => ({ kind: 'store_away', forMs: away() }))
  add(0.3, () => ({ kind: 'fetch_fails', forMs: random.pick([50, 50, 50, 2000, 30_000]) }))
  add(0.3, () => ({ kind: 'rebalance' }))
  add(0.3, () => ({ kind: 'stop_scorer' }))
  if (losesStoreTail) add(0.6, () => ({ kind: 'store_restarts' }))
  return moments
}

/** The same world with two batches of a few events on their way at once. */
export const crowd = (scenario: Scenario): Scenario => ({ ...scenario, isCrowded: true })
