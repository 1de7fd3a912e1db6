// Real models, real worker threads: rosters applied while calls are in flight.

import { afterEach, describe, expect, it } from 'vitest'
import { createOnnxClassifier } from '../../../services/adapters/onnx/onnx-classifier.ts'
import { WeirError } from '../../../services/core/errors.ts'
import type { FixedClassifier } from '../../../services/pipeline/classify/classifier.ts'
import type { Signal } from '../../../services/pipeline/observe/signals.ts'
import { isCanaryCustomer, type Roster } from '../../../services/roster/roster.ts'
import {
  openRosterClassifier,
  type RosterClassifier,
  type RosterModels,
} from '../../../services/scorer/classifiers/roster-classifier.ts'
import {
  fixtureFeatures,
  fixtureModel,
  flatten,
  goldenOf,
  onCpu,
} from '../../adapters/onnx/fixture-models.ts'
import { waitFor } from '../../support/wait-for.ts'

/** `bench swaps` makes a hundred, on the real stack. */
const SWAPS = 25

const closing: RosterClassifier[] = []
afterEach(async () => {
  for (const classifier of closing.splice(0)) await classifier.close()
})

const rosterOf = (epoch: number, name: string, rest: Partial<Roster> = {}): Roster => ({
  pipeline: 'p',
  epoch,
  champion: { name, version: '1' },
  challengers: [],
  canary: null,
  who: 'ana',
  why: 'a test',
  whenMs: 0,
  ...rest,
})

async function openRosters({ loadMsMax = 60_000 } = {}) {
  const signals: Signal[] = []
  const counts = { opened: 0, alive: 0, aliveMax: 0 }
  const away = new Set<string>()
  const open = async (
    { champion, challengers }: RosterModels,
    observe: (signal: Signal) => void,
  ): Promise<FixedClassifier> => {
    const models = {
      champion: fixtureModel(champion.name),
      challengers: challengers.map(({ name }) => fixtureModel(name)),
    }
    if (champion.name === 'endless') return new Promise(() => undefined)
    if (away.has(champion.name)) throw new WeirError('WEIR_KAFKA_AWAY', 'for a test')
    const inner = await createOnnxClassifier({
      models,
      policy: onCpu,
      features: fixtureFeatures,
      observe,
    })
    counts.opened++
    counts.aliveMax = Math.max(counts.aliveMax, ++counts.alive)
    return {
      models: inner.models,
      classify: (request) => inner.classify(request),
      close: async () => {
        await inner.close()
        counts.alive--
      },
    }
  }
  const first = rosterOf(0, 'trees')
  const observe = (signal: Signal) => void signals.push(signal)
  const classifier = await openRosterClassifier({ first, open, observe, loadMsMax })
  closing.push(classifier)
  const kinds = (kind: Signal['kind']) => signals.filter((one) => one.kind === kind)
  return { classifier, counts, kinds, away }
}

const rows = [[0.25, 0, 0, 0]]
const customerOf = (row: number): string => `customer-${row}`
const classifyOn = (classifier: RosterClassifier) =>
  classifier.classify({ count: 1, vectors: flatten(rows), reasonsFrom: 2, customerOf })

describe('roster classifier', () => {
  it('apply - swaps under load: every reply is whole and of one crew', async () => {
    const { classifier, counts, kinds } = await openRosters()
    const names = ['trees', 'challenger', 'network']
    const goldens = new Map(
      await Promise.all(names.map(async (name) => [name, await goldenOf(name)] as const)),
    )
    const { vectors } = goldens.get('trees')!
    const scoresOf = new Map<string, Float32Array>()
    const epochs: number[] = []
    let isSwapping = true
    const load = async () => {
      while (isSwapping) {
        const count = vectors.length
        const reply = await classifier.classify({
          count,
          vectors: flatten(vectors),
          reasonsFrom: 2,
          customerOf,
        })
        const epoch = reply.controlEpoch!
        epochs.push(epoch)
        expect(reply.champion.name).toBe(names[epoch % names.length])
        expect(reply.scores).toHaveLength(count)
        const known = scoresOf.get(reply.champion.name) ?? reply.scores
        scoresOf.set(reply.champion.name, known)
        expect(reply.scores).toEqual(known)
      }
    }
    const swap = async () => {
      for (let epoch = 1; epoch <= SWAPS; epoch++) {
        await classifier.apply(rosterOf(epoch, names[epoch % names.length]!))
        await classifyOn(classifier)
      }
      isSwapping = false
    }
    await Promise.all([swap().finally(() => (isSwapping = false)), load()])
    expect(epochs).toEqual([...epochs].sort((a, b) => a - b))
    expect(new Set(epochs).size).toBeGreaterThan(SWAPS / 2)
    expect(kinds('roster_applied')).toHaveLength(SWAPS)
    expect(counts.aliveMax).toBeLessThanOrEqual(4)
    for (const [row, score] of goldens.get('trees')!.scores.entries()) {
      expect(scoresOf.get('trees')![row]).toBeCloseTo(score, 4)
    }
    await classifier.close()
    expect(counts.alive).toBe(0)
  }, 120_000)

  it('apply - a call that began on the old crew ends there', async () => {
    const { classifier } = await openRosters()
    await classifier.apply(rosterOf(1, 'pair'))
    const old = classifyOn(classifier)
    await classifier.apply(rosterOf(2, 'trees'))
    const young = classifyOn(classifier)
    expect(await old).toMatchObject({ controlEpoch: 1, champion: { name: 'pair' } })
    expect(await young).toMatchObject({ controlEpoch: 2, champion: { name: 'trees' } })
  })

  it('apply - goes back to the crew before without loading', async () => {
    const { classifier, counts, kinds } = await openRosters()
    await classifier.apply(rosterOf(1, 'pair'))
    const { opened } = counts
    void classifier.apply(rosterOf(2, 'trees'))
    expect(await classifyOn(classifier)).toMatchObject({ controlEpoch: 2 })
    expect(counts.opened).toBe(opened)
    expect(kinds('model_loaded').at(-1)).toMatchObject({ name: 'trees', role: 'champion' })
  })

  it('apply - refuses models that do not load; the old crew goes on', async () => {
    const { classifier, kinds } = await openRosters()
    await classifier.apply(rosterOf(1, 'absent'))
    expect(kinds('roster_refused')).toMatchObject([
      { epoch: 1, code: 'WEIR_CLASSIFY_MODEL_REFUSED' },
    ])
    const reply = await classifyOn(classifier)
    expect(reply).toMatchObject({ controlEpoch: 0, champion: { name: 'trees' } })
  })

  it('apply - refuses models that never load, and takes the next roster', async () => {
    const { classifier, kinds } = await openRosters({ loadMsMax: 3000 })
    await classifier.apply(rosterOf(1, 'endless'))
    expect(kinds('roster_refused')).toMatchObject([
      { epoch: 1, detail: expect.stringContaining('modelLoadMsMax') },
    ])
    await classifier.apply(rosterOf(2, 'pair'))
    expect(await classifyOn(classifier)).toMatchObject({ controlEpoch: 2 })
  })

  it('apply - tries models again that cannot be had now, until a newer roster comes', async () => {
    const { classifier, kinds, away } = await openRosters()
    away.add('pair')
    const waiting = classifier.apply(rosterOf(1, 'pair'))
    await waitFor(
      () => kinds('retried').length >= 2,
      () => 'two more tries',
    )
    expect(await classifyOn(classifier)).toMatchObject({ controlEpoch: 0 })
    away.delete('pair')
    await waiting
    expect(await classifyOn(classifier)).toMatchObject({ controlEpoch: 1 })
    away.add('network')
    const overtaken = classifier.apply(rosterOf(2, 'network'))
    await waitFor(
      () => kinds('retried').length >= 3,
      () => 'another try',
    )
    await classifier.apply(rosterOf(3, 'trees'))
    await overtaken
    expect(await classifyOn(classifier)).toMatchObject({ controlEpoch: 3 })
    expect(kinds('roster_refused')).toEqual([])
  })

  it('apply - a canary decides and explains for its customers alone, and loads nothing more', async () => {
    const { classifier, counts } = await openRosters()
    const challengers = [
      { name: 'challenger', version: '1' },
      { name: 'trees', version: '2' },
    ]
    await classifier.apply(rosterOf(1, 'trees', { challengers }))
    const { opened } = counts
    const { vectors } = await goldenOf('trees')
    const count = 400
    const many = Array.from({ length: count }, (_, row) => vectors[row % vectors.length]!)
    const score = () =>
      classifier.classify({ count, vectors: flatten(many), reasonsFrom: 0, customerOf })
    const shares: number[] = []
    let before = new Set<number>()
    for (const [index, share] of [0.25, 0.5, 1].entries()) {
      const canary = { version: '2', share, salt: 'a trial' }
      await classifier.apply(rosterOf(2 + index, 'trees', { challengers, canary }))
      const { deciders, controlEpoch, reasons } = await score()
      expect(controlEpoch).toBe(2 + index)
      const taken = [...deciders!.entries()].flatMap(([row, model]) => (model === 2 ? [row] : []))
      expect([...deciders!].every((model) => model === 0 || model === 2)).toBe(true)
      for (const row of taken) {
        expect(isCanaryCustomer(canary, customerOf(row))).toBe(true)
      }
      // Sticky: who has the canary keeps it when the share grows.
      expect([...before].every((row) => taken.includes(row))).toBe(true)
      expect(reasons.size).toBe(count)
      before = new Set(taken)
      shares.push(taken.length / count)
    }
    expect(shares[0]).toBeGreaterThan(0.15)
    expect(shares[0]).toBeLessThan(0.35)
    expect(shares[2]).toBe(1)
    expect(counts.opened).toBe(opened)
    await classifier.apply(rosterOf(5, 'trees', { challengers }))
    expect(await score()).not.toHaveProperty('deciders')
    expect(counts.opened).toBe(opened)
  })

  it('apply - ignores older epochs, and skips what a newer one overtook', async () => {
    const { classifier, counts, kinds } = await openRosters()
    const challengers = [{ name: 'challenger', version: '1' }]
    const loading = classifier.apply(rosterOf(5, 'pair'))
    const overtaken = classifier.apply(rosterOf(6, 'network'))
    const newest = classifier.apply(rosterOf(7, 'network', { challengers }))
    await classifier.apply(rosterOf(4, 'trees'))
    await Promise.all([loading, overtaken, newest])
    expect(kinds('roster_applied').map((one) => 'epoch' in one && one.epoch)).toEqual([5, 7])
    expect(counts.opened).toBe(3)
    expect(await classifyOn(classifier)).toMatchObject({
      controlEpoch: 7,
      challengers: [{ name: 'challenger' }],
    })
  })
})
