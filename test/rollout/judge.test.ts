// Verdicts: each guard and each condition alone decides.

import { describe, expect, it } from 'vitest'
import { type Evidence, judge } from '../../services/rollout/judge.ts'
import {
  countEvent,
  createPairedCounts,
  type PairedCounts,
} from '../../services/statistics/paired-counts.ts'
import { rolloutRules } from '../support/pipelines.ts'

const rules = rolloutRules({ eventsMin: 1000, stepMsMin: 60_000, stepMsMax: 600_000 })

/** 5,000 events with the same scores, 500 of them flagged: as good as it gets. */
function goodCounts(): PairedCounts {
  const counts = createPairedCounts()
  for (let i = 0; i < 5000; i++) {
    const score = i % 10 === 0 ? 0.6 : (i % 100) / 250
    countEvent(counts, { championScore: score, challengerScore: score }, 0.5)
  }
  return { ...counts, runs: 100, championMs: 100, challengerMs: 120 }
}

const evidenceOf = (
  over: Partial<Evidence> = {},
  counts: Partial<PairedCounts> = {},
): Evidence => ({
  step: { events: 5000, ageMs: 61_000 },
  silentMs: 0,
  isWhole: true,
  ...over,
  counts: { ...goodCounts(), ...counts },
})

describe('judge', () => {
  it('advances what meets every condition', () => {
    expect(judge(rules, evidenceOf())).toMatchObject({ action: 'advance' })
  })

  it.each<[string, Partial<Evidence>, Partial<PairedCounts>, RegExp]>([
    ['one event without a score', {}, { failed: 1 }, /1 events of 5001 without .*failedShareMax/],
    ['runs that are too slow', {}, { slowRuns: 90, challengerMs: 900 }, /takes 9 times.*latency/],
    ['twice the alerts', {}, { flaggedByChallenger: 500 }, /flags 1000 .* 500.*alertRateMax/],
    ['half the alerts', {}, { flaggedByBoth: 250, flaggedByChampion: 250 }, /alertRateMin/],
    ['missed frauds', {}, { fraudsByChampion: 40, fraudsByChallenger: 2 }, /misses 40 frauds/],
    ['no data', { silentMs: 301_000 }, {}, /no event was scored for 5.02 min/],
  ])('rolls back: %s', (_what, over, counts, reason) => {
    const verdict = judge(rules, evidenceOf(over, counts))
    expect(verdict.action).toBe('roll_back')
    expect(verdict.reasons.join()).toMatch(reason)
    expect(verdict.reasons).toHaveLength(1)
  })

  it('rolls back scores that drift although the alerts agree', () => {
    const counts = createPairedCounts()
    for (let i = 0; i < 5000; i++) {
      countEvent(counts, { championScore: 0.001, challengerScore: 0.1 }, 0.5)
    }
    expect(judge(rules, evidenceOf({}, { ...counts, flaggedByBoth: 500 }))).toMatchObject({
      action: 'roll_back',
      reasons: [expect.stringContaining('rollout.scorePsiMax')],
    })
  })

  it.each<[string, Evidence['step'], Partial<PairedCounts>, string]>([
    ['few events', { events: 999, ageMs: 61_000 }, {}, 'rollout.minEvents'],
    ['hardly any alert', { events: 5000, ageMs: 61_000 }, { flaggedByBoth: 3 }, 'not proven'],
  ])('waits after %s, and pauses when the step lasts too long', (_what, step, counts, missing) => {
    const young = judge(rules, evidenceOf({ step }, counts))
    expect(young.action).toBe('wait')
    expect(young.reasons.join()).toContain(missing)
    const old = judge(rules, evidenceOf({ step: { ...step, ageMs: 601_000 } }, counts))
    expect(old.action).toBe('pause')
    expect(old.reasons[0]).toContain('rollout.maxTime')
  })

  it('waits until the step is old enough', () => {
    const verdict = judge(rules, evidenceOf({ step: { events: 5000, ageMs: 59_000 } }))
    expect(verdict).toMatchObject({
      action: 'wait',
      reasons: [expect.stringContaining('rollout.minTime')],
    })
  })

  it('few slow runs, few flips and few missed frauds are chance', () => {
    const chance = { slowRuns: 3, runs: 4, flaggedByChallenger: 8, fraudsByChampion: 3 }
    expect(judge(rules, evidenceOf({}, chance)).action).not.toBe('roll_back')
  })

  it('while events of the trial are still read, only a plain fact takes it back', () => {
    const slow = { runs: 400, slowRuns: 400 }
    expect(judge(rules, evidenceOf({}, slow))).toMatchObject({ action: 'roll_back' })
    for (const counts of [slow, { flaggedByChallenger: 2000 }, {}]) {
      expect(judge(rules, evidenceOf({ isWhole: false }, counts))).toEqual({
        action: 'wait',
        reasons: ['the events of the trial are still read'],
      })
    }
    const failed = evidenceOf({ isWhole: false }, { failed: 1 })
    expect(judge(rules, failed)).toMatchObject({ action: 'roll_back' })
    // Of a share only the whole tells.
    expect(judge({ ...rules, failedShareMax: 0.0001 }, failed)).toMatchObject({ action: 'wait' })
    const whole = evidenceOf({}, { failed: 1 })
    expect(judge({ ...rules, failedShareMax: 0.0001 }, whole)).toMatchObject({
      action: 'roll_back',
    })
  })
})
