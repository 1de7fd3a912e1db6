// The service over a ledger in memory: it changes what it judged, and nothing else.

import { describe, expect, it } from 'vitest'
import { WeirError } from '../../services/core/errors.ts'
import type { ComparisonRecord } from '../../services/rollout/comparison-record.ts'
import {
  type Judgement,
  Rollout,
  type RolloutLine,
  rolloutAuthor,
} from '../../services/rollout/run-rollout.ts'
import type { Roster } from '../../services/roster/roster.ts'
import {
  changeRoster,
  type RosterChange,
  type RosterStep,
  rosterOfFile,
} from '../../services/roster/roster-change.ts'
import { customer, fieldFeature, pipelineOf, rolloutRules } from '../support/pipelines.ts'
import { eventOf } from './scored-events.ts'

const rules = rolloutRules({ eventsMin: 100, stepMsMin: 1000, stepMsMax: 60_000, noDataMs: 5000 })
const definition = {
  ...pipelineOf({ entities: [customer], features: [fieldFeature({ field: 'amountMinor' })] }),
  rollout: rules,
}
const model = (version: string) => ({ name: 'test', version })

function openWorld() {
  const steps: RosterStep[] = []
  let inForce: Roster = rosterOfFile(definition)
  const world = {
    nowMs: 1_000_000,
    isCaughtUp: true,
    steps,
    lines: [] as RolloutLine[],
    published: [] as ComparisonRecord[],
    reads: [] as number[],
    judgements: [] as (Judgement | null)[],
    rosters: () => steps.map(({ action, after }) => [action, after.who]),
    inForce: () => inForce,
    change: (change: RosterChange, who = 'ana'): RosterStep => {
      const author = { who, why: 'a test', whenMs: world.nowMs }
      const after = changeRoster(inForce, change, { author, steps })
      const step = { action: change.action, before: inForce, after }
      steps.push(step)
      inForce = after
      return step
    },
    start: () =>
      new Rollout({
        definition,
        readLedger: async () => ({ inForce, steps: [...steps] }),
        change: async (change, { who }, epoch) => {
          if (epoch !== inForce.epoch) throw new WeirError('WEIR_ROSTER_CONFLICT', 'somebody')
          return world.change(change, who)
        },
        readFrom: (fromMs) => void world.reads.push(fromMs),
        isCaughtUp: () => world.isCaughtUp,
        passedMs: () => world.nowMs - 15_000,
        publish: async (records) => void world.published.push(...records),
        clock: { nowMs: () => world.nowMs },
        tell: (line) => void world.lines.push(line),
        judged: (judgement) => void world.judgements.push(judgement),
      }),
    /** Events under the roster in force, every third one flagged by both. */
    score: (rollout: Rollout, count: number, challenger: (score: number) => number | null) => {
      for (let i = 0; i < count; i++) {
        const champion = i % 3 === 0 ? 0.7 : 0.001 + (i % 50) / 200
        const id = `${world.nowMs}-${i}`
        const wish = { id, atMs: world.nowMs, epoch: inForce.epoch, champion }
        rollout.hearScored(eventOf({ ...wish, challenger: challenger(champion) }))
      }
    },
  }
  return world
}

const equal = (score: number): number => score

describe('rollout service', () => {
  it('takes a good challenger through every share, and no faster than the rules say', async () => {
    const world = openWorld()
    world.change({ action: 'shadow', model: model('2') })
    const rollout = world.start()
    await rollout.look()
    for (const share of [0.01, 0.05, 0.25, 0.5, 1]) {
      world.score(rollout, 100, equal)
      world.nowMs += 999
      await rollout.look()
      expect(world.inForce().canary?.share ?? 0).toBeLessThan(share)
      world.nowMs += 1
      await rollout.look()
      expect(world.inForce().canary?.share).toBe(share)
    }
    world.score(rollout, 100, equal)
    world.nowMs += 1000
    await rollout.look()
    expect(world.inForce()).toMatchObject({ champion: model('2'), canary: null })
    // The evidence was read once: it stays through the shares.
    expect(world.reads).toHaveLength(1)
  })

  it('takes a failing canary back, out of the shadow, and leaves it there', async () => {
    const world = openWorld()
    world.change({ action: 'shadow', model: model('2') })
    world.change({ action: 'canary', version: '2', share: 0.25 })
    const rollout = world.start()
    await rollout.look()
    world.score(rollout, 1, () => null)
    await rollout.look()
    await rollout.look()
    await rollout.look()
    expect(world.rosters().slice(2)).toEqual([
      ['rollback', rolloutAuthor],
      ['unshadow', rolloutAuthor],
    ])
    expect(world.inForce()).toMatchObject({ canary: null, challengers: [] })
  })

  it('takes a canary without data back, but not while history is still read', async () => {
    const world = openWorld()
    world.change({ action: 'shadow', model: model('2') })
    world.change({ action: 'canary', version: '2', share: 0.25 })
    const rollout = world.start()
    world.isCaughtUp = false
    await rollout.look()
    world.nowMs += 6000
    await rollout.look()
    expect(world.steps).toHaveLength(2)
    world.isCaughtUp = true
    await rollout.look()
    expect(world.steps.at(-1)).toMatchObject({ action: 'rollback', after: { canary: null } })
    // It is not at fault in the shadow, and does not advance by itself again.
    world.score(rollout, 1000, equal)
    world.nowMs += 2000
    await rollout.look()
    expect(world.steps).toHaveLength(3)
  })

  it('judges no time while history is still read: half of it is another look at the same runs', async () => {
    const world = openWorld()
    world.change({ action: 'shadow', model: model('2') })
    const rollout = world.start()
    world.isCaughtUp = false
    await rollout.look()
    for (let i = 0; i < 400; i++) {
      const wish = { id: `${i}`, atMs: world.nowMs, epoch: 1, champion: 0.7, challenger: 0.7 }
      rollout.hearScored(eventOf({ ...wish, times: [1 + i / 1000, 100] }))
    }
    await rollout.look()
    expect(world.steps).toHaveLength(1)
    expect(world.lines.at(-1)).toMatchObject({ what: 'verdict', verdict: { action: 'wait' } })
    world.isCaughtUp = true
    await rollout.look()
    expect(world.steps.at(-1)).toMatchObject({ action: 'unshadow' })
  })

  it('pauses what stays inconclusive, and leaves it to a person', async () => {
    const world = openWorld()
    world.change({ action: 'shadow', model: model('2') })
    const rollout = world.start()
    await rollout.look()
    world.score(rollout, 50, equal)
    world.nowMs += 60_001
    await rollout.look()
    await rollout.look()
    expect(world.steps).toHaveLength(1)
    const verdicts = world.lines.filter(({ what }) => what === 'verdict')
    expect(verdicts).toMatchObject([
      { verdict: { action: 'wait' } },
      { verdict: { action: 'pause' } },
    ])
  })

  it('a restart that reads the same events comes to the same verdict', async () => {
    const world = openWorld()
    world.change({ action: 'shadow', model: model('2') })
    const first = world.start()
    await first.look()
    world.score(first, 60, equal)
    const second = world.start()
    await second.look()
    world.score(second, 60, equal)
    world.score(second, 40, equal)
    world.nowMs += 1000
    await first.look()
    expect(world.steps).toHaveLength(1)
    await second.look()
    expect(world.inForce().canary?.share).toBe(0.01)
  })

  it('is overtaken by a person: looks at the new roster, and judges anew', async () => {
    const world = openWorld()
    world.change({ action: 'shadow', model: model('2') })
    const rollout = world.start()
    await rollout.look()
    world.score(rollout, 200, equal)
    world.nowMs += 1000
    world.change({ action: 'shadow', model: model('3') })
    await rollout.look()
    expect(world.lines.map(({ what }) => what)).toContain('overtaken')
    expect(world.rosters()).toEqual([
      ['shadow', 'ana'],
      ['shadow', 'ana'],
    ])
    expect(world.lines.at(-1)).toMatchObject({ what: 'trial', trial: { challenger: model('3') } })
    expect(world.reads).toHaveLength(2)
  })

  it('says after each look what it has judged, or that nobody is on trial', async () => {
    const world = openWorld()
    const rollout = world.start()
    rollout.hearRoster({ epoch: 0 })
    await rollout.look()
    expect(world.judgements).toEqual([null])
    world.change({ action: 'shadow', model: model('2') })
    rollout.hearRoster({ epoch: 1 })
    await rollout.look()
    world.score(rollout, 50, equal)
    world.nowMs += 60_001
    await rollout.look()
    expect(world.judgements.slice(1)).toMatchObject([
      { trial: { challenger: model('2') }, verdict: { action: 'wait' } },
      { verdict: { action: 'pause' }, counts: { events: 50 } },
    ])
  })

  it('publishes the minutes that are over, with the verdict of the moment', async () => {
    const world = openWorld()
    world.change({ action: 'shadow', model: model('2') })
    const rollout = world.start()
    await rollout.look()
    world.score(rollout, 50, equal)
    world.nowMs += 20_000
    await rollout.look()
    expect(world.published).toEqual([])
    world.nowMs += 60_000
    await rollout.look()
    expect(world.published).toMatchObject([
      { events: 50, flaggedByBoth: 17, challengerVersion: '2', share: 0, alertRateRatio: 1 },
    ])
  })
})
