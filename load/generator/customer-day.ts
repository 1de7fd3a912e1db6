/**
 * What one customer does on one day, honestly or not.
 *
 * In: the world, a customer, a day and that day's frauds. Out: planned transactions, in no order.
 * Nothing is refused. Invariants: the customer's honest plan does not depend on the frauds (they
 * have a stream of their own and change a plan that was already drawn), and every transaction of
 * the plan lies inside the day.
 */

import type { CardTest, FraudScenario, FraudsOfDay, FraudWorld } from './frauds.ts'
import { fraudScenarios } from './frauds.ts'
import { dayMs } from './options.ts'
import { type Customer, createAddress, createDevice } from './population.ts'
import { RandomStream } from './random.ts'
import { drawTimeOfDay, weekdayFactor } from './rhythms.ts'
import type { Terminal } from './terminals.ts'

export interface PlannedTransaction {
  eventTimeMs: number
  readonly customer: Customer
  terminal: Terminal
  amountMinor: number
  device: string | null
  ipAddress: string | null
  fraud: FraudScenario | null
}

/** Honest behaviour that looks like fraud. Ranges are [low, high], the rest are probabilities. */
const honest = {
  /** Vending machines, games, transit: per transaction of the customer. */
  burst: { chance: 0.002, payments: [3, 12], gapMs: [1_000, 20_000], amountMinor: [80, 1_500] },
  /** A fridge, a flight, a wedding. */
  large: { chance: 0.01, amountFactor: [3, 14] },
  /** A purchase anywhere in the world. */
  awayChance: 0.03,
  amountMinorMin: 50,
  amountMinorMax: 5_000_000,
} as const

const burstPaymentsMean = (honest.burst.payments[0] + honest.burst.payments[1]) / 2
/**
 * What is left for the regular plan, so that bursts don't add to the total; card tests do, a
 * little.
 */
const regularShare = 1 - honest.burst.chance * burstPaymentsMean

interface Streams {
  readonly day: RandomStream
  readonly burst: RandomStream
  readonly hot: RandomStream
  readonly fraud: RandomStream
}

export function createStreams(seed: number): Streams {
  const create = () => new RandomStream(seed, 'customerDay')
  return { day: create(), burst: create(), hot: create(), fraud: create() }
}

export interface DayPlan {
  readonly world: FraudWorld
  readonly day: number
  readonly frauds: FraudsOfDay
  readonly streams: Streams
  readonly planned: PlannedTransaction[]
}

export function planCustomerDay(plan: DayPlan, customer: Customer): void {
  const { world, day, frauds, streams, planned } = plan
  const from = planned.length
  const random = streams.day.aim('customerDay', customer.index, day)
  const activity = customer.transactionsPerDay * regularShare
  const count = random.poisson(activity * weekdayFactor(customer.rhythm, day))
  for (let index = 0; index < count; index++) planned.push(drawPurchase(plan, customer, random))
  planBursts(plan, customer, random.poisson(customer.transactionsPerDay * honest.burst.chance))
  if (world.options.hotTerminalShare > 0) redirectToHotTerminal(plan, customer, from)
  if (frauds.largeAmountChance > 0) commitFrauds(plan, customer, from)
}

function drawPurchase(plan: DayPlan, customer: Customer, random: RandomStream): PlannedTransaction {
  const eventTimeMs = plan.day * dayMs + drawTimeOfDay(customer.rhythm, random)
  const terminal = drawTerminal(plan.world, customer, random)
  const spread = customer.amountSpread
  const deviation = Math.exp(spread * random.normal() - (spread * spread) / 2)
  const isLarge = random.chance(honest.large.chance)
  const factor = isLarge ? random.between(...honest.large.amountFactor) : 1
  const amountMinor = toMinor(customer.amountMeanMinor * terminal.amountFactor * deviation * factor)
  return purchase(customer, terminal, eventTimeMs, amountMinor)
}

/** The nearer in the reach the likelier; a few online shops have most of the online trade. */
function drawTerminal(world: FraudWorld, customer: Customer, random: RandomStream): Terminal {
  const { terminals, onlineTerminals } = world.population
  const kind = random.uniform()
  const draw = random.uniform()
  if (kind < customer.onlineShare) {
    return terminals[onlineTerminals[Math.floor(draw ** 3 * onlineTerminals.length)]!]!
  }
  if (kind > 1 - honest.awayChance) return terminals[Math.floor(draw * terminals.length)]!
  return terminals[customer.reach[Math.floor(draw ** 1.5 * customer.reach.length)]!]!
}

function planBursts(plan: DayPlan, customer: Customer, count: number): void {
  if (count === 0) return
  const random = plan.streams.burst.aim('customerBurst', customer.index, plan.day)
  for (let index = 0; index < count; index++) planBurst(plan, customer, random)
}

/** A burst stays inside its day, so that a day's transactions can be sorted on their own. */
function planBurst(plan: DayPlan, customer: Customer, random: RandomStream): void {
  const { payments, gapMs, amountMinor } = honest.burst
  const count = random.integer(...payments)
  const terminal = drawTerminal(plan.world, customer, random)
  const latestMs = dayMs - payments[1] * gapMs[1]
  const timeOfDayMs = Math.min(drawTimeOfDay(customer.rhythm, random), latestMs)
  let eventTimeMs = plan.day * dayMs + timeOfDayMs
  for (let index = 0; index < count; index++) {
    plan.planned.push(purchase(customer, terminal, eventTimeMs, random.integer(...amountMinor)))
    eventTimeMs += random.integer(...gapMs)
  }
}

function redirectToHotTerminal(plan: DayPlan, customer: Customer, from: number): void {
  const { options, population } = plan.world
  const hot = population.terminals[0]!
  const random = plan.streams.hot.aim('hotTerminal', customer.index, plan.day)
  for (let index = from; index < plan.planned.length; index++) {
    if (random.chance(options.hotTerminalShare)) moveTo(plan.planned[index]!, hot)
  }
}

/** At most one scenario per transaction: a stolen card first, then a skimmer, then a large one. */
function commitFrauds(plan: DayPlan, customer: Customer, from: number): void {
  const { frauds, world } = plan
  const { stolen_card, compromised_terminal, large_amount } = fraudScenarios
  const random = plan.streams.fraud.aim('fraudDay', customer.index, plan.day)
  const theft = frauds.stolen.get(customer.index)
  for (let index = from; index < plan.planned.length; index++) {
    const planned = plan.planned[index]!
    const draw = random.uniform()
    if (theft !== undefined && isWithin(planned, theft) && draw < stolen_card.share) {
      planned.fraud = 'stolen_card'
      planned.amountMinor = toMinor(planned.amountMinor * theft.amountFactor)
      if (random.chance(stolen_card.awayShare)) {
        moveTo(planned, random.pick(world.population.terminals))
      }
      if (planned.device !== null) useDevice(planned, theft.device, createAddress(random))
      continue
    }
    const skimmer = frauds.compromised.get(planned.terminal.index)
    if (skimmer !== undefined && isWithin(planned, skimmer) && draw < compromised_terminal.share) {
      planned.fraud = 'compromised_terminal'
    } else if (draw < frauds.largeAmountChance) {
      planned.fraud = 'large_amount'
      const factor = random.between(...large_amount.amountFactor)
      planned.amountMinor = toMinor(planned.amountMinor * factor)
    }
  }
}

export function planCardTest(plan: DayPlan, test: CardTest): void {
  const scenario = fraudScenarios.card_testing
  const { customers, terminals } = plan.world.population
  const customer = customers[test.customerIndex]!
  const random = plan.streams.fraud.aim('cardTest', plan.day, test.serial)
  const device = createDevice(random)
  const ipAddress = createAddress(random)
  let eventTimeMs = test.fromMs
  const pay = (amountMinor: number) => {
    const terminal = terminals[random.pick(test.terminalIndices)]!
    const planned = purchase(customer, terminal, eventTimeMs, amountMinor)
    planned.fraud = 'card_testing'
    if (planned.device !== null) useDevice(planned, device, ipAddress)
    plan.planned.push(planned)
  }
  for (let index = 0; index < test.payments; index++) {
    pay(random.integer(...scenario.amountMinor))
    eventTimeMs += random.integer(...scenario.gapMs)
  }
  if (!random.chance(scenario.largeShare)) return
  eventTimeMs += random.integer(...scenario.largeGapMs)
  pay(toMinor(customer.amountMeanMinor * random.between(...scenario.largeAmountFactor)))
}

function purchase(
  customer: Customer,
  terminal: Terminal,
  eventTimeMs: number,
  amountMinor: number,
): PlannedTransaction {
  const planned: PlannedTransaction = {
    eventTimeMs,
    customer,
    terminal,
    amountMinor,
    device: null,
    ipAddress: null,
    fraud: null,
  }
  moveTo(planned, terminal)
  return planned
}

/** A device and an address come with online purchases only. */
function moveTo(planned: PlannedTransaction, terminal: Terminal): void {
  const { customer } = planned
  planned.terminal = terminal
  const isOnline = terminal.channel === 'online'
  // Which of the customer's devices: decided by the time, so that it needs no draw.
  const device = customer.devices[planned.eventTimeMs % customer.devices.length]!
  planned.device = isOnline ? device : null
  planned.ipAddress = isOnline ? customer.ipAddress : null
}

function useDevice(planned: PlannedTransaction, device: string, ipAddress: string): void {
  planned.device = device
  planned.ipAddress = ipAddress
}

function isWithin(
  planned: PlannedTransaction,
  period: { readonly fromMs: number; readonly toMs: number },
): boolean {
  return planned.eventTimeMs >= period.fromMs && planned.eventTimeMs < period.toMs
}

function toMinor(amount: number): number {
  return Math.min(honest.amountMinorMax, Math.max(honest.amountMinorMin, Math.round(amount)))
}
