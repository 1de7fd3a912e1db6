// How far the clocks may be apart: the table.
//
// In: the clocks of Redis and of the brokers, against this machine's. Out: verdicts. Refused, as
// fatal: a broker's clock that lags by more than validate.futureMax, because every event would then
// be rejected as one of the future. Event times are held against the brokers' clock only, so this
// machine's may be wrong without a wrong score; latencies and logs are wrong then.

import type { ClockSight } from '../adapters/kafka/topics/inspect-clock.ts'
import {
  type Check,
  type Examination,
  fatal,
  ok,
  unknown,
  type Verdict,
  warning,
} from './finding.ts'

export type ClocksSight = {
  readonly redis: ClockSight | null
  /** null where it was not probed: then only whether stamps of the future were found is known. */
  readonly broker: ClockSight | null
  /** null where there was no topic to look at. */
  readonly hasFutureStamps: boolean | null
}

/** Below this, latencies are measured well enough. */
export const SKEW_MS_MAX = 1000

const SYNC = 'synchronise the clocks (NTP) of all machines'

const checks: readonly Check<ClocksSight>[] = [
  {
    name: "Redis' clock",
    why: 'it says which lanes are alive and when logs expire',
    worst: 'warning',
    judge: ({ redis }) =>
      redis === null
        ? unknown('Redis did not answer', 'WEIR_REDIS_URL, or the server')
        : (findSkew(redis) ?? ok(describe(redis))),
  },
  {
    name: "brokers' clock",
    why: 'event times ahead of it by more than validate.futureMax are rejected; ages count from it',
    worst: 'fatal',
    judge: ({ broker, hasFutureStamps }, { futureMaxMs }) => {
      if (broker !== null) {
        const isFatal = broker.aheadMs + broker.uncertainMs < -futureMaxMs
        return isFatal ? fatal(describe(broker), SYNC) : (findSkew(broker) ?? ok(describe(broker)))
      }
      if (hasFutureStamps === null) {
        return unknown('no topic with stamps of the brokers could be asked', 'see kafka above')
      }
      if (!hasFutureStamps) return ok('no stamps ahead of this clock; --probe measures it')
      return warning(`stamps more than ${SKEW_MS_MAX} ms ahead of this clock`, SYNC)
    },
  },
]

export const clockExamination: Examination<ClocksSight> = {
  system: 'clock',
  reach: {
    name: 'can be asked',
    why: 'event times, append times and expiry come from different machines',
    change: 'permit the doctor to make and delete topics, or leave --probe out',
  },
  checks,
}

const findSkew = (clock: ClockSight): Verdict | null =>
  Math.abs(clock.aheadMs) - clock.uncertainMs > SKEW_MS_MAX ? warning(describe(clock), SYNC) : null

const describe = ({ aheadMs, uncertainMs }: ClockSight): string => {
  const side = aheadMs < 0 ? 'behind' : 'ahead of'
  const size = `${Math.round(Math.abs(aheadMs))} ms ${side} this machine's`
  return `${size}, give or take ${Math.max(1, Math.ceil(uncertainMs))} ms`
}
