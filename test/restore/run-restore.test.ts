// Lost state put back from the topics: whatever a bucket has forgotten, nobody can tell afterwards.

import { describe, expect, it } from 'vitest'
import { createLossyWorld } from '../support/lossy-world.ts'

const SEEDS = 1500

describe('restore', () => {
  it('restore - gives every event the ordinals and vectors of an undisturbed run', async () => {
    const met = { losses: 0, wiped: 0, rolledBack: 0, finished: 0, rows: 0, passes: 0 }
    for (let seed = 1; seed <= SEEDS; seed++) {
      const world = await createLossyWorld(seed, { loss: 0.2 })
      await world.run().catch((error: unknown) => {
        throw new Error(`seed ${seed}`, { cause: error })
      })
      const { counts } = world
      for (const name of Object.keys(met) as (keyof typeof met)[]) met[name] += counts[name]
    }
    expect(met.losses).toBeGreaterThan(SEEDS)
    expect(met.finished).toBeGreaterThan(SEEDS)
    console.log(met)
  })
})
