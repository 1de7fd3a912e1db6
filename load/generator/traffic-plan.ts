/**
 * From the wishes of a live run to a history and a schedule.
 *
 * In: rate, speed-up, seconds, the knobs of the world and of the disturbances, and now. Out: the
 * resolved knobs and when each message is due. Refused: wishes that contradict each other, and a
 * run whose event time would lie ahead of the broker's clock.
 *
 *   rate          message i is due at i / rate; the history's last `rate * seconds` events end now
 *   speedUp       due at (event time - start) / speedUp: day and night show in the rate
 *   both          as rate, and people are as active as it takes for event time to pass that fast
 *
 * Invariant: no event time lies ahead of the wall clock when its message is due.
 */
import type { Disturbances } from './disturbances.ts'
import { dayMs, type GeneratorOptions, resolveOptions } from './options.ts'
import { findStartTime } from './timeline.ts'

export interface TrafficWish {
  /** Messages per second on the transactions topic. */
  readonly rate?: number | undefined
  /** How many times faster than the wall clock event time passes. */
  readonly speedUp?: number | undefined
  readonly seconds?: number | undefined
  readonly generator?: Partial<GeneratorOptions> | undefined
  readonly disturbances?: Partial<Disturbances> | undefined
}

export interface TrafficPlan {
  readonly generator: GeneratorOptions
  readonly dueAfterMs: (index: number, timeMs: number) => number
}

export function planTraffic(wish: TrafficWish, nowMs: number): TrafficPlan {
  for (const name of ['rate', 'speedUp', 'seconds'] as const) {
    const value = wish[name]
    if (value !== undefined && !(value > 0)) {
      throw new RangeError(`${name} is ${value}, expected a number above 0`)
    }
  }
  if (wish.rate !== undefined) return planByRate(wish, wish.rate, nowMs)
  if (wish.speedUp !== undefined) return planBySpeedUp(wish, wish.speedUp, nowMs)
  throw new RangeError('neither rate nor speedUp is given, expected one of them')
}

function planByRate(wish: TrafficWish, rate: number, nowMs: number): TrafficPlan {
  const generator = wish.speedUp === undefined ? wish.generator : withActivity(wish, rate)
  const dueAfterMs = (index: number) => (index * 1_000) / rate
  const count = countTransactions(wish, rate)
  if (generator?.startTimeMs !== undefined) {
    const options = resolveOptions({
      labelsUntilMs: nowMs,
      ...generator,
      count: Math.min(count, generator.count ?? count),
    })
    const endTimeMs = options.startTimeMs + options.days * dayMs
    if (endTimeMs > nowMs) {
      throw new RangeError(
        `event time would end at ${isoTime(endTimeMs)}, ahead of now (${isoTime(nowMs)}): ` +
          'lower days or startTimeMs, or leave startTimeMs out so that the run ends now',
      )
    }
    return { generator: options, dueAfterMs }
  }
  if (!Number.isFinite(count)) {
    throw new RangeError(
      'seconds is missing, expected it with rate, so that event time can end now',
    )
  }
  const startTimeMs = findStartTime({ ...generator, count }, nowMs)
  const days = (nowMs + 1 - startTimeMs) / dayMs
  const options = { ...generator, count, startTimeMs, days, labelsUntilMs: nowMs }
  return { generator: resolveOptions(options), dueAfterMs }
}

/** Event time starts so far back that it has caught up with the wall clock at the run's end. */
function planBySpeedUp(wish: TrafficWish, speedUp: number, nowMs: number): TrafficPlan {
  const seconds = wish.seconds ?? (speedUp <= 1 ? 36_500 * 86_400 : undefined)
  if (seconds === undefined) {
    throw new RangeError(`seconds is missing, expected it with a speedUp above 1 (${speedUp})`)
  }
  const spanMs = speedUp * seconds * 1_000
  const startTimeMs = Math.floor(nowMs - Math.max(0, speedUp - 1) * seconds * 1_000)
  const days = spanMs / dayMs
  const labelsUntilMs = startTimeMs + spanMs
  return {
    generator: resolveOptions({ ...wish.generator, startTimeMs, days, labelsUntilMs }),
    dueAfterMs: (_index, timeMs) => (timeMs - startTimeMs) / speedUp,
  }
}

/** Duplicates and poison come on top of the transactions and are part of the rate. */
function countTransactions({ seconds, disturbances }: TrafficWish, rate: number): number {
  if (seconds === undefined) return Number.POSITIVE_INFINITY
  const { duplicateShare = 0, poisonShare = 0 } = disturbances ?? {}
  return Math.max(1, Math.round((rate * seconds) / (1 + duplicateShare + poisonShare)))
}

function withActivity(wish: TrafficWish, rate: number): Partial<GeneratorOptions> {
  const { customers } = resolveOptions(wish.generator)
  const perDay = ((rate / wish.speedUp!) * 86_400) / customers
  return { ...wish.generator, transactionsPerCustomerPerDay: perDay }
}

function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString()
}
