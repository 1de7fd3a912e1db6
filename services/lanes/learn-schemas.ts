// A lane that met schema ids nobody here knows: it waits until the registry has told them.
//
// In: a lane and the ids. Out: the lane, active again. While the registry is away the lane waits
// and its clock stands still; anything else that fails is our own mistake and ends the process.
// Invariant: a lane that was doubted or released meanwhile is left as it is.

import { WeirError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Observe } from '../pipeline/observe/signals.ts'
import type { Pipeline } from '../pipeline/pipeline.ts'
import type { Lane } from './lane.ts'
import { asError, codeOf, isOutside, observeRetry } from './outside.ts'
import type { Watchdog } from './watchdog.ts'

type LearnDeps = {
  readonly pipeline: Pick<Pipeline, 'learn'>
  readonly watchdog: Watchdog
  readonly observe: Observe
  readonly pause: (durationMs: number) => Promise<unknown>
  readonly fail: (error: Error) => void
}

export async function learnSchemas(
  lane: Lane,
  ids: ReadonlySet<number>,
  { pipeline, watchdog, observe, pause, fail }: LearnDeps,
): Promise<void> {
  lane.status = 'learning'
  lane.isAsking = true
  for (let attempt = 1; lane.status === 'learning'; attempt++) {
    try {
      await pipeline.learn(lane.address.stream, ids)
      break
    } catch (error) {
      lane.isAsking = false
      lane.lastFault = codeOf(error)
      if (!(error instanceof WeirError && error.canRetry)) {
        fail(asError(error))
        return
      }
      if (isOutside(error)) watchdog.freeze(lane)
      observeRetry(observe, { operation: 'learn_schema', attempt, error })
      await pause(limits.retryPauseMsMax)
    }
  }
  lane.isAsking = false
  watchdog.run(lane)
  if (lane.status === 'learning') lane.status = 'active'
}
