// A world: servers, scorers that are started again when they end, troubles, and a judge at the end.
//
// In: a seed. Out: how it ended: difference 0, a refusal that was to be expected, or a fault. All
// that happens follows from the seed; time is virtual and bounded.

import { type ErrorCode, WeirError } from '../../services/core/errors.ts'
import { limits } from '../../services/core/limits.ts'
import { planFeatures } from '../../services/pipeline/enrich/feature-plan.ts'
import type { FoldPolicy } from '../../services/pipeline/enrich/fold-log.ts'
import type { Signal } from '../../services/pipeline/observe/signals.ts'
import { EPOCH_MS } from '../support/batches.ts'
import { lanesPipeline } from '../support/lanes-pipeline.ts'
import type { MemoryLane } from '../support/memory-broker.ts'
import { decodeJson } from '../support/memory-scorer.ts'
import { DAY_MS } from '../support/pipelines.ts'
import { createRandom, type Random } from '../support/random.ts'
import { type Brokers, createBrokers } from './brokers/brokers.ts'
import { calm, createFate, type Fate } from './fate.ts'
import {
  describeError,
  type Exit,
  findDifference,
  findWrongVector,
  type Outcomes,
  type Published,
} from './judge.ts'
import { drawScenario, type Moment, refusalsOf, type Scenario } from './scenario.ts'
import { groupId, type ScorerPlace, startScorerProcess } from './scorer-process.ts'
import { createSimulatedModel } from './simulated-model.ts'
import { SimulatedStore } from './simulated-store.ts'
import { createTrace, type Trace } from './trace.ts'
import { catchUnhandled } from './unhandled.ts'
import { createVirtualTime, type Life, newLife, type VirtualTime } from './virtual-time.ts'
import { createCall, type Wire } from './wire.ts'
import { batchBytesMaxOf, drawInputs } from './world-inputs.ts'

export type WorldEnd = {
  readonly seed: number
  /** What is wrong, in words; null = the world ended as it should. */
  readonly fault: string | null
  readonly refusal: ErrorCode | null
  readonly scenario: Scenario
  readonly virtualMs: number
  readonly steps: number
  readonly hash: string
  readonly exits: readonly Exit[]
  readonly story: readonly string[]
  readonly counts: { readonly events: number; readonly published: number }
}

export type WorldOptions = {
  /** Lines of the story that are kept. */
  readonly storyLines?: number
  /** Changes what was drawn, to look at one thing. */
  readonly adjust?: (scenario: Scenario) => Scenario
  /** Changes what was published before it is judged: a judge has to notice. */
  readonly falsify?: (published: Published) => Published
}

export const WORLD_MS_MAX = 300_000
const START_MS = EPOCH_MS + 60 * DAY_MS

type Scorer = { readonly life: Life; drain: (() => Promise<void>) | null; isStopping: boolean }

type World = {
  readonly scenario: Scenario
  readonly random: Random
  readonly time: VirtualTime
  readonly trace: Trace
  readonly fate: Fate
  readonly brokers: Brokers
  readonly lanes: readonly MemoryLane[]
  readonly place: ScorerPlace
  readonly wire: Wire
  /** What has to be committed in the end. */
  readonly goals: readonly { readonly place: string; readonly last: number }[]
  readonly scorers: Set<Scorer>
  readonly exits: Exit[]
  fault: string | null
  refusal: ErrorCode | null
  isClosing: boolean
}

export async function runWorld(seed: number, options: WorldOptions = {}): Promise<WorldEnd> {
  const world = openWorld(seed, options)
  const { time, trace, scenario } = world
  const unhandled = catchUnhandled((reason) => {
    trace.tell(`unhandled: ${reason instanceof Error ? reason.stack : reason}`)
    world.fault ??= `a rejection that nobody handled: ${describeError(reason)}`
  })
  try {
    feedInputs(world)
    for (const moment of scenario.schedule) {
      time.after(moment.atMs, () => befall(world, moment.what), null)
    }
    for (let i = 0; i < scenario.scorers; i++) {
      time.after(world.random.integer(0, 1000), () => startScorer(world, `scorer-${i}`), null)
    }
    await time.runUntil(() => hasEnded(world), START_MS + WORLD_MS_MAX)
    if (world.fault === null && world.refusal === null) {
      if (isDone(world)) await closeWorld(world)
      else world.fault = `not done after ${WORLD_MS_MAX / 60_000} minutes: ${describeLag(world)}`
    }
  } finally {
    for (const { life } of world.scorers) life.isDead = true
    unhandled.stop()
  }
  return judgeWorld(seed, world, options)
}

function openWorld(seed: number, { storyLines = 60, adjust }: WorldOptions): World {
  const random = createRandom(seed)
  const drawn = drawScenario(random)
  const scenario = adjust?.(drawn) ?? drawn
  const time = createVirtualTime(START_MS, () => random.integer(0, 2 ** 30) / (2 ** 30 + 1))
  const trace = createTrace(time.nowMs, storyLines)
  const isCalm = (): boolean => time.nowMs() - START_MS >= scenario.calmFromMs
  const fate = createFate(random, () => (isCalm() ? { ...calm, slow: 0.01 } : scenario.troubles))
  const definition = lanesPipeline(random)
  const lanes = drawInputs(random, scenario)
  const { topics } = definition
  const ofTransactions = lanes.filter(({ address }) => address.stream === 'transactions').length
  const outputs = random.pick([1, 2, ofTransactions])
  const brokers = createBrokers({
    time,
    random,
    topics: {
      [topics.transactions]: ofTransactions,
      [topics.labels!]: 1,
      ...Object.fromEntries(
        [topics.scored, topics.alerts, topics.driftSamples, topics.rejected, topics.late].map(
          (topic) => [topic, outputs],
        ),
      ),
    },
    batchBytesMax: batchBytesMaxOf(scenario),
    slowDisconnect: () => (isCalm() ? 0 : scenario.slowDisconnect),
    fetchRecordsMax: random.pick([3, 10, 40]),
  })
  const plan = planFeatures(definition)
  const foldPolicy: FoldPolicy = { isDue: () => random.chance(0.3), isWorthIt: () => true }
  const store = new SimulatedStore(plan.kinds, definition.store.buckets, foldPolicy, time)
  store.keepsSnapshots = scenario.losesStoreTail
  const world: World = {
    scenario,
    random,
    time,
    trace,
    fate,
    brokers,
    lanes,
    goals: lanes.map(({ address: { topic, partition }, messages }) => ({
      place: `${topic}/${partition}`,
      last: messages.at(-1)?.offset ?? -2,
    })),
    scorers: new Set(),
    exits: [],
    fault: null,
    refusal: null,
    isClosing: false,
    wire: { time, fate, trace, kill: (life, why) => end(world, life, 'killed', new Error(why)) },
    place: {
      definition,
      plan,
      foldPolicy,
      brokers,
      store,
      registry: {
        awayUntilMs: START_MS + scenario.registryAwayMs,
        isDefect: scenario.poison === 'learning_defect',
      },
      time,
      observe: (signal) => tellSignal(trace, signal),
      isCrowded: scenario.isCrowded,
    },
  }
  return world
}

const told: readonly Signal['kind'][] = [
  'retried',
  'producer_recreated',
  'rebalanced',
  'lane_claimed',
  'lane_released',
  'committed',
  'restored',
]

function tellSignal(trace: Trace, signal: Signal): void {
  if (!told.includes(signal.kind)) return
  const { kind, ...fields } = signal as Signal & Record<string, unknown>
  const words = ['partition', 'stream', 'operation', 'code', 'reason', 'committedOffset', 'lanes']
  const facts = words.flatMap((name) => (name in fields ? `${name}=${fields[name as never]}` : []))
  trace.tell(`  ${kind} ${facts.join(' ')}`)
}

/** Part of each lane is there from the beginning, the rest comes little by little. */
function feedInputs({ lanes, brokers, random, time, scenario }: World): void {
  const pausesMs = [0, 0, 0, 100, scenario.calmFromMs / 10, scenario.calmFromMs / 5]
  for (const { address, messages, endOffset } of lanes) {
    const log = brokers.log(address.topic, address.partition)
    let atMs = 0
    for (let from = 0; from < messages.length; ) {
      const some = messages.slice(from, from + random.integer(1, 12))
      from += some.length
      const isLast = from >= messages.length
      const write = (): void => {
        log.append(some.map(({ brokerTimeMs, ...record }) => ({ ...record, timeMs: brokerTimeMs })))
        if (isLast && endOffset > log.high) log.pad(messages.at(-1)!.brokerTimeMs)
      }
      time.after(atMs, write, null)
      atMs += random.pick(pausesMs)
    }
  }
}

function befall(world: World, what: Moment['what']): void {
  const { place, brokers, scorers, random, time, trace } = world
  trace.tell(`# ${what.kind}${'forMs' in what ? ` for ${what.forMs} ms` : ''}`)
  const untilMs = 'forMs' in what ? time.nowMs() + what.forMs : 0
  if (what.kind === 'kafka_away') brokers.broken.awayUntilMs = untilMs
  if (what.kind === 'kafka_silent') brokers.broken.silentUntilMs = untilMs
  if (what.kind === 'store_away') place.store.awayUntilMs = untilMs
  if (what.kind === 'fetch_fails') brokers.broken.fetchFailsUntilMs = untilMs
  if (what.kind === 'rebalance') brokers.group(groupId).rebalance()
  if (what.kind === 'store_restarts') {
    for (let bucket = 0; bucket < place.store.bucketCount; bucket++) {
      if (random.chance(0.7)) {
        place.store.restart(bucket, random.pick([0, 'wiped' as const, 1, 2, 3, 8]))
      }
    }
  }
  if (what.kind === 'stop_scorer' && scorers.size > 0) stop([...scorers][0]!, world)
}

/** SIGTERM: it drains, or is cut off, as services/scorer/main.ts has it. */
function stop(scorer: Scorer, { time, trace }: World): void {
  if (scorer.isStopping || scorer.drain === null) return
  scorer.isStopping = true
  trace.tell(`${scorer.life.name} is told to stop`)
  const { drain } = scorer
  time.live(scorer.life, () => void drain())
}

function startScorer(world: World, name: string): void {
  if (world.isClosing) return
  const { time, fate, scenario, wire, place, scorers } = world
  const life = newLife(`${name}.${world.exits.length}`)
  const scorer: Scorer = { life, drain: null, isStopping: false }
  scorers.add(scorer)
  const brokenFromMs = START_MS + scenario.calmFromMs / 4
  const classifier = createSimulatedModel(fate, time, {
    failure: () => (time.nowMs() - START_MS < scenario.calmFromMs ? scenario.modelFailure : 0),
    isPoisoned: scenario.poison === 'nan_score',
    isBroken: () => scenario.poison === 'broken_model' && time.nowMs() >= brokenFromMs,
  })
  const fail = (error: Error): void => end(world, life, 'failed', error)
  time.live(life, () => {
    startScorerProcess(place, { call: createCall(life, wire), classifier, fail }).then(
      ({ drain }) => {
        scorer.drain = () => drainOrCut(world, life, drain)
      },
      fail,
    )
  })
}

/** Not awaited by whoever calls: what it throws is thrown at nobody, as in the scorer's main. */
async function drainOrCut(world: World, life: Life, drain: () => Promise<void>): Promise<void> {
  setTimeout(() => end(world, life, 'drained', new Error('cut off')), limits.drainMsMax)
  await drain()
  end(world, life, 'drained', null)
}

function end(world: World, life: Life, how: Exit['how'], error: Error | null): void {
  if (life.isDead) return
  life.isDead = true
  const { time, trace, exits, scorers, random, scenario } = world
  trace.tell(`${life.name} ${how} ${error === null ? '' : describeError(error)}`)
  exits.push({ life: life.name, atMs: time.nowMs() - START_MS, how, error })
  const scorer = [...scorers].find((one) => one.life === life)
  if (scorer !== undefined) scorers.delete(scorer)
  if (how === 'failed') judgeExit(world, error!, scorer?.drain === null)
  if (world.isClosing) return
  const name = life.name.split('.')[0]!
  const pauseMs = how === 'drained' ? random.integer(0, 3000) : random.integer(200, 5000)
  if (scenario.scorers > 0) time.after(pauseMs, () => startScorer(world, name), null)
}

/**
 * An exit that no trouble asked for is a fault; the refusal that the poison calls for ends the
 * world.
 */
function judgeExit(world: World, error: Error, isStarting: boolean): void {
  const { scenario, trace } = world
  // What is no error of Weir's is told as a defect, by the code for those.
  const code = error instanceof WeirError ? error.code : 'WEIR_INTERNAL_INVARIANT'
  if (refusalsOf(scenario).includes(code)) {
    world.refusal ??= code
    return
  }
  const isKafka = scenario.schedule.some(({ what }) => /kafka|fetch/.test(what.kind))
  const isTroubled =
    scenario.troubles.lost + scenario.troubles.unheard + scenario.troubles.silent > 0
  if (code === 'WEIR_KAFKA_AWAY' && (isKafka || isTroubled)) return
  // What the Kafka clients throw while they are opened goes up as it is: the process does not
  // start.
  if (isStarting && (isKafka || isTroubled)) return
  trace.tell(`unasked: ${error.stack}`)
  world.fault ??= `a process ended unasked: ${describeError(error)}`
}

const isDone = ({ goals, brokers }: World): boolean => {
  const { offsets } = brokers.group(groupId)
  return goals.every(({ place, last }) => (offsets.get(place)?.offset ?? -1) > last)
}

const hasEnded = (world: World): boolean =>
  world.fault !== null || world.refusal !== null || isDone(world)

const describeLag = ({ goals, brokers }: World): string =>
  goals
    .map(({ place, last }) => {
      const committed = brokers.group(groupId).offsets.get(place)?.offset ?? -1
      return `${place} at ${committed} of ${last + 1}`
    })
    .join(', ')

/** All is committed: the scorers are told to stop, and have to. */
async function closeWorld(world: World): Promise<void> {
  const { time, scorers } = world
  world.isClosing = true
  const deadlineMs = time.nowMs() + 2 * limits.drainMsMax + 30_000
  const tellAll = (): void => {
    for (const scorer of scorers) stop(scorer, world)
    time.after(1000, tellAll, null)
  }
  tellAll()
  await time.runUntil(() => world.fault !== null || scorers.size === 0, deadlineMs)
  if (world.fault !== null || scorers.size === 0) return
  const left = [...scorers].filter(({ drain }) => drain !== null)
  if (left.length > 0) world.fault = `${left.length} scorers did not stop when told`
}

async function judgeWorld(
  seed: number,
  world: World,
  { falsify }: WorldOptions,
): Promise<WorldEnd> {
  const { place, lanes, time, trace, scenario, exits } = world
  const read = readPublished(world)
  const published = falsify?.(read) ?? read
  const outcomes: Outcomes = { definition: place.definition, lanes, published }
  if (world.fault === null && world.refusal === null) {
    world.fault = findDifference(outcomes) ?? (await findWrongVector(outcomes))
  }
  return {
    seed,
    fault: world.fault,
    refusal: world.refusal,
    scenario,
    virtualMs: time.nowMs() - START_MS,
    steps: time.steps(),
    hash: trace.hash(),
    exits,
    story: trace.lines(),
    counts: {
      events: lanes.reduce((sum, { messages }) => sum + messages.length, 0),
      published: published.scored.length + published.refused.length,
    },
  }
}

function readPublished({ brokers, place }: World): Published {
  const { topics } = place.definition
  const read = <T>(topic: string): T[] =>
    brokers.topics
      .get(topic)!
      .flatMap((log) => log.committed())
      .map(({ value }) => decodeJson<T>(value!))
  return {
    scored: read(topics.scored),
    refused: [...read(topics.rejected), ...read(topics.late)],
  } as Published
}
