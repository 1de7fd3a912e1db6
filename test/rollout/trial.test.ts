// Who is on trial since when, and what a verdict makes of the roster.

import { describe, expect, it } from 'vitest'
import { changeFor, findTrial } from '../../services/rollout/trial.ts'
import type { Roster } from '../../services/roster/roster.ts'
import {
  changeRoster,
  type RosterChange,
  type RosterStep,
  rosterOfFile,
} from '../../services/roster/roster-change.ts'
import { customer, fieldFeature, pipelineOf } from '../support/pipelines.ts'

const file = pipelineOf({
  entities: [customer],
  features: [fieldFeature({ field: 'amountMinor' })],
})
const model = (version: string) => ({ name: 'test', version })

/** The n-th change is made at n minutes. */
function liveThrough(changes: readonly RosterChange[]): { inForce: Roster; steps: RosterStep[] } {
  const steps: RosterStep[] = []
  let inForce = rosterOfFile(file)
  for (const [index, change] of changes.entries()) {
    const author = { who: 'ana', why: 'a test', whenMs: (index + 1) * 60_000 }
    const after = changeRoster(inForce, change, { author, steps })
    steps.push({ action: change.action, before: inForce, after })
    inForce = after
  }
  return { inForce, steps }
}

const trialAfter = (changes: readonly RosterChange[]) => {
  const { inForce, steps } = liveThrough(changes)
  return findTrial(inForce, steps)
}
const shadow = (version: string): RosterChange => ({ action: 'shadow', model: model(version) })
const canary = (version: string, share: number): RosterChange => ({
  action: 'canary',
  version,
  share,
})
const rollback: RosterChange = { action: 'rollback', drops: false }
const verdictOf = (action: 'advance' | 'wait' | 'pause' | 'roll_back') => ({ action, reasons: [] })

describe('trial', () => {
  it('findTrial - nobody without a challenger, and none of another name', () => {
    expect(trialAfter([])).toBeNull()
    expect(trialAfter([{ action: 'shadow', model: { name: 'other', version: '9' } }])).toBeNull()
  })

  it('findTrial - the newest challenger, since it came', () => {
    expect(trialAfter([shadow('2'), shadow('3')])).toEqual({
      champion: model('1'),
      challenger: model('3'),
      share: 0,
      sinceEpoch: 2,
      sinceMs: 120_000,
      stepEpoch: 2,
      stepMs: 120_000,
      isRolledBack: false,
    })
  })

  it('findTrial - the canary before newer challengers; its step begins with its share', () => {
    const changes = [shadow('2'), canary('2', 0.01), canary('2', 0.05), shadow('3')]
    expect(trialAfter(changes)).toMatchObject({
      challenger: model('2'),
      share: 0.05,
      sinceEpoch: 1,
      stepEpoch: 3,
      stepMs: 180_000,
    })
  })

  it('findTrial - another champion is another trial', () => {
    const changes = [shadow('2'), shadow('3'), { action: 'promote', model: model('2') } as const]
    expect(trialAfter(changes)).toMatchObject({
      champion: model('2'),
      challenger: model('3'),
      sinceEpoch: 3,
    })
  })

  it('changeFor - step by step to every customer, then the champion', () => {
    const shares = [0, 0.01, 0.05, 0.25, 0.5, 1]
    for (const [index, share] of shares.entries()) {
      const trial = { ...trialAfter([shadow('2')])!, share }
      const next = shares[index + 1]
      expect(changeFor(trial, verdictOf('advance'))).toEqual(
        next === undefined ? { action: 'promote', model: null } : canary('2', next),
      )
      expect(changeFor(trial, verdictOf('wait'))).toBeNull()
      expect(changeFor(trial, verdictOf('pause'))).toBeNull()
    }
  })

  it('changeFor - rolls a canary back to the shadow, and out of it', () => {
    const running = trialAfter([shadow('2'), canary('2', 0.25)])!
    expect(changeFor(running, verdictOf('roll_back'))).toEqual(rollback)
    const back = trialAfter([shadow('2'), canary('2', 0.25), rollback])!
    expect(back.isRolledBack).toBe(true)
    expect(changeFor(back, verdictOf('roll_back'))).toEqual({
      action: 'unshadow',
      model: model('2'),
    })
  })

  it('changeFor - who was rolled back waits for a person', () => {
    const changes = [shadow('2'), canary('2', 0.25), rollback]
    expect(changeFor(trialAfter(changes)!, verdictOf('advance'))).toBeNull()
    const anew = [...changes, { action: 'unshadow', model: model('2') } as const, shadow('2')]
    expect(changeFor(trialAfter(anew)!, verdictOf('advance'))).toEqual(canary('2', 0.01))
  })
})
