// The decide stage: bands, lists, and the brake, which must not know where batches begin.

import { describe, expect, it } from 'vitest'
import { type DecideDeps, decide, planDecide } from '../../../services/pipeline/decide/decide.ts'
import { planKey } from '../../../services/pipeline/entity-key.ts'
import type { Arrival, Brake } from '../../../services/pipeline/records.ts'
import { createRandom } from '../../support/random.ts'
import {
  arrivalOf,
  batchOfParts,
  enrichedOf,
  freshBrake,
  scoredOf,
  sliceOf,
} from '../../support/stage-batches.ts'

const policy = { review: 0.5, block: 0.9, flaggedShareMax: 1, brakeWindowEvents: 1000 }
const open: DecideDeps = { policy, deny: [], allow: [] }

function decideScores(scores: readonly number[], deps: DecideDeps = open, brake = freshBrake()) {
  const arrivals = scores.map((_, i) => arrivalOf(i))
  return decideArrivals(arrivals, scores, deps, brake)
}

function decideArrivals(
  arrivals: readonly Arrival[],
  scores: readonly number[],
  deps: DecideDeps,
  brake: Brake = freshBrake(),
) {
  const batch = batchOfParts({ arrivals, brakes: [brake] })
  return decide(scoredOf(enrichedOf(batch), scores), deps)
}

describe('decide - bands', () => {
  it('approves below review, reviews from there on, blocks from block on', () => {
    // Scores are float32: 0.9 is a little below 0.9.
    const { decisions, decidedBy } = decideScores([0, 0.4999, 0.5, 0.75, 0.90001, 1])
    expect(decisions).toEqual(['approve', 'approve', 'review', 'review', 'block', 'block'])
    expect(new Set(decidedBy)).toEqual(new Set(['policy']))
  })
})

describe('decide - lists', () => {
  const lists = {
    deny: [{ entity: 'terminal', keys: ['bad'] }],
    allow: [{ entity: 'customer', keys: ['friend', 'other'] }],
  }
  const deps = planDecide({ ...policy, ...lists }, [
    { name: 'customer', readKey: planKey(['customerId']) },
    { name: 'terminal', readKey: planKey(['terminalId']) },
  ])

  it('a denied key is blocked, an allowed one approved, whatever the score; deny goes first', () => {
    const arrivals = [
      arrivalOf(0, { terminalId: 'bad' }),
      arrivalOf(1, { customerId: 'friend' }),
      arrivalOf(2, { customerId: 'friend', terminalId: 'bad' }),
      arrivalOf(3),
    ]
    const { decisions, decidedBy } = decideArrivals(arrivals, [0, 1, 1, 1], deps)
    expect(decisions).toEqual(['block', 'approve', 'block', 'block'])
    expect(decidedBy).toEqual(['deny_list', 'allow_list', 'deny_list', 'policy'])
  })

  it('the key of a list is that of its entity, not of another', () => {
    const arrivals = [arrivalOf(0, { customerId: 'bad', terminalId: 'friend' })]
    const { decidedBy } = decideArrivals(arrivals, [0], deps)
    expect(decidedBy).toEqual(['policy'])
  })

  it('holds while the lane is braked', () => {
    const braked = { ...deps, policy: { ...policy, flaggedShareMax: 0, brakeWindowEvents: 1 } }
    const arrivals = [arrivalOf(0, { terminalId: 'bad' }), arrivalOf(1)]
    const { decisions, decidedBy } = decideArrivals(arrivals, [1, 1], braked)
    expect(decisions).toEqual(['block', 'approve'])
    expect(decidedBy).toEqual(['deny_list', 'brake'])
  })
})

describe('decide - brake', () => {
  const braking = { ...policy, flaggedShareMax: 0.5, brakeWindowEvents: 10 }
  const deps: DecideDeps = { policy: braking, deny: [], allow: [] }
  const all = (count: number, score: number): number[] => new Array(count).fill(score)

  it('says nothing before a full window has passed', () => {
    const { decidedBy } = decideScores(all(10, 1), deps)
    expect(decidedBy.slice(0, 9)).toEqual(new Array(9).fill('policy'))
    expect(decidedBy[9]).toBe('brake')
  })

  it('turns observe-only when too many are flagged, and only what would be flagged', () => {
    const { decisions, decidedBy } = decideScores([...all(10, 1), 1, 0, 1], deps)
    expect(decisions.slice(10)).toEqual(['approve', 'approve', 'approve'])
    expect(decidedBy.slice(10)).toEqual(['brake', 'policy', 'brake'])
  })

  it('lets go when the share has fallen', () => {
    const { decisions, decidedBy } = decideScores([...all(10, 1), ...all(30, 0), 1], deps)
    expect(decidedBy.at(-1)).toBe('policy')
    expect(decisions.at(-1)).toBe('block')
  })

  it('brakes each lane by its own share', () => {
    const arrivals = Array.from({ length: 40 }, (_, i) => arrivalOf(i))
    const laneIndexes = arrivals.map((_, i) => i % 2)
    const lanes = [sliceOf(0), sliceOf(2)]
    const scores = laneIndexes.map((lane) => (lane === 0 ? 1 : 0))
    const batch = batchOfParts({ arrivals, lanes, laneIndexes })
    const { decidedBy, brakesAfter } = decide(scoredOf(enrichedOf(batch), scores), deps)
    expect(decidedBy.filter((by, i) => by === 'brake' && laneIndexes[i] === 0)).not.toEqual([])
    expect(decidedBy.filter((by, i) => by === 'brake' && laneIndexes[i] === 1)).toEqual([])
    expect(brakesAfter.map(({ events, eventsBefore }) => events + eventsBefore)).toEqual([10, 10])
  })

  it('decides the same whatever the batch borders, and after a crash at any of them', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = createRandom(seed)
      const scores = Array.from({ length: 120 }, () => (random.chance(0.5) ? 1 : 0))
      const whole = decideScores(scores, deps)
      const decidedBy: string[] = []
      let brake = freshBrake()
      for (let from = 0; from < scores.length; ) {
        const to = Math.min(scores.length, from + random.integer(1, 25))
        const part = decideScores(scores.slice(from, to), deps, brake)
        decidedBy.push(...part.decidedBy)
        // What a restart reads back is the copy in the offset's metadata.
        if (random.chance(0.5)) brake = { ...part.brakesAfter[0]! }
        from = to
      }
      expect(decidedBy, `seed ${seed}`).toEqual(whole.decidedBy)
      expect(decidedBy).toContain('brake')
    }
  })

  it('gives copies of the brakes: later batches do not move what is committed now', () => {
    const brake = freshBrake()
    const { brakesAfter } = decideScores([1, 0], deps, brake)
    decideScores([1], deps, brake)
    expect(brakesAfter[0]).toMatchObject({ events: 2, flagged: 1 })
    expect(brake).toMatchObject({ events: 3, flagged: 2 })
  })
})
