// Seeds that found a fault before it was mended: they find none any more.

import { describe, expect, it } from 'vitest'
import { runReplayWorld } from './replay-world.ts'
import { runRolloutWorld } from './rollout-world.ts'
import { findings } from './seeds.ts'
import { runWorld } from './world.ts'

const worlds = { scoring: runWorld, rollout: runRolloutWorld, replay: runReplayWorld }

describe('seeds that found something', () => {
  it.each(Object.entries(findings))(
    '%s',
    async (_name, { world, seeds }) => {
      const faults: string[] = []
      for (const seed of seeds) {
        const { fault } = await worlds[world](seed)
        if (fault !== null) faults.push(`seed ${seed}: ${fault}`)
      }
      expect(faults).toEqual([])
    },
    120_000,
  )
})
