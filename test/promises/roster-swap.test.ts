// Promise: changing the model changes who decides, and nothing else.
//
// Two scorers under load follow the ledger: shadow, a challenger that has no scores, a canary that
// grows, a promotion, a rollback, many swaps, a model that does not load; a third scorer starts
// while that one is in the ledger. All that is asserted is read from the topics.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Progress } from '../../load/generator/schedule.ts'
import type { ScorerProcess } from '../../load/scorer/scorer-process.ts'
import {
  openRosterLedger,
  type RosterLedger,
} from '../../services/adapters/kafka/roster/roster-ledger.ts'
import { connectRegistry } from '../../services/adapters/registry/schema-registry.ts'
import type { ScoredTransactionRecord } from '../../services/pipeline/publish/output-records.ts'
import { isCanaryCustomer, type Roster } from '../../services/roster/roster.ts'
import type { RosterChange } from '../../services/roster/roster-change.ts'
import { untilCommitted } from '../support/committed-offsets.ts'
import { type FixtureShelf, makeFixtureShelf } from '../support/fixture-shelf.ts'
import { judgeHistory, type Verdict } from '../support/judge-history.ts'
import { openScoringEnvironment, type ScoringEnvironment } from '../support/scoring-environment.ts'
import { collectTopics, type TopicCollector } from '../support/topic-collector.ts'
import { waitFor } from '../support/wait-for.ts'
import { allTopicsOf, readWeirTopics, type WeirTopics } from '../support/weir-topics.ts'

const RATE = 400
const SECONDS_MAX = 120
const SWAPS = 12

let shelf: FixtureShelf
let place: ScoringEnvironment
let collector: TopicCollector
let topics: WeirTopics
let sent: Progress
let verdict: Verdict
let scored: readonly ScoredTransactionRecord[]
let steps: readonly { readonly after: Roster }[]
const unsound: Roster[] = []
const ends: string[] = []

const model = (version: string) => ({ name: 'trees', version })

async function change(ledger: RosterLedger, wish: RosterChange): Promise<Roster> {
  const author = { who: 'test', why: 'a promise', whenMs: Date.now() }
  return (await ledger.change(() => wish, { author, epoch: null })).after
}

/** 100 events have been scored under this roster. */
async function untilScoredBy({ epoch }: Pick<Roster, 'epoch'>): Promise<void> {
  const seen = () => topics.scored().filter(({ controlEpoch }) => controlEpoch === epoch)
  await waitFor(
    () => seen().length >= 100,
    () => `${seen().length} events of epoch ${epoch}, expected 100`,
    { everyMs: 200 },
  )
}

async function liveThrough(ledger: RosterLedger): Promise<void> {
  await untilScoredBy({ epoch: 0 })
  const changes: RosterChange[] = [
    { action: 'shadow', model: model('2') },
    { action: 'shadow', model: model('3') },
    { action: 'canary', version: '2', share: 0.25 },
    { action: 'canary', version: '2', share: 0.5 },
    { action: 'promote', model: null },
    { action: 'rollback', drops: false },
  ]
  for (const wish of changes) await untilScoredBy(await change(ledger, wish))
  for (let swap = 0; swap < SWAPS; swap++) {
    const isBack = swap % 2 === 1
    await change(
      ledger,
      isBack ? { action: 'rollback', drops: false } : { action: 'promote', model: model('2') },
    )
  }
  await untilScoredBy((await ledger.read()).inForce)
  unsound.push(await change(ledger, { action: 'shadow', model: model('absent') }))
  await (await place.startScorer()).untilClaimed()
  const sound = await change(ledger, { action: 'unshadow', model: model('absent') })
  await untilScoredBy(sound)
}

beforeAll(async () => {
  shelf = makeFixtureShelf('swap', { 1: 'trees', 2: 'challenger', 3: 'unbounded' })
  place = await openScoringEnvironment({ purpose: 'swap', pipelineFile: shelf.pipelineFile })
  const { definition, kafka, stack } = place
  collector = await collectTopics(kafka, allTopicsOf(definition))
  topics = readWeirTopics(definition, collector)
  const registry = connectRegistry(stack.registryUrl)
  const ledger = openRosterLedger({ kafka, registry, definition })
  await place.startScorer()
  await place.startScorer()
  const traffic = await place.startTraffic({
    rate: RATE,
    seconds: SECONDS_MAX,
    generator: { customers: 300, terminals: 100 },
    disturbances: { poisonShare: 0.01, lateShare: 0.01 },
  })
  try {
    await liveThrough(ledger)
    steps = (await ledger.read()).steps
  } finally {
    sent = await traffic.stop()
    await registry.close()
  }
  await untilCommitted(place)
  for (const scorer of place.scorers()) {
    scorer.signal('SIGTERM')
    ends.push(await scorer.ended)
  }
  await collector.untilEnd()
  scored = topics.scored()
  verdict = await judgeHistory(place, topics)
}, 180_000)
afterAll(async () => {
  await collector?.close()
  await place?.close()
  shelf?.remove()
})

const rosterOf = (epoch: number) => steps.find(({ after }) => after.epoch === epoch)?.after

describe('rosters change under load', () => {
  it('no event is lost or doubled, and every vector is that of an undisturbed run', () => {
    expect(topics.received()).toHaveLength(sent.transactions + sent.poison)
    expect(verdict.missing).toEqual([])
    expect(verdict.repeated).toEqual([])
    expect(verdict.recomputed.differences.slice(0, 5)).toEqual([])
    expect(verdict.recomputed.vectors).toBe(sent.transactions)
  })

  it('every event names the model that its roster lets decide, in its role', () => {
    expect(scored.length).toBeGreaterThan(1000)
    for (const event of scored) {
      const { controlEpoch, keys, modelRole, modelName, modelVersion, challengers } = event
      const roster = rosterOf(controlEpoch) ?? {
        champion: model('1'),
        challengers: [],
        canary: null,
      }
      const { canary } = roster
      const isCanary = canary !== null && isCanaryCustomer(canary, keys.customer!)
      expect(modelRole).toBe(isCanary ? 'canary' : 'champion')
      expect({ name: modelName, version: modelVersion }).toEqual(
        isCanary ? model(canary.version) : roster.champion,
      )
      const others = [roster.champion, ...roster.challengers].filter(
        ({ version }) => version !== modelVersion,
      )
      const withScores = others.filter(({ version }) => version !== '3')
      const named = challengers.map(({ name, version }) => ({ name, version }))
      expect(named.filter(({ version }) => version !== '3')).toEqual(withScores)
    }
    const roles = scored.filter(({ modelRole }) => modelRole === 'canary')
    expect(roles.length).toBeGreaterThan(50)
  })

  it('a challenger without scores is missing from the events, and nothing else is', () => {
    const with3 = scored.filter(({ controlEpoch }) =>
      rosterOf(controlEpoch)?.challengers.some(({ version }) => version === '3'),
    )
    const missing = with3.filter(({ challengers }) =>
      challengers.every(({ version }) => version !== '3'),
    )
    expect(with3.length).toBeGreaterThan(100)
    expect(missing.length).toBeGreaterThan(with3.length / 2)
  })

  it('epochs never fall within a partition', () => {
    const highest = new Map<number, number>()
    const inOrder = [...scored].sort((a, b) => a.sourceOffset - b.sourceOffset)
    for (const { sourcePartition, controlEpoch } of inOrder) {
      expect(controlEpoch).toBeGreaterThanOrEqual(highest.get(sourcePartition) ?? 0)
      highest.set(sourcePartition, controlEpoch)
    }
  })

  it('a roster whose models do not load never scores, for scorers that run and for one that starts', () => {
    const [{ epoch }] = unsound as [Roster]
    expect(scored.filter(({ controlEpoch }) => controlEpoch === epoch)).toEqual([])
  })

  it('scored with the models of the pipeline file before the first change', () => {
    expect(scored.some(({ controlEpoch }) => controlEpoch === 0)).toBe(true)
  })

  it('every scorer drains and ends well', () => {
    expect(ends).toEqual(['exited with code 0', 'exited with code 0', 'exited with code 0'])
  })

  it('tells which models it scores with, and forgets those that left', async () => {
    const scorer: ScorerProcess = await place.startScorer()
    await scorer.untilReady()
    const metrics = await scorer.readMetrics()
    const models = metrics.split('\n').filter((line) => line.startsWith('weir_model_loaded_info{'))
    expect(models.map((line) => /version="(\w+)"/.exec(line)![1]).sort()).toEqual(['1', '2', '3'])
    expect(metrics).toMatch(new RegExp(`weir_roster_epoch ${steps.at(-1)!.after.epoch}`))
    scorer.signal('SIGTERM')
    await scorer.ended
  })
})
