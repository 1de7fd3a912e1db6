// A model that fails as models do: a vector that it makes NaN of, runs that fail, runs that take
// long.
//
// In: requests. Out: replies, split by the code that splits the runs of worker threads
// (adapters/onnx/run-merging.ts); only the run itself is simulated. Scores depend on the vector
// alone.

import { type Pending, settleMerged, takeMerged } from '../../services/adapters/onnx/run-merging.ts'
import { WeirError } from '../../services/core/errors.ts'
import { hashToShare } from '../../services/core/hash.ts'
import { limits } from '../../services/core/limits.ts'
import type { Classifier } from '../../services/pipeline/classify/classifier.ts'
import type { Fate } from './fate.ts'
import type { VirtualTime } from './virtual-time.ts'

/** The amount (the first feature) that the model cannot score. */
export const poisonedAmount = 424_242

export type ModelFaults = {
  /** Chance of a run to fail. */
  readonly failure: () => number
  readonly isPoisoned: boolean
  /** Whether every run fails from now on. */
  readonly isBroken: () => boolean
}

const loaded = [
  {
    model: { name: 'hash', version: '1', sha256: '0', provider: 'memory' },
    misses: [],
    durationMs: 0,
  },
] as unknown as Parameters<typeof settleMerged>[2]

export function createSimulatedModel(
  { random }: Fate,
  time: VirtualTime,
  faults: ModelFaults,
): Classifier {
  const queue: Pending[] = []
  let isRunning = false

  const scoreOf = (vector: Float32Array): number =>
    faults.isPoisoned && vector[0] === poisonedAmount ? Number.NaN : hashToShare(`${vector}`)

  const runNext = (): void => {
    if (isRunning || queue.length === 0) return
    isRunning = true
    const merged = takeMerged(queue, limits.batchEventsMax)
    const durationMs = random.chance(0.02) ? random.integer(100, 3000) : random.integer(1, 20)
    const finish = (): void => {
      isRunning = false
      if (faults.isBroken() || random.chance(faults.failure())) {
        for (const { reject } of merged)
          reject(new WeirError('WEIR_CLASSIFY_RUN_FAILED', 'simulated'))
      } else {
        const scores = Float32Array.from(
          merged.flatMap(({ request }) => scoreRows(request, scoreOf)),
        )
        const run = { scores: [scores], reasons: new Map(), modelMs: [durationMs], durationMs }
        settleMerged(merged, { ...run, faults: new Map() }, loaded)
      }
      runNext()
    }
    time.after(durationMs, finish, time.lifeNow())
  }

  return {
    classify: (request) =>
      new Promise((resolve, reject) => {
        queue.push({ request, resolve, reject })
        runNext()
      }),
  }
}

function scoreRows(
  { count, vectors }: Pick<Pending['request'], 'count' | 'vectors'>,
  scoreOf: (vector: Float32Array) => number,
): number[] {
  const width = count === 0 ? 0 : vectors.length / count
  return Array.from({ length: count }, (_, row) =>
    scoreOf(vectors.subarray(row * width, (row + 1) * width)),
  )
}
