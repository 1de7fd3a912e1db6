// Promise: a model that is worse is taken back by itself, and one that is as good gets through.
//
// A scorer under load and four challengers one after the other: one without scores, which a person
// has made the canary before the rollout service starts; one with a shifted feature (velocity times
// four), a slow one, and a good one. What became of them is read from the audit, who decided from
// the scored events.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  openRosterLedger,
  type RosterLedger,
} from '../../services/adapters/kafka/roster/roster-ledger.ts'
import { connectRegistry } from '../../services/adapters/registry/schema-registry.ts'
import { readSettings } from '../../services/core/settings.ts'
import type { ScoredTransactionRecord } from '../../services/pipeline/publish/output-records.ts'
import { type RolloutLine, rolloutAuthor } from '../../services/rollout/run-rollout.ts'
import { runRollout } from '../../services/rollout/start-rollout.ts'
import type { RosterChange, RosterStep } from '../../services/roster/roster-change.ts'
import { type FixtureShelf, makeFixtureShelf } from '../support/fixture-shelf.ts'
import { openScoringEnvironment, type ScoringEnvironment } from '../support/scoring-environment.ts'
import { silentLogger } from '../support/silent-logger.ts'
import { collectTopics, type TopicCollector } from '../support/topic-collector.ts'
import { waitFor } from '../support/wait-for.ts'
import { allTopicsOf, readWeirTopics, type WeirTopics } from '../support/weir-topics.ts'

const NAN = '2'
const SHIFTED = '3'
const SLOW = '4'
const GOOD = '5'

const rules = '{ minEvents: 200, minTime: 1s, maxTime: 10m, noDataMax: 1m }'
const policy = '{ review: 0.01, block: 0.9, flaggedShareMax: 1, brakeWindow: 10000 }'

let shelf: FixtureShelf
let place: ScoringEnvironment
let collector: TopicCollector
let topics: WeirTopics
let ledger: RosterLedger
let steps: readonly RosterStep[]
let scored: readonly ScoredTransactionRecord[]
const lines: RolloutLine[] = []

const model = (version: string) => ({ name: 'trees', version })

async function change(wish: RosterChange): Promise<void> {
  const author = { who: 'test', why: 'a promise', whenMs: Date.now() }
  await ledger.change(() => wish, { author, epoch: null })
}

/** The service has made a change that fits. */
async function untilMade(fits: (step: RosterStep) => boolean): Promise<void> {
  const made = () => lines.flatMap((line) => (line.what === 'changed' ? [line.step] : []))
  await waitFor(
    () => made().some(fits),
    () => `a change by ${rolloutAuthor}; it told ${JSON.stringify(lines.slice(-3))}`,
  )
}

const takesOut =
  (version: string) =>
  ({ action, before, after }: RosterStep): boolean =>
    action === 'unshadow' &&
    before.challengers.some((one) => one.version === version) &&
    !after.challengers.some((one) => one.version === version)

async function liveThrough(): Promise<void> {
  await untilMade(takesOut(NAN))
  for (const version of [SHIFTED, SLOW]) {
    await change({ action: 'shadow', model: model(version) })
    await untilMade(takesOut(version))
  }
  await change({ action: 'shadow', model: model(GOOD) })
  await untilMade(({ action }) => action === 'promote')
}

/** The scorer lets it decide, and the champion steps in for every event. */
async function startBadCanary(): Promise<void> {
  await change({ action: 'shadow', model: model(NAN) })
  await change({ action: 'canary', version: NAN, share: 0.25 })
  await waitFor(
    () => topics.scored().some(({ controlEpoch }) => controlEpoch === 2),
    () => 'an event scored beside the canary',
  )
}

beforeAll(async () => {
  const fixtures = { 1: 'trees', 2: 'unbounded', 3: 'shifted', 4: 'slow', 5: 'trees' }
  shelf = makeFixtureShelf('rollout', fixtures, { policy, rollout: rules })
  place = await openScoringEnvironment({ purpose: 'rollout', pipelineFile: shelf.pipelineFile })
  const { definition, kafka, stack, environment } = place
  collector = await collectTopics(kafka, allTopicsOf(definition))
  topics = readWeirTopics(definition, collector)
  const registry = connectRegistry(stack.registryUrl)
  ledger = openRosterLedger({ kafka, registry, definition })
  await place.startScorer()
  const traffic = await place.startTraffic({
    rate: 300,
    seconds: 150,
    generator: { customers: 100, terminals: 50 },
    disturbances: {},
  })
  await startBadCanary()
  const stop = new AbortController()
  const settings = readSettings({ ...environment, WEIR_ROLLOUT_PORT: '0' })
  const tell = (line: RolloutLine): void => void lines.push(line)
  const service = runRollout({ definition, settings, logger: silentLogger, tell }, stop.signal)
  try {
    await Promise.race([liveThrough(), service.then(() => Promise.reject(new Error('it ended')))])
  } finally {
    steps = (await ledger.read()).steps
    await traffic.stop()
    stop.abort()
    await service
    await registry.close()
  }
  await collector.untilEnd()
  scored = topics.scored()
}, 170_000)
afterAll(async () => {
  await collector?.close()
  await place?.close()
  shelf?.remove()
})

const whyOut = (version: string): string => steps.find(takesOut(version))!.after.why

describe('rollout under load', () => {
  it('a canary without scores loses its customers, then leaves the shadow', () => {
    const own = steps.filter(({ before }) =>
      before.challengers.some(({ version }) => version === NAN),
    )
    expect(own.map(({ action, after }) => [action, after.who])).toEqual([
      ['canary', 'test'],
      ['rollback', rolloutAuthor],
      ['unshadow', rolloutAuthor],
    ])
    expect(own[1]!.after.why).toContain('without a score')
    expect(whyOut(NAN)).toContain('without a score')
    expect(scored.some(({ modelVersion }) => modelVersion === NAN)).toBe(false)
  })

  it('a shifted feature is caught in the shadow', () => {
    expect(whyOut(SHIFTED)).toMatch(/flags \d+ events, the champion \d+|PSI/)
  })

  it('a slow one is caught by its time', () => {
    expect(whyOut(SLOW)).toContain("times the champion's time")
  })

  it('a good one reaches every customer, step by step, and becomes the champion', () => {
    const own = steps.filter(
      ({ before, after }) =>
        after.who === rolloutAuthor && before.challengers.some(({ version }) => version === GOOD),
    )
    expect(own.map(({ action, after }) => [action, after.canary?.share ?? null])).toEqual([
      ['canary', 0.01],
      ['canary', 0.05],
      ['canary', 0.25],
      ['canary', 0.5],
      ['canary', 1],
      ['promote', null],
    ])
    expect(steps.at(-1)!.after.champion).toEqual(model(GOOD))
    const all = own.find(({ after }) => after.canary?.share === 1)!.after.epoch
    const then = scored.filter(({ controlEpoch }) => controlEpoch === all)
    expect(then.length).toBeGreaterThan(0)
    expect(
      then.every(({ modelRole, modelVersion }) => modelRole === 'canary' && modelVersion === GOOD),
    ).toBe(true)
  })

  it('every change says why, and is made for the roster that was judged', () => {
    for (const { before, after } of steps) {
      expect(after.epoch).toBe(before.epoch + 1)
      if (after.who === rolloutAuthor) expect(after.why).toMatch(/^(advance|roll back): ./)
    }
  })
})
