// From one roster to the next: the actions one by one, and what holds after any row of them.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { WeirError } from '../../services/core/errors.ts'
import { limits } from '../../services/core/limits.ts'
import type { Roster, RosterModel } from '../../services/roster/roster.ts'
import {
  canaryShares,
  changeRoster,
  type RosterChange,
  type RosterStep,
  rosterOfFile,
} from '../../services/roster/roster-change.ts'

const author = { who: 'ana', why: 'because', whenMs: 1_767_225_600_000 }
const model = (version: string, name = 'card'): RosterModel => ({ name, version })
const fileOf = (champion: RosterModel, challengers: readonly RosterModel[] = []) =>
  rosterOfFile({
    pipeline: 'cards',
    model: {
      champion: { ...champion, source: '/models' },
      challengers: challengers.map((challenger) => ({ ...challenger, source: '/models' })),
    },
  })

/** Makes changes one after the other and keeps the steps, as the ledger does. */
function play(first: Roster, changes: readonly RosterChange[]): RosterStep[] {
  const steps: RosterStep[] = []
  for (const change of changes) {
    const before = steps.at(-1)?.after ?? first
    steps.push({
      action: change.action,
      before,
      after: changeRoster(before, change, { author, steps }),
    })
  }
  return steps
}

const outcome = (first: Roster, ...changes: RosterChange[]): Roster =>
  play(first, changes).at(-1)!.after

const shadow = (version: string): RosterChange => ({ action: 'shadow', model: model(version) })
const canary = (version: string, share: number): RosterChange => ({
  action: 'canary',
  version,
  share,
})
const promote: RosterChange = { action: 'promote', model: null }
const rollback: RosterChange = { action: 'rollback', drops: false }
const drop: RosterChange = { action: 'rollback', drops: true }

const first = fileOf(model('1'))

describe('roster change', () => {
  it('begins with the pipeline file as epoch 0', () => {
    expect(fileOf(model('1'), [model('2')])).toMatchObject({
      pipeline: 'cards',
      epoch: 0,
      champion: { name: 'card', version: '1' },
      challengers: [{ name: 'card', version: '2' }],
      canary: null,
    })
    expect(Object.keys(first.champion)).toEqual(['name', 'version'])
  })

  it('tells who, why and when, and raises the epoch by one', () => {
    const spoken = { who: ' ana ', why: ' it looks good ', whenMs: 5 }
    const after = changeRoster(first, shadow('2'), { author: spoken, steps: [] })
    expect(after).toMatchObject({ epoch: 1, who: 'ana', why: 'it looks good', whenMs: 5 })
  })

  it('takes a challenger in and out of the shadow', () => {
    const out: RosterChange = { action: 'unshadow', model: model('2') }
    expect(outcome(first, shadow('2'), shadow('3')).challengers).toEqual([model('2'), model('3')])
    expect(outcome(first, shadow('2'), shadow('3'), out).challengers).toEqual([model('3')])
  })

  it('widens a canary without giving its customers back: the salt stays until it ends', () => {
    const narrow = outcome(first, shadow('2'), canary('2', 0.05))
    expect(narrow.canary).toMatchObject({ version: '2', share: 0.05 })
    const wide = outcome(first, shadow('2'), canary('2', 0.05), canary('2', 0.5))
    expect(wide.canary).toEqual({ ...narrow.canary, share: 0.5 })
    const again = outcome(first, shadow('2'), canary('2', 0.05), rollback, canary('2', 0.05))
    expect(again.canary!.salt).not.toBe(narrow.canary!.salt)
  })

  it('promotes the canary: it leaves the challengers, and the old champion goes', () => {
    const after = outcome(first, shadow('3'), shadow('2'), canary('2', 1), promote)
    expect(after).toMatchObject({
      epoch: 4,
      champion: model('2'),
      challengers: [model('3')],
      canary: null,
    })
  })

  it('promotes a challenger of another name', () => {
    const other = model('7', 'tree')
    const changes = [
      { action: 'shadow', model: other },
      { action: 'promote', model: other },
    ] as const
    expect(outcome(first, ...changes)).toMatchObject({ champion: other, challengers: [] })
  })

  it('rolls a canary back to the shadow, or out of everything', () => {
    const begun = [shadow('2'), canary('2', 0.25)]
    expect(outcome(first, ...begun, rollback)).toMatchObject({
      champion: model('1'),
      challengers: [model('2')],
      canary: null,
    })
    expect(outcome(first, ...begun, drop)).toMatchObject({ challengers: [], canary: null })
  })

  it('rolls a promotion back to the roster before it, without its canary', () => {
    const begun = [shadow('2'), canary('2', 1), promote]
    expect(outcome(first, ...begun, rollback)).toMatchObject({
      epoch: 4,
      champion: model('1'),
      challengers: [model('2')],
      canary: null,
    })
    expect(outcome(first, ...begun, drop)).toMatchObject({ champion: model('1'), challengers: [] })
  })

  it('rolls promotions back one after the other, and never into one that was rolled back', () => {
    const begun = [
      shadow('2'),
      { action: 'promote', model: model('2') },
      shadow('3'),
      { action: 'promote', model: model('3') },
    ] as const
    expect(outcome(first, ...begun, rollback).champion).toEqual(model('2'))
    expect(outcome(first, ...begun, rollback, rollback).champion).toEqual(model('1'))
    expect(() => outcome(first, ...begun, rollback, rollback, rollback)).toThrow(
      /found no promotion/,
    )
  })

  it.each<[string, RosterChange[], RegExp]>([
    ['the champion in its own shadow', [shadow('1')], /is the champion/],
    ['a challenger twice', [shadow('2'), shadow('2')], /is a challenger already/],
    [
      'to remove a stranger',
      [{ action: 'unshadow', model: model('9') }],
      /is no challenger \(found none\)/,
    ],
    [
      'to remove the canary from the shadow',
      [shadow('2'), canary('2', 0.01), { action: 'unshadow', model: model('2') }],
      /is the canary, expected a rollback/,
    ],
    ['a canary that does not score yet', [shadow('3'), canary('2', 0.01)], /found card 3/],
    ['a share beside the steps', [shadow('2'), canary('2', 0.02)], /2 %, expected one of 1 %, 5 %/],
    ['the share that there is', [shadow('2'), canary('2', 0.5), canary('2', 0.5)], /50 % already/],
    [
      'two canaries',
      [shadow('2'), shadow('3'), canary('2', 0.5), canary('3', 0.5)],
      /card 2 is the canary/,
    ],
    ['a promotion of nobody', [shadow('2'), promote], /found no canary/],
    ['a promotion of a stranger', [{ action: 'promote', model: model('9') }], /is no challenger/],
    [
      'a promotion past the canary',
      [shadow('2'), shadow('3'), canary('2', 1), { action: 'promote', model: model('3') }],
      /card 2 is the canary/,
    ],
    ['a rollback of nothing', [shadow('2'), rollback], /found no promotion/],
    ['an alias', [shadow('@champion')], /and no alias/],
    ['a version that leaves its folder', [shadow('../x')], /found the model "card" "\.\.\/x"/],
  ])('refuses %s', (_what, changes, reason) => {
    expect(() => play(first, changes)).toThrow(reason)
    expect(() => play(first, changes)).toThrow(/^WEIR_ROSTER_REFUSED/)
  })

  it('refuses to keep an alias of the pipeline file: it may mean another model tomorrow', () => {
    const aliased = fileOf(model('@champion'), [model('2')])
    expect(() => outcome(aliased, shadow('3'))).toThrow(/"@champion".*no alias/)
    const away: RosterChange = { action: 'promote', model: model('2') }
    expect(() => outcome(aliased, away)).toThrow(/"@champion".*no alias/)
  })

  it.each([
    ['who', { ...author, who: ' ' }],
    ['why', { ...author, why: '' }],
    ['why', { ...author, why: 'two\nlines' }],
    ['why', { ...author, why: 'a'.repeat(501) }],
  ])('refuses a change whose --%s says nothing', (flag, spoken) => {
    const change = () => changeRoster(first, shadow('2'), { author: spoken, steps: [] })
    expect(change).toThrow(new RegExp(`WEIR_ROSTER_REFUSED.*--${flag}`))
  })

  it('refuses more challengers than a batch has time for', () => {
    const most = Array.from({ length: limits.challengersMax }, (_, i) => shadow(String(i + 2)))
    expect(outcome(first, ...most).challengers).toHaveLength(limits.challengersMax)
    expect(() => outcome(first, ...most, shadow('99'))).toThrow(/challengersMax/)
  })
})

const anyModel = fc.record({
  name: fc.constantFrom('card', 'tree'),
  version: fc.constantFrom('1', '2', '3', '4'),
})
const anyChange: fc.Arbitrary<RosterChange> = fc.oneof(
  fc.record({ action: fc.constantFrom('shadow' as const, 'unshadow' as const), model: anyModel }),
  fc.record({
    action: fc.constant('canary' as const),
    version: fc.constantFrom('1', '2', '3', '4'),
    share: fc.constantFrom(...canaryShares),
  }),
  fc.record({ action: fc.constant('promote' as const), model: fc.option(anyModel) }),
  fc.record({ action: fc.constant('rollback' as const), drops: fc.boolean() }),
)

const keyOf = ({ name, version }: RosterModel): string => `${name} ${version}`

function expectSound({ champion, challengers, canary: trial }: Roster): void {
  const keys = [champion, ...challengers].map(keyOf)
  expect(new Set(keys).size).toBe(keys.length)
  expect(challengers.length).toBeLessThanOrEqual(limits.challengersMax)
  if (trial === null) return
  expect(challengers.map(keyOf)).toContain(`${champion.name} ${trial.version}`)
  expect(canaryShares).toContain(trial.share)
}

describe('roster change, any row of changes', () => {
  it('leaves a sound roster, the next epoch, and what was before as it was', () => {
    fc.assert(
      fc.property(fc.array(anyChange, { maxLength: 40 }), (changes) => {
        const steps: RosterStep[] = []
        for (const change of changes) {
          const before = steps.at(-1)?.after ?? first
          const copy = structuredClone(before)
          try {
            const after = changeRoster(before, change, { author, steps })
            expect(after.epoch).toBe(before.epoch + 1)
            expectSound(after)
            steps.push({ action: change.action, before, after })
          } catch (error) {
            if (!(error instanceof WeirError)) throw error
            expect(error.code).toBe('WEIR_ROSTER_REFUSED')
          }
          expect(before).toEqual(copy)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('finds its way back to the first champion by rollbacks alone', () => {
    fc.assert(
      fc.property(fc.array(anyChange, { maxLength: 40 }), (changes) => {
        const steps: RosterStep[] = []
        const attempt = (change: RosterChange): boolean => {
          const before = steps.at(-1)?.after ?? first
          try {
            const after = changeRoster(before, change, { author, steps })
            steps.push({ action: change.action, before, after })
            return true
          } catch {
            return false
          }
        }
        for (const change of changes) attempt(change)
        const made = steps.length
        while (attempt(rollback)) expect(steps.length).toBeLessThan(2 * made + 2)
        expect((steps.at(-1)?.after ?? first).champion).toEqual(first.champion)
      }),
      { numRuns: 500 },
    )
  })
})
