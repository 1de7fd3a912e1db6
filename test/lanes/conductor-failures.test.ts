// The conductor under random trouble: whatever is lost on the way, nothing is lost or doubled.

import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createMemoryLogStore } from '../../services/adapters/memory/memory-log-store.ts'
import { planFeatures } from '../../services/pipeline/enrich/feature-plan.ts'
import type {
  RejectedRecord,
  ScoredTransactionRecord,
} from '../../services/pipeline/publish/output-records.ts'
import { lanesPipeline } from '../support/lanes-pipeline.ts'
import { createMemoryBroker, type Fate, type MemoryLane } from '../support/memory-broker.ts'
import {
  createMemoryHouse,
  decodeJson,
  flakyClassifier,
  flakyStore,
} from '../support/memory-house.ts'
import { labelsIn, randomLanes, transactionIn } from '../support/memory-stream.ts'
import { createRandom, type Random } from '../support/random.ts'
import { recomputeVectors } from '../support/recompute-vectors.ts'

const SEEDS = 150
const TURNS_MAX = 20_000

type Trouble = {
  readonly fates: readonly Fate[]
  readonly storeFailure: number
  readonly modelFailure: number
  readonly away: number
  /** Chance per turn that the lanes are taken from one scorer and given to the other. */
  readonly move: number
}

const troubles: Readonly<Record<string, Trouble>> = {
  'deliveries in doubt': {
    fates: ['committed', 'committed', 'committed', 'lost', 'committed_unheard'],
    storeFailure: 0,
    modelFailure: 0,
    away: 0,
    move: 0,
  },
  'a store that fails': {
    fates: ['committed'],
    storeFailure: 0.2,
    modelFailure: 0,
    away: 0,
    move: 0,
  },
  'lanes that move': { fates: ['committed'], storeFailure: 0, modelFailure: 0, away: 0, move: 0.1 },
  'everything at once': {
    fates: ['committed', 'committed', 'committed', 'lost', 'committed_unheard'],
    storeFailure: 0.1,
    modelFailure: 0.1,
    away: 0.1,
    move: 0.03,
  },
}

async function runSeed(seed: number, trouble: Trouble) {
  const random = createRandom(seed)
  const lanes = randomLanes(random, random.integer(20, 160))
  const definition = lanesPipeline(random)
  const shared = createMemoryLogStore(planFeatures(definition).kinds)
  const broker = createMemoryBroker({
    lanes,
    random,
    fetchMax: random.pick([3, 40]),
    fate: () => random.pick(trouble.fates),
    isAway: () => random.chance(trouble.away),
  })
  const houses = [0, 1].map(() => {
    const member = broker.join()
    const store = flakyStore(shared, {
      failure: () => random.chance(trouble.storeFailure),
      hasEffect: () => random.chance(0.5),
    })
    const classifier = flakyClassifier(() => random.chance(trouble.modelFailure))
    const askRegistry = async () => false
    return { member, ...createMemoryHouse({ definition, member, store, classifier, askRegistry }) }
  })
  for (const { conductor } of houses) await conductor.start()
  houses[0]!.member.assign(lanes)
  for (let turns = 0; !broker.isDone(); turns++) {
    if (turns > TURNS_MAX) throw new Error(`seed ${seed}: not done after ${TURNS_MAX} turns`)
    for (const { failure } of houses) if (failure() !== null) throw failure()
    if (random.chance(trouble.move)) moveLanes(random, houses, lanes)
    await turn()
  }
  await Promise.all(houses.map(({ conductor }) => conductor.drain()))
  for (const { failure } of houses) expect(failure()).toBeNull()
  return { broker, lanes, definition }
}

type Houses = readonly {
  readonly member: ReturnType<ReturnType<typeof createMemoryBroker>['join']>
}[]

/** Told first or told late: the old owner may still be at work when the new one claims. */
function moveLanes(random: Random, houses: Houses, lanes: readonly MemoryLane[]): void {
  const ofFirst = lanes.filter(() => random.chance(0.5))
  const ofSecond = lanes.filter((lane) => !ofFirst.includes(lane))
  const shares = [ofFirst, ofSecond]
  for (const index of random.chance(0.5) ? [0, 1] : [1, 0]) {
    if (random.chance(0.5)) houses[index]!.member.revoke('rebalancing')
    houses[index]!.member.assign(shares[index]!)
  }
}

async function judge({ broker, lanes, definition }: Awaited<ReturnType<typeof runSeed>>) {
  const scored = broker
    .published('scored')
    .map(({ record }) => decodeJson<ScoredTransactionRecord>(record.value))
  const refused = [...broker.published('rejected'), ...broker.published('late')].map(({ record }) =>
    decodeJson<RejectedRecord>(record.value),
  )
  const outcomes = [
    ...scored.map((event) => `transactions/${event.sourcePartition}/${event.sourceOffset}`),
    ...refused.map(
      (event) => `${event.sourceTopic}/${event.sourcePartition}/${event.sourceOffset}`,
    ),
  ].sort()
  const messages = new Map(
    lanes.flatMap(({ address, messages: all }) =>
      all.map((message) => [`${address.topic}/${address.partition}/${message.offset}`, message]),
    ),
  )
  const labels = labelsIn(lanes)
  const { differences } = await recomputeVectors(definition, {
    scored,
    transactionOf: (event) =>
      transactionIn(messages.get(`transactions/${event.sourcePartition}/${event.sourceOffset}`)!),
    labelsOf: () => labels,
  })
  return { outcomes, expected: messages.size - labels.length, differences }
}

describe('the conductor, whatever fails', () => {
  it.each(Object.entries(troubles))(
    '%s: each event once, vectors as if undisturbed',
    async (name, trouble) => {
      for (let seed = 1; seed <= SEEDS; seed++) {
        const verdict = await judge(await runSeed(seed, trouble))
        const place = `${name}, seed ${seed}`
        expect(verdict.differences.slice(0, 3), place).toEqual([])
        expect(new Set(verdict.outcomes).size, place).toBe(verdict.outcomes.length)
        expect(verdict.outcomes, place).toHaveLength(verdict.expected)
      }
    },
  )
})
