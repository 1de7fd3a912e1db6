/**
 * Customers and terminals: who they are, where they are and what they usually do.
 *
 * In: the options. Out: the customers with their places and habits, the terminals with theirs.
 * Nothing is refused. Invariant: customer n and terminal n are the same whatever the number of
 * others, except for the customer's reach, which is the terminals around.
 *
 * The world is a square of 100 by 100, cut into six countries. A customer shops at the two dozen
 * nearest terminals, the nearer in the list the more often; online shops are everybody's.
 */

import type { GeneratorOptions } from './options.ts'
import { RandomStream } from './random.ts'
import { findReaches, worldSize } from './reach.ts'
import { type Rhythm, rhythms } from './rhythms.ts'
import type { Place, Terminal } from './terminals.ts'

export interface Customer extends Place {
  readonly index: number
  readonly id: string
  readonly amountMeanMinor: number
  /** Standard deviation of the amount's logarithm. */
  readonly amountSpread: number
  readonly transactionsPerDay: number
  readonly rhythm: Rhythm
  readonly onlineShare: number
  /** Indices of the terminals around, the favourite first. */
  readonly reach: Int32Array
  readonly devices: readonly string[]
  readonly ipAddress: string
}

export interface Population {
  readonly customers: readonly Customer[]
  readonly terminals: readonly Terminal[]
  /** Indices of the terminals in the street and on the web. */
  readonly streetTerminals: Int32Array
  readonly onlineTerminals: Int32Array
}

const countries = [
  { country: 'DE', currency: 'EUR' },
  { country: 'FR', currency: 'EUR' },
  { country: 'GB', currency: 'GBP' },
  { country: 'IT', currency: 'EUR' },
  { country: 'ES', currency: 'EUR' },
  { country: 'CH', currency: 'CHF' },
] as const

interface Trade {
  readonly mcc: string
  readonly amountFactor: number
  readonly channel: string
}

/** Merchant category codes of ISO 18245; a trade that is frequent in the street stands twice. */
const streetTrades: readonly Trade[] = [
  { mcc: '5411', amountFactor: 0.9, channel: 'contactless' },
  { mcc: '5411', amountFactor: 1.1, channel: 'chip' },
  { mcc: '5812', amountFactor: 0.9, channel: 'contactless' },
  { mcc: '5814', amountFactor: 0.35, channel: 'contactless' },
  { mcc: '5541', amountFactor: 1.4, channel: 'contactless' },
  { mcc: '5912', amountFactor: 0.6, channel: 'contactless' },
  { mcc: '4111', amountFactor: 0.2, channel: 'contactless' },
  { mcc: '5651', amountFactor: 1.8, channel: 'chip' },
  { mcc: '5732', amountFactor: 3.5, channel: 'chip' },
  { mcc: '7011', amountFactor: 4, channel: 'chip' },
  { mcc: '6011', amountFactor: 2.5, channel: 'atm' },
]
const onlineTrades: readonly Trade[] = [
  { mcc: '5964', amountFactor: 1.3, channel: 'online' },
  { mcc: '5816', amountFactor: 0.3, channel: 'online' },
  { mcc: '5732', amountFactor: 3, channel: 'online' },
  { mcc: '4722', amountFactor: 5, channel: 'online' },
]

const onlineTerminalShare = 0.1
const amountMedianMinor = 3_000
/** The mean of the customers' online shares: onlineShare is drawn from 0 to twice this. */
export const onlineShareMean = 0.2

export function createPopulation(options: GeneratorOptions): Population {
  const terminals = Array.from({ length: options.terminals }, (_, index) =>
    createTerminal(options.seed, index),
  )
  const isOnline = (terminal: Terminal) => terminal.channel === 'online'
  const street = terminals.filter((terminal) => !isOnline(terminal))
  const places = Array.from({ length: options.customers }, (_, index) =>
    createCustomer(options, index),
  )
  const reaches = findReaches(places, street)
  return {
    customers: places.map((customer, index) => ({ ...customer, reach: reaches[index]! })),
    terminals,
    streetTerminals: Int32Array.from(street, (terminal) => terminal.index),
    onlineTerminals: Int32Array.from(terminals.filter(isOnline), (terminal) => terminal.index),
  }
}

/** Terminal 0 is always online and terminal 1 in the street, so that both kinds exist. */
function createTerminal(seed: number, index: number): Terminal {
  const random = new RandomStream(seed, 'terminal', index)
  const x = random.between(0, worldSize)
  const y = random.between(0, worldSize)
  const isOnline = random.chance(onlineTerminalShare) ? index !== 1 : index === 0
  const trade = random.pick(isOnline ? onlineTrades : streetTrades)
  return { index, id: `m${pad(index)}`, x, y, ...trade, ...countryAt(x, y) }
}

function createCustomer(options: GeneratorOptions, index: number): Customer {
  const random = new RandomStream(options.seed, 'customer', index)
  return {
    index,
    id: `c${pad(index)}`,
    x: random.between(0, worldSize),
    y: random.between(0, worldSize),
    amountMeanMinor: amountMedianMinor * Math.exp(0.5 * random.normal()),
    amountSpread: random.between(0.3, 0.7),
    // The sum of two exponentials: few people shop hardly at all, some shop all day, mean 1.
    transactionsPerDay:
      options.transactionsPerCustomerPerDay * (random.exponential(0.5) + random.exponential(0.5)),
    rhythm: random.pick(rhythms),
    onlineShare: random.between(0, 2 * onlineShareMean),
    reach: new Int32Array(0),
    devices: Array.from({ length: random.integer(1, 3) }, () => createDevice(random)),
    ipAddress: createAddress(random),
  }
}

export function createDevice(random: RandomStream): string {
  return `d${Math.floor(random.uniform() * 4_294_967_296)
    .toString(16)
    .padStart(8, '0')}`
}

/** From the private range 10.0.0.0/8, so that no address is anybody's. */
export function createAddress(random: RandomStream): string {
  return `10.${random.integer(0, 255)}.${random.integer(0, 255)}.${random.integer(1, 254)}`
}

function countryAt(x: number, y: number) {
  const column = Math.min(2, Math.floor((x / worldSize) * 3))
  const row = Math.min(1, Math.floor((y / worldSize) * 2))
  return countries[row * 3 + column]!
}

function pad(index: number): string {
  return String(index).padStart(6, '0')
}
