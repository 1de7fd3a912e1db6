// Telling the store how far our lanes are, every few seconds and without a batch.
//
// Why: what a lane has committed may be folded, and a lane that fell silent after its last batch
// would hold up folding for ever; the fence says who is alive; and a server that was restarted or
// failed over is noticed even by a process that has nothing to do, so that the others need not wait
// for it. In: our lanes. Out: nothing; `unsure` is called when the store cannot be trusted any
// more. Invariant: never more than one call at a time, and none that the loop waits for.

import type { WaitingClock } from '../core/clock.ts'
import { WeirError } from '../core/errors.ts'
import type { EntityLogStore } from '../pipeline/enrich/log-store.ts'
import { frontierOf } from './alignment-gate.ts'
import type { Lane } from './lane.ts'

const TOUCH_MS = 2000

type TouchDeps = {
  readonly store: EntityLogStore
  readonly clock: WaitingClock
  readonly unsure: () => void
}

/** Returns what the loop calls as often as it likes. */
export function createStoreTouch({ store, clock, unsure }: TouchDeps) {
  let touchedMs = clock.monotonicMs()
  let isTouching = false
  return async (lanes: readonly Lane[]): Promise<void> => {
    const nowMs = clock.monotonicMs()
    if (isTouching || nowMs - touchedMs < TOUCH_MS) return
    touchedMs = nowMs
    // A lane with a batch on its way says more with that batch.
    const quiet = lanes.filter((lane) => lane.status === 'active' && lane.batchesInFlight === 0)
    if (quiet.length === 0) return
    isTouching = true
    try {
      await store.touch(quiet.map(frontierOf))
    } catch (error) {
      // While the store is away, the next batch is the one to say so.
      if (!(error instanceof WeirError)) throw error
      if (error.code === 'WEIR_ENRICH_STORE_UNSURE') unsure()
    } finally {
      isTouching = false
    }
  }
}
