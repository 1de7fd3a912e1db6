// One clock per lane, and the end of the process when one of them has run for too long.
//
// A lane gets somewhere when it commits, or when it has nothing to do. While something outside is
// away (outside.ts) its clock stands still; whatever else fails, hangs or comes back for ever runs
// it down. A lane that only waits for its turn in the merge is excused as long as any lane commits,
// or alignment has patience left: the order of event time holds it back, not a fault.
// In: what becomes of the lanes. Out: `fail` with WEIR_LANE_STUCK after limits.watchdogMsMax.
// A fetcher that falls silent is seen while the lane knows of messages; adapters/kafka/client/
// joined-consumer.ts joins anew when it hears of none.

import type { WaitingClock } from '../core/clock.ts'
import { WeirError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Lane } from './lane.ts'

export type Watchdog = {
  readonly committed: (lane: Lane) => void
  /** Heads wait for lanes of other processes; alignment sees to the end of that. */
  readonly heldBack: () => void
  /** A batch with events of the lane sets out, after it may have waited for its turn. */
  readonly setOut: (lane: Lane) => void
  /** Something failed that waiting does not mend. */
  readonly charge: (lane: Lane) => void
  /** The lane waits for something outside, until `run`. */
  readonly freeze: (lane: Lane) => void
  readonly run: (lane: Lane) => void
  /** To be called often; looks at the lanes now and then. */
  readonly check: (lanes: readonly Lane[]) => void
}

type WatchdogDeps = {
  readonly clock: WaitingClock
  /** Whether a system that lanes cannot do without is known to be away. */
  readonly isOutsideAway: () => boolean
  readonly fail: (error: Error) => void
}

/** Looking at 512 lanes costs little, but the loop turns a thousand times a second. */
const CHECK_MS = 200

export function createWatchdog({ clock, isOutsideAway, fail }: WatchdogDeps): Watchdog {
  const now = clock.monotonicMs
  let checkedMs = Number.NEGATIVE_INFINITY
  /** Until then, who waited for its turn waited for a reason. */
  let excusedMs = Number.NEGATIVE_INFINITY

  return {
    committed: (lane) => {
      excusedMs = now()
      lane.clock.reset(excusedMs)
    },
    heldBack: () => {
      excusedMs = now()
    },
    setOut: (lane) => {
      if (isWaitingItsTurn(lane)) lane.clock.forgive(excusedMs)
    },
    charge: (lane) => lane.clock.charge(now()),
    freeze: (lane) => lane.clock.freeze(now()),
    run: (lane) => lane.clock.run(now()),
    check: (lanes) => {
      const nowMs = now()
      if (nowMs - checkedMs < CHECK_MS) return
      checkedMs = nowMs
      const isAway = isOutsideAway()
      for (const lane of lanes) {
        if (isAway || hasNothingToDo(lane)) lane.clock.forgive(nowMs)
        else if (isWaitingItsTurn(lane)) lane.clock.forgive(excusedMs)
        const stuckMs = lane.clock.elapsedMs(nowMs)
        if (stuckMs <= limits.watchdogMsMax) continue
        fail(new WeirError('WEIR_LANE_STUCK', describeStuck(lane, stuckMs)))
        return
      }
    },
  }
}

const isAtRest = ({ status, batchesInFlight }: Lane): boolean =>
  status === 'active' && batchesInFlight === 0

const hasNothingToDo = (lane: Lane): boolean => isAtRest(lane) && lane.isCaughtUp

const isWaitingItsTurn = (lane: Lane): boolean => isAtRest(lane) && lane.queuedEvents > 0

function describeStuck({ address, status, batchesInFlight, lastFault }: Lane, ms: number): string {
  const found = batchesInFlight > 0 ? `${batchesInFlight} batches of it on their way` : status
  const why = lastFault === null ? '' : `; it failed last with ${lastFault}`
  return (
    `${address.topic}/${address.partition} has committed nothing for ${Math.round(ms)} ms, at most ` +
    `${limits.watchdogMsMax} are allowed (${found})${why}.`
  )
}
