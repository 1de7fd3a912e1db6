// Two thousand worlds: whatever fails between any two calls, each event has one outcome in the end.
//
// A fault names its seed: `npm run simulate -- --seed S --story` tells it in full.

import { describe, expect, it } from 'vitest'
import type { ScoredTransactionRecord } from '../../services/pipeline/publish/output-records.ts'
import { runReplayWorld } from './replay-world.ts'
import { runRolloutWorld } from './rollout-world.ts'
import { crowd } from './scenario.ts'
import { runWorld, type WorldEnd } from './world.ts'

const BLOCKS = 8
const SCORING_WORLDS = 1600
const ROLLOUT_WORLDS = 200
const REPLAY_WORLDS = 200
const BLOCK_MS = 600_000

const seedsOf = (block: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, i) => 1 + block * count + i)

const blocks = Array.from({ length: BLOCKS }, (_, block) => block)

describe('scorers, whatever fails', () => {
  it.each(blocks)(
    'block %i: each event has one outcome, or a code says why not',
    async (block) => {
      const faults: string[] = []
      const met = { killed: 0, failed: 0, drained: 0, refusals: 0 }
      for (const seed of seedsOf(block, SCORING_WORLDS / BLOCKS)) {
        // Every fifth with two batches on their way at once.
        const crowded = seed % 5 === 0 ? { adjust: crowd } : {}
        const { fault, refusal, exits, story } = await runWorld(seed, {
          storyLines: 20,
          ...crowded,
        })
        if (fault !== null) faults.push([`seed ${seed}: ${fault}`, ...story].join('\n'))
        for (const { how } of exits) met[how]++
        if (refusal !== null) met.refusals++
      }
      expect(faults).toEqual([])
      // The troubles were met, or this proves nothing.
      for (const times of Object.values(met)) expect(times).toBeGreaterThan(0)
    },
    BLOCK_MS,
  )
})

describe('rollout, whatever fails', () => {
  it(
    'evidence counts each event and each run once, and gives each minute once',
    async () => {
      const faults: string[] = []
      let starts = 0
      for (const seed of seedsOf(0, ROLLOUT_WORLDS)) {
        const end = await runRolloutWorld(seed)
        starts += end.starts
        if (end.fault !== null) faults.push(`seed ${seed}: ${end.fault}`)
      }
      expect(faults).toEqual([])
      expect(starts).toBeGreaterThan(1.2 * ROLLOUT_WORLDS)
    },
    BLOCK_MS,
  )
})

describe('replay of topics, whatever fails', () => {
  it(
    'reads each message once, in the order of an undisturbed run',
    async () => {
      const faults: string[] = []
      let starts = 0
      for (const seed of seedsOf(0, REPLAY_WORLDS)) {
        const end = await runReplayWorld(seed)
        starts += end.starts
        if (end.fault !== null) faults.push(`seed ${seed}: ${end.fault}`)
      }
      expect(faults).toEqual([])
      expect(starts).toBeGreaterThan(1.2 * REPLAY_WORLDS)
    },
    BLOCK_MS,
  )
})

const quietly = { adjust: (scenario: WorldEnd['scenario']) => ({ ...scenario, poison: null }) }

describe('worlds', () => {
  it('are the same for the same seed, to the last line of their story', async () => {
    for (const seed of seedsOf(0, 20)) {
      const [first, second] = [await runWorld(seed), await runWorld(seed)]
      expect(second.hash).toBe(first.hash)
      expect(second.virtualMs).toBe(first.virtualMs)
      expect(second.story).toEqual(first.story)
    }
    expect((await runRolloutWorld(3)).hash).toBe((await runRolloutWorld(3)).hash)
    expect((await runReplayWorld(3)).hash).toBe((await runReplayWorld(3)).hash)
  })

  it('differ from seed to seed', async () => {
    const hashes = await Promise.all([1, 2, 3].map(async () => ''))
    for (const i of hashes.keys()) hashes[i] = (await runWorld(i + 1, quietly)).hash
    expect(new Set(hashes).size).toBe(3)
  })
})

describe('the judge of worlds', () => {
  const fourth = <T>(all: readonly T[]): T => all[Math.min(3, all.length - 1)]!

  const judged = (falsify: (scored: readonly ScoredTransactionRecord[]) => unknown[]) =>
    runWorld(3, {
      ...quietly,
      falsify: ({ scored, refused }) => ({
        scored: falsify(scored) as ScoredTransactionRecord[],
        refused,
      }),
    })

  it('tells an outcome that is lost', async () => {
    const { fault } = await judged((scored) => scored.filter((one) => one !== fourth(scored)))
    expect(fault).toMatch(/1 events have not one outcome: .* has 0/)
  })

  it('tells an outcome that is there twice', async () => {
    const { fault } = await judged((scored) => [...scored, fourth(scored)])
    expect(fault).toMatch(/1 events have not one outcome: .* has 2/)
  })

  it('tells an ordinal that is taken twice, and a vector that is another', async () => {
    const counted = (scored: readonly ScoredTransactionRecord[]) =>
      scored.find(({ ordinals }) => ordinals[0]! > 0)!
    const shifted = await judged((scored) =>
      scored.map((one) =>
        one === counted(scored) ? { ...one, ordinals: one.ordinals.map((n) => n - 1) } : one,
      ),
    )
    expect(shifted.fault).toMatch(/ordinal/)
    const wrong = await judged((scored) =>
      scored.map((one) =>
        one === counted(scored) ? { ...one, features: one.features.map((n) => n + 1) } : one,
      ),
    )
    expect(wrong.fault).not.toBeNull()
  })
})
