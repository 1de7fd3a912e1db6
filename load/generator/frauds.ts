/**
 * The frauds: what they are, as data, and which of them run on a given day.
 *
 * In: the world and a day. Out: the compromised terminals, stolen cards and card tests of that day.
 * Nothing is refused. Invariant: a fraud belongs to the day it starts on and is drawn from that
 * day's own stream, so any day finds the frauds under way by looking back, without a history; the
 * numbers of starts are chosen so that frauds are `fraudShare` of all transactions.
 */
import { dayMs, type GeneratorOptions } from './options.ts'
import { onlineShareMean, type Population } from './population.ts'
import { RandomStream } from './random.ts'

/**
 * weight: share of all frauds. The rest are ranges [low, high] or probabilities.
 * Genuine behaviour overlaps on purpose (see customer-day.ts): large amounts, bursts and far-away
 * purchases are also made by honest people.
 */
export const fraudScenarios = {
  /** A single purchase far above the customer's habit. */
  large_amount: { weight: 0.15, amountFactor: [4, 20] },
  /** A skimmer on a terminal: for weeks nearly all its cards are abused, with usual amounts. */
  compromised_terminal: { weight: 0.35, days: [7, 28], share: 0.9 },
  /** A copied card: for weeks a third of its payments, multiplied, half of them elsewhere. */
  stolen_card: { weight: 0.3, days: [5, 21], share: 1 / 3, amountFactor: [2, 8], awayShare: 0.5 },
  /** Does this card work? Small payments within seconds, then often a large one. */
  card_testing: {
    weight: 0.2,
    payments: [5, 30],
    terminals: [1, 3],
    gapMs: [300, 4_000],
    amountMinor: [50, 600],
    largeShare: 0.6,
    largeGapMs: [5_000, 120_000],
    largeAmountFactor: [3, 12],
  },
} as const

export type FraudScenario = keyof typeof fraudScenarios

interface Theft {
  readonly fromMs: number
  readonly toMs: number
  readonly amountFactor: number
  readonly device: string
}

export interface CardTest {
  /** Within its day: with the day it names the test's stream. */
  readonly serial: number
  readonly customerIndex: number
  readonly terminalIndices: readonly number[]
  readonly fromMs: number
  readonly payments: number
}

export interface FraudsOfDay {
  /** By terminal index: from when to when, in ms of event time. */
  readonly compromised: ReadonlyMap<number, { readonly fromMs: number; readonly toMs: number }>
  /** By customer index. */
  readonly stolen: ReadonlyMap<number, Theft>
  readonly cardTests: readonly CardTest[]
  /** Probability that a transaction is a single large fraud. */
  readonly largeAmountChance: number
}

/** How many frauds of each long or bursty kind start per day, and how likely a single one is. */
interface FraudRates {
  readonly compromisedPerDay: number
  readonly stolenPerDay: number
  readonly cardTestsPerDay: number
  readonly largeAmountChance: number
}

const middle = (range: readonly [number, number]) => (range[0] + range[1]) / 2

export function fraudRatesOf(options: GeneratorOptions, population: Population): FraudRates {
  const { compromised_terminal: terminal, stolen_card: card, card_testing: test } = fraudScenarios
  const transactionsPerDay = options.customers * options.transactionsPerCustomerPerDay
  const fraudsPerDay = transactionsPerDay * options.fraudShare
  const streetShare = (1 - options.hotTerminalShare) * (1 - onlineShareMean)
  const perTerminal = (transactionsPerDay * streetShare) / population.streetTerminals.length
  const perTheft = options.transactionsPerCustomerPerDay * middle(card.days) * card.share
  const perTest = middle(test.payments) + test.largeShare
  return {
    compromisedPerDay:
      (fraudsPerDay * terminal.weight) / (perTerminal * middle(terminal.days) * terminal.share),
    stolenPerDay: (fraudsPerDay * card.weight) / perTheft,
    cardTestsPerDay: (fraudsPerDay * test.weight) / perTest,
    largeAmountChance: options.fraudShare * fraudScenarios.large_amount.weight,
  }
}

export function findFraudsOfDay(world: FraudWorld, day: number): FraudsOfDay {
  const compromised = new Map<number, { fromMs: number; toMs: number }>()
  const stolen = new Map<number, Theft>()
  const reachBack = Math.max(
    fraudScenarios.compromised_terminal.days[1],
    fraudScenarios.stolen_card.days[1],
  )
  for (let startDay = day - reachBack; startDay <= day; startDay++) {
    addStarts(world, startDay, { fromMs: day * dayMs, compromised, stolen })
  }
  return {
    compromised,
    stolen,
    cardTests: drawCardTests(world, day),
    largeAmountChance: world.fraudRates.largeAmountChance,
  }
}

/** What this module needs to know of the world. */
export interface FraudWorld {
  readonly options: GeneratorOptions
  readonly population: Population
  readonly fraudRates: FraudRates
}

interface UnderWay {
  /** Frauds over before this moment are left out. */
  readonly fromMs: number
  readonly compromised: Map<number, { fromMs: number; toMs: number }>
  readonly stolen: Map<number, Theft>
}

const planPart = { compromised: 0, stolen: 1, cardTests: 2 } as const

function addStarts(world: FraudWorld, startDay: number, underWay: UnderWay): void {
  const { options, population, fraudRates } = world
  const random = new RandomStream(options.seed, 'fraudPlan', startDay, planPart.compromised)
  const skimmers = random.poisson(fraudRates.compromisedPerDay)
  for (let index = 0; index < skimmers; index++) {
    const terminalIndex = pickIndex(random, population.streetTerminals)
    const period = drawPeriod(random, startDay, fraudScenarios.compromised_terminal.days)
    if (period.toMs > underWay.fromMs) underWay.compromised.set(terminalIndex, period)
  }
  random.aim('fraudPlan', startDay, planPart.stolen)
  const thefts = random.poisson(fraudRates.stolenPerDay)
  for (let index = 0; index < thefts; index++) {
    const customerIndex = random.integer(0, options.customers - 1)
    const period = drawPeriod(random, startDay, fraudScenarios.stolen_card.days)
    const amountFactor = random.between(...fraudScenarios.stolen_card.amountFactor)
    const device = `d${startDay.toString(16)}-${index.toString(16)}`
    if (period.toMs > underWay.fromMs) {
      underWay.stolen.set(customerIndex, { ...period, amountFactor, device })
    }
  }
}

/** A whole test stays inside its day, so that a day's transactions can be sorted on their own. */
function drawCardTests(world: FraudWorld, day: number): CardTest[] {
  const { options, population, fraudRates } = world
  const scenario = fraudScenarios.card_testing
  const longestMs = scenario.payments[1] * scenario.gapMs[1] + scenario.largeGapMs[1]
  const random = new RandomStream(options.seed, 'fraudPlan', day, planPart.cardTests)
  return Array.from({ length: random.poisson(fraudRates.cardTestsPerDay) }, (_, serial) => {
    const customerIndex = random.integer(0, options.customers - 1)
    const terminalIndices = Array.from({ length: random.integer(...scenario.terminals) }, () =>
      random.chance(0.7) && population.onlineTerminals.length > 0
        ? pickIndex(random, population.onlineTerminals)
        : pickIndex(random, population.streetTerminals),
    )
    const fromMs = day * dayMs + Math.floor(random.uniform() * (dayMs - longestMs))
    const payments = random.integer(...scenario.payments)
    return { serial, customerIndex, terminalIndices, fromMs, payments }
  })
}

function drawPeriod(random: RandomStream, startDay: number, days: readonly [number, number]) {
  const fromMs = startDay * dayMs + Math.floor(random.uniform() * dayMs)
  return { fromMs, toMs: fromMs + Math.floor(random.between(...days) * dayMs) }
}

function pickIndex(random: RandomStream, indices: Int32Array): number {
  return indices[Math.floor(random.uniform() * indices.length)]!
}
