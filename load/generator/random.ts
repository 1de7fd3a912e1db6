/**
 * Seeded random numbers, in streams.
 *
 * In: a seed, the name of a stream and up to two indices (such as a customer and a day).
 * Out: uniform, normal, Poisson and exponential draws, the same for ever.
 * Invariant: every question ("what does customer 7 do on day 19723?") has a stream of its own, so
 * that turning one knob never reshuffles the answers to the others, and any day of any length of
 * history can be made without the days before it.
 *
 * The generator is sfc32 (Chris Doty-Humphrey's small fast counter, public domain, passes
 * PractRand).
 */
const streams = {
  customer: 1,
  terminal: 2,
  customerDay: 3,
  customerBurst: 4,
  hotTerminal: 5,
  fraudPlan: 6,
  fraudDay: 7,
  cardTest: 8,
  label: 9,
  disturbance: 10,
  fault: 11,
  verdict: 12,
} as const

type StreamName = keyof typeof streams

/** One stream of draws. `aim` points it elsewhere without allocating, for the inner loops. */
export class RandomStream {
  private a = 0
  private b = 0
  private c = 0
  private counter = 1
  private spareNormal = Number.NaN
  private readonly seed: number

  constructor(seed: number, name: StreamName, first = 0, second = 0) {
    this.seed = seed
    this.aim(name, first, second)
  }

  aim(name: StreamName, first = 0, second = 0): this {
    const low = this.seed >>> 0
    const high = Math.floor(this.seed / 4_294_967_296) >>> 0
    this.a = mix(low ^ mix(streams[name] + 0x9e3779b9))
    this.b = mix(this.a ^ mix((first + 0x85ebca6b) | 0))
    this.c = mix(this.b ^ mix((second + 0xc2b2ae35) | 0) ^ mix(high + 0x27d4eb2f))
    this.counter = 1
    this.spareNormal = Number.NaN
    for (let round = 0; round < 12; round++) this.next()
    return this
  }

  /** 32 random bits as a signed integer. */
  private next(): number {
    const result = (((this.a + this.b) | 0) + this.counter) | 0
    this.counter = (this.counter + 1) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = ((this.c << 21) | (this.c >>> 11)) + result
    this.c |= 0
    return result
  }

  /** In [0, 1), 32 bits of resolution. */
  uniform(): number {
    return (this.next() >>> 0) / 4_294_967_296
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.uniform()
  }

  /** A whole number from low to high, both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.uniform() * (high - low + 1))
  }

  chance(probability: number): boolean {
    return this.uniform() < probability
  }

  /** Mean 0, standard deviation 1 (Marsaglia's polar method; the second draw is kept). */
  normal(): number {
    const spare = this.spareNormal
    if (!Number.isNaN(spare)) {
      this.spareNormal = Number.NaN
      return spare
    }
    for (;;) {
      const x = 2 * this.uniform() - 1
      const y = 2 * this.uniform() - 1
      const radius = x * x + y * y
      if (radius > 0 && radius < 1) {
        const scale = Math.sqrt((-2 * Math.log(radius)) / radius)
        this.spareNormal = y * scale
        return x * scale
      }
    }
  }

  exponential(mean: number): number {
    return -mean * Math.log(1 - this.uniform())
  }

  /** Knuth's product for small means; above 30 the rounded normal is close enough. */
  poisson(mean: number): number {
    if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * this.normal()))
    const limit = Math.exp(-mean)
    let product = this.uniform()
    let count = 0
    while (product > limit) {
      product *= this.uniform()
      count++
    }
    return count
  }

  pick<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.uniform() * items.length)]
    if (item === undefined)
      throw new RangeError('expected a list with at least one item to pick from')
    return item
  }

  bytes(size: number): Buffer {
    const buffer = Buffer.alloc(size)
    for (let index = 0; index < size; index++) buffer[index] = this.next() & 0xff
    return buffer
  }
}

/** The finaliser of murmur3: every input bit reaches every output bit. */
function mix(value: number): number {
  let hash = value | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) | 0
}
